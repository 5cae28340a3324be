// Finding what a path in /proc names. The texts themselves are made in proc_maps, proc_task and proc_system.
#include "guest/fs/proc/proc_fs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "guest/fs/fd_table.hpp"
#include "guest/fs/fs_context.hpp"
#include "guest/fs/path.hpp"
#include "guest/fs/proc/proc_text.hpp"
#include "guest/fs/vfs.hpp"
#include "guest/kernel.hpp"
#include "guest/task.hpp"
#include "loaders/exec.hpp"

namespace fl::guest {
namespace {

constexpr DeviceNumber kProcDevice{0, 21};
constexpr uint64_t kRootInode = 1;
// Inode numbers: one range for the machine's files, one for each process.
constexpr uint64_t kSystemInodes = 0xf0000000;
constexpr uint64_t kTaskInodeBits = 16;
constexpr uint64_t kFdInodes = 0x1000;

constexpr uint32_t kDirectoryMode = FileMode::kDirectory | 0555;
constexpr uint32_t kLinkMode = FileMode::kSymlink | 0777;

bool parse_number(std::string_view text, uint32_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && (text.size() == 1 || text.front() != '0');
}

std::string_view first_component(std::string_view path) { return path.substr(0, path.find('/')); }

}  // namespace

Task* ProcFs::task(uint32_t pid) const {
  Task* const found = kernel_ != nullptr ? kernel_->find_task(pid) : nullptr;
  return found != nullptr && found->tid == found->tgid ? found : nullptr;
}

Result<ProcFs::Node> ProcFs::find(const Caller& caller, const std::string& path) const {
  if (path.empty()) {
    return root();
  }
  const std::string_view first = first_component(path);
  const std::string_view rest = first.size() == path.size() ? "" : std::string_view(path).substr(first.size() + 1);
  Node link;
  link.mode = kLinkMode;
  if (first == "self" || first == "thread-self") {
    link.target.text = std::to_string(caller.pid);
    link.ino = kSystemInodes - 1;
  } else if (first == "mounts") {
    link.target.text = "self/mounts";
    link.ino = kSystemInodes - 2;
  }
  if (link.ino != 0) {
    return rest.empty() ? Result<Node>(link) : fail(Errno::kELOOP);
  }
  uint32_t pid = 0;
  return parse_number(first, pid) ? task_node(caller, pid, rest) : system_node(path);
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

Result<ProcFs::Node> ProcFs::task_node(const Caller& caller, uint32_t pid, std::string_view rest) const {
  const Task* const found = task(pid);
  if (found == nullptr) {
    return fail(Errno::kENOENT);
  }
  Node node;
  node.uid = found->cred.euid;
  node.gid = found->cred.egid;
  const uint64_t first_inode = uint64_t{pid} << kTaskInodeBits;
  if (rest.empty()) {
    node.mode = kDirectoryMode;
    node.ino = first_inode;
    for (const TaskFile& file : task_files()) {
      node.items.push_back({std::string(file.name), first_inode + file.index, FileMode::kRegular | file.mode});
    }
    for (const std::string_view name : {"cwd", "exe", "root"}) {
      node.items.push_back({std::string(name), first_inode + name.front(), kLinkMode});
    }
    node.items.push_back({"fd", first_inode + kFdInodes, FileMode::kDirectory | 0500});
    return node;
  }
  const std::string_view name = first_component(rest);
  const bool deeper = name.size() != rest.size();
  if (name == "fd") {
    FL_TRY_ASSIGN(Node fd, fd_node(pid, deeper ? rest.substr(name.size() + 1) : ""));
    fd.uid = node.uid;
    fd.gid = node.gid;
    return fd;
  }
  if (name == "cwd" || name == "root" || name == "exe") {
    const bool has_exe = found->program != nullptr && found->program->exe != nullptr;
    if (deeper) {
      return fail(Errno::kELOOP);
    }
    if ((name == "exe" && !has_exe) || (name == "cwd" && found->fs == nullptr)) {
      return fail(Errno::kENOENT);
    }
    node.mode = kLinkMode;
    node.ino = first_inode + static_cast<uint64_t>(name.front());
    node.target.text = name == "root"  ? "/"
                       : name == "cwd" ? found->fs->cwd->shown()
                                       : std::string(found->program->exe->path);
    return node;
  }
  for (const TaskFile& file : task_files()) {
    if (file.name != name) {
      continue;
    }
    if (deeper) {
      return fail(Errno::kENOTDIR);
    }
    node.mode = FileMode::kRegular | file.mode;
    node.ino = first_inode + file.index;
    node.read_size = file.read_size;
    node.splice = Splice::kNo;
    node.generate = [this, pid, &file]() -> Result<std::string> {
      const Task* const now = task(pid);
      return now != nullptr ? file.generate(*kernel_, *now) : fail(Errno::kESRCH);
    };
    return node;
  }
  (void)caller;
  return fail(Errno::kENOENT);
}

Result<ProcFs::Node> ProcFs::fd_node(uint32_t pid, std::string_view rest) const {
  const Task* const found = task(pid);
  if (found->files == nullptr) {
    return fail(Errno::kENOENT);
  }
  const uint64_t first_inode = (uint64_t{pid} << kTaskInodeBits) + kFdInodes;
  Node node;
  node.ino = first_inode;
  if (rest.empty()) {
    node.mode = FileMode::kDirectory | 0500;
    for (uint32_t fd = 0; fd < found->files->entries().size(); ++fd) {
      if (found->files->get(fd) != nullptr) {
        node.items.push_back({std::to_string(fd), first_inode + 1 + fd, FileMode::kSymlink});
      }
    }
    return node;
  }
  uint32_t fd = 0;
  if (!parse_number(first_component(rest), fd) || found->files->get(fd) == nullptr) {
    return fail(Errno::kENOENT);
  }
  if (first_component(rest).size() != rest.size()) {
    return fail(Errno::kELOOP);
  }
  node.magic = found->files->share(fd);
  constexpr uint32_t kMayRead = 0500, kMayWrite = 0300;
  node.mode = FileMode::kSymlink | (node.magic->readable() ? kMayRead : 0) | (node.magic->writable() ? kMayWrite : 0);
  node.ino = first_inode + 1 + fd;
  node.target = {node.magic->path()->shown(), true};
  return node;
}

Status ProcFs::permission(const Caller& caller, const Node& node, uint32_t wanted) const {
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
  stat.size = node.magic != nullptr ? kMagicLinkSize : 0;
  return stat;
}

Result<FileStat> ProcFs::lstat(const Caller& caller, const std::string& path) {
  FL_TRY_ASSIGN(const Node node, find(caller, path));
  return stat_of(node);
}

Result<FileStat> ProcFs::stat_magic(const Caller& caller, const std::string& path) {
  FL_TRY_ASSIGN(const Node node, find(caller, path));
  return node.magic != nullptr ? node.magic->stat() : stat_of(node);
}

Result<LinkTarget> ProcFs::readlink(const Caller& caller, const std::string& path) {
  FL_TRY_ASSIGN(const Node node, find(caller, path));
  if ((node.mode & FileMode::kTypeMask) != FileMode::kSymlink) {
    return fail(Errno::kEINVAL);
  }
  return node.target;
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
      return ListDirectory::make(vfs_.memory(), status, request.path, stat_of(*node), node->items);
    case FileMode::kSymlink:
      if (node->magic == nullptr || (request.flags & OpenFlag::kNoFollow) != 0) {
        return fail(Errno::kELOOP);
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
