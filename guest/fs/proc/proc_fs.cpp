// Finding what a path in /proc names, and opening it. What stands below /proc/PID is in proc_pid.cpp; the texts are
// made in proc_task, proc_system and others.
#include "guest/fs/proc/proc_fs.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "guest/fs/path.hpp"
#include "guest/fs/proc/proc_path.hpp"
#include "guest/fs/proc/proc_text.hpp"
#include "guest/fs/vfs.hpp"
#include "guest/kernel.hpp"
#include "guest/task.hpp"

namespace fl::guest {
namespace {

constexpr DeviceNumber kProcDevice{0, 21};
constexpr uint64_t kRootInode = 1;

}  // namespace

Result<ProcFs::Node> ProcFs::find(const Caller& caller, const std::string& path) const {
  if (path.empty()) {
    return root();
  }
  const std::string_view first = first_component(path);
  const std::string_view rest = behind_first(path);
  Node link;
  link.mode = kLinkMode;
  if (first == "self") {
    link.target.text = std::to_string(caller.pid);
    link.ino = kSystemInodes - 1;
  } else if (first == "thread-self") {
    link.target.text = fmt::format("{}/task/{}", caller.pid, caller.tid);
    link.ino = kSystemInodes - 3;
  } else if (first == "mounts") {
    link.target.text = "self/mounts";
    link.ino = kSystemInodes - 2;
  }
  if (link.ino != 0) {
    return rest.empty() ? Result<Node>(link) : fail(Errno::kELOOP);
  }
  uint32_t pid = 0;
  return parse_number(first, pid) ? pid_node(caller, pid, rest) : system_node(path);
}

Result<ProcFs::Node> ProcFs::root() const {
  Node node;
  node.mode = kDirectoryMode;
  node.ino = kRootInode;
  for (const std::string& name : system_entries("")) {
    FL_TRY_ASSIGN(const Node child, system_node(name));
    node.items.push_back({name, child.ino, child.mode});
  }
  node.items.push_back({"mounts", kSystemInodes - 2, kLinkMode});
  node.items.push_back({"self", kSystemInodes - 1, kLinkMode});
  node.items.push_back({"thread-self", kSystemInodes - 3, kLinkMode});
  if (kernel_ != nullptr) {
    for (const Task& each : kernel_->tasks()) {
      if (each.is_leader()) {
        node.items.push_back({std::to_string(each.tid), uint64_t{each.tid} << kTaskInodeBits, kDirectoryMode});
      }
    }
  }
  return node;
}

Result<ProcFs::Node> ProcFs::system_node(const std::string& path) const {
  Node node;
  if (const SystemFile* const file = find_system_file(path)) {
    node.mode = FileMode::kRegular | file->mode;
    node.ino = kSystemInodes + file->index;
    node.root = path.starts_with("sys/") ? RootOverride::kNo : RootOverride::kYes;
    node.generate = [this, file]() -> Result<std::string> {
      if (kernel_ == nullptr) {
        return fail(Errno::kENOENT);
      }
      if (file->report != nullptr) {
        return file->report->text(kernel_->memory());
      }
      return file->generate != nullptr ? Result<std::string>(file->generate(*kernel_)) : fail(Errno::kEIO);
    };
    if (file->store != nullptr) {
      node.store = [this, file](std::string_view text, uint64_t at) -> Status {
        // As sysctl_writes_strict = 1 has it: a later write of one open changes nothing.
        return at != 0 ? Status{} : kernel_ != nullptr ? file->store(*kernel_, text) : fail(Errno::kENOENT);
      };
    }
    return node;
  }
  const std::vector<std::string> names = system_entries(path);
  if (names.empty()) {
    // Below a file: ENOTDIR.
    for (std::string above = parent_of(path); !above.empty(); above = parent_of(above)) {
      if (find_system_file(above) != nullptr) {
        return fail(Errno::kENOTDIR);
      }
    }
    return fail(Errno::kENOENT);
  }
  node.mode = kDirectoryMode;
  node.ino = kSystemInodes + 0x100 + std::hash<std::string>{}(path) % 0x1000;
  for (const std::string& name : names) {
    FL_TRY_ASSIGN(const Node child, system_node(path + "/" + name));
    node.items.push_back({name, child.ino, child.mode});
  }
  return node;
}

Status ProcFs::permission(const Caller& caller, const Node& node, uint32_t wanted) const {
  if (node.refused) {
    return fail(Errno::kEACCES);
  }
  if (node.allowed) {
    return {};
  }
  const Task* const asks = kernel_ != nullptr ? kernel_->find_task(caller.tid) : nullptr;
  static const Credentials kRoot;
  const Credentials& cred = asks != nullptr ? asks->cred : kRoot;
  return mode_allows(stat_of(node), cred, wanted, node.root) ? Status{} : fail(Errno::kEACCES);
}

FileStat ProcFs::stat_of(const Node& node) const {
  FileTime now;
  if (kernel_ != nullptr) {
    const uint64_t ns = kernel_->time().wall_start_ns() + kernel_->time().now_ns();
    now = {static_cast<int64_t>(ns / kNsPerSecond), static_cast<uint32_t>(ns % kNsPerSecond)};
  }
  FileStat stat = synthetic_stat(kProcDevice, node.ino, node.mode, now);
  stat.uid = node.uid;
  stat.gid = node.gid;
  constexpr uint64_t kMagicLinkSize = 64;
  stat.size = node.magic != nullptr ? kMagicLinkSize : node.size;
  stat.nlink = node.nlink != 0 ? node.nlink : stat.nlink;
  return stat;
}

Result<FileStat> ProcFs::lstat(const Caller& caller, const std::string& path) {
  FL_TRY_ASSIGN(const Node node, find(caller, path));
  return stat_of(node);
}

Result<FileStat> ProcFs::stat_magic(const Caller& caller, const std::string& path) {
  FL_TRY_ASSIGN(const Node node, find(caller, path));
  if (node.magic != nullptr && node.refused) {
    return fail(Errno::kEACCES);
  }
  return node.magic != nullptr ? node.magic->stat() : stat_of(node);
}

Result<LinkTarget> ProcFs::readlink(const Caller& caller, const std::string& path) {
  FL_TRY_ASSIGN(const Node node, find(caller, path));
  if ((node.mode & FileMode::kTypeMask) != FileMode::kSymlink) {
    return fail(Errno::kEINVAL);
  }
  return node.refused ? Result<LinkTarget>(fail(Errno::kEACCES)) : node.target;
}

Result<std::shared_ptr<OpenFile>> ProcFs::open(const Caller& caller, const std::string& path,
                                               const OpenRequest& request) {
  const auto node = find(caller, path);
  const bool creates = (request.flags & OpenFlag::kCreate) != 0;
  if (!node) {
    return fail(node.error());
  }
  if (creates && (request.flags & OpenFlag::kExclusive) != 0) {
    return fail(Errno::kEEXIST);
  }
  const uint32_t status =
      request.flags & ~uint32_t{OpenFlag::kCreate | OpenFlag::kNoCtty | OpenFlag::kTruncate | OpenFlag::kCloseOnExec};
  switch (node->mode & FileMode::kTypeMask) {
    case FileMode::kDirectory:
      if (creates || (request.flags & OpenFlag::kAccessMode) != OpenFlag::kReadOnly) {
        return fail(Errno::kEISDIR);
      }
      if ((request.flags & OpenFlag::kPath) == 0) {
        FL_TRY(permission(caller, *node, May::kRead));
      }
      return ListDirectory::make(vfs_.memory(), status, request.path, stat_of(*node), node->items);
    case FileMode::kSymlink:
      if (node->magic == nullptr || (request.flags & OpenFlag::kNoFollow) != 0) {
        return fail(Errno::kELOOP);
      }
      if (node->refused) {
        return fail(Errno::kEACCES);
      }
      return open_magic(caller, node->magic, request.flags);
    default:
      if ((request.flags & OpenFlag::kDirectory) != 0) {
        return fail(Errno::kENOTDIR);
      }
      return open_text(caller, *node, status, request);
  }
}

Result<std::shared_ptr<OpenFile>> ProcFs::open_text(const Caller& caller, const Node& node, uint32_t status,
                                                    const OpenRequest& request) const {
  const uint32_t wanted = wanted_by_open(request.flags);
  if ((request.flags & OpenFlag::kPath) == 0) {
    FL_TRY(permission(caller, node, wanted));
    if ((wanted & May::kWrite) != 0 && !node.store) {
      return fail(Errno::kEACCES);
    }
  }
  if (node.file != nullptr) {
    return node.file->open(*node.view, {caller, status, request.path, stat_of(node)});
  }
  FL_TRY_ASSIGN(const auto file, make_file<TextFile>(vfs_.memory(), status, request.path, vfs_.memory(), stat_of(node),
                                                     node.generate, node.read_size, node.splice));
  if (node.store) {
    file->set_store(node.store);
  }
  return file;
}

// A file with a place in the tree is opened anew, as Linux does. What has none, and the host's descriptors 0-2, whose
// place may lie outside the tree, are shared instead, as far as they may be read or written as asked.
Result<std::shared_ptr<OpenFile>> ProcFs::open_magic(const Caller& caller, const std::shared_ptr<OpenFile>& file,
                                                     uint32_t flags) const {
  const LivePath& path = *file->path();
  if (path.text().starts_with('/') && !path.deleted && file->host_poll_fd() < 0) {
    return vfs_.open({vfs_.root(), caller}, path.text(), flags & ~uint32_t{OpenFlag::kCreate}, 0);
  }
  const uint32_t mode = flags & OpenFlag::kAccessMode;
  const bool allowed =
      (mode == OpenFlag::kWriteOnly || file->readable()) && (mode == OpenFlag::kReadOnly || file->writable());
  return allowed ? Result<std::shared_ptr<OpenFile>>(file) : fail(Errno::kEACCES);
}

Status ProcFs::access(const Caller& caller, const std::string& path, uint32_t mode) {
  FL_TRY_ASSIGN(const Node node, find(caller, path));
  if (mode == 0 || (node.mode & FileMode::kTypeMask) != FileMode::kRegular) {
    return {};
  }
  return (mode & May::kWrite) != 0 && !node.store ? fail(Errno::kEACCES) : permission(caller, node, mode);
}

Result<FsStat> ProcFs::statfs(const std::string&) { return synthetic_statfs(kProcMagic); }

}  // namespace fl::guest
