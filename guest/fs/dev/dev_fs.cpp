// The nodes of /dev. Device numbers: Linux's Documentation/admin-guide/devices.txt.
#include "guest/fs/dev/dev_fs.hpp"

#include <array>

#include "guest/fs/dev/memory_device.hpp"
#include "guest/fs/synthetic.hpp"

namespace fl::guest {
namespace {

constexpr DeviceNumber kDevDevice{0, 5};
constexpr uint64_t kRootInode = 1;
constexpr uint32_t kAnyone = 0666;

struct Node {
  std::string_view name;
  uint32_t mode;
  DeviceNumber rdev;
  std::string_view target;  // of a symbolic link
};

constexpr std::array<Node, 12> kNodes = {{
    {"fd", FileMode::kSymlink | 0777, {}, "/proc/self/fd"},
    {"full", FileMode::kCharacter | kAnyone, {1, 7}, ""},
    {"null", FileMode::kCharacter | kAnyone, {1, 3}, ""},
    {"pts", FileMode::kDirectory | 0755, {}, ""},
    {"random", FileMode::kCharacter | kAnyone, {1, 8}, ""},
    {"shm", FileMode::kDirectory | 01777, {}, ""},
    {"stderr", FileMode::kSymlink | 0777, {}, "/proc/self/fd/2"},
    {"stdin", FileMode::kSymlink | 0777, {}, "/proc/self/fd/0"},
    {"stdout", FileMode::kSymlink | 0777, {}, "/proc/self/fd/1"},
    {"tty", FileMode::kCharacter | kAnyone, {5, 0}, ""},
    {"urandom", FileMode::kCharacter | kAnyone, {1, 9}, ""},
    {"zero", FileMode::kCharacter | kAnyone, {1, 5}, ""},
}};

const Node* find_node(std::string_view path) {
  for (const Node& node : kNodes) {
    if (node.name == path) {
      return &node;
    }
  }
  return nullptr;
}

uint64_t inode_of(const Node& node) { return kRootInode + 1 + static_cast<uint64_t>(&node - kNodes.data()); }

FileStat stat_of(const Node& node) {
  FileStat stat = synthetic_stat(kDevDevice, inode_of(node), node.mode, {});
  stat.rdev = node.rdev;
  stat.size = node.target.size();
  return stat;
}

FileStat directory_stat(DeviceNumber device) {
  return synthetic_stat(device, kRootInode, FileMode::kDirectory | 0755, {});
}

// The error for a path of which no node is known: ENOTDIR below a device, ENOENT else.
Errno missing(std::string_view path) {
  const size_t slash = path.find('/');
  const Node* const first = slash == std::string_view::npos ? nullptr : find_node(path.substr(0, slash));
  if (first == nullptr || (first->mode & FileMode::kTypeMask) == FileMode::kDirectory) {
    return Errno::kENOENT;
  }
  return (first->mode & FileMode::kTypeMask) == FileMode::kSymlink ? Errno::kELOOP : Errno::kENOTDIR;
}

// What open() of a directory answers to flags that make no sense for one.
Status check_directory_flags(uint32_t flags) {
  if ((flags & OpenFlag::kCreate) != 0) {
    return fail((flags & OpenFlag::kExclusive) != 0 ? Errno::kEEXIST : Errno::kEISDIR);
  }
  return (flags & OpenFlag::kAccessMode) == OpenFlag::kReadOnly ? Status{} : fail(Errno::kEISDIR);
}

}  // namespace

Result<FileStat> DevFs::lstat(const Caller&, const std::string& path) {
  if (path.empty()) {
    return directory_stat(kDevDevice);
  }
  const Node* const node = find_node(path);
  return node != nullptr ? Result<FileStat>(stat_of(*node)) : fail(missing(path));
}

Result<LinkTarget> DevFs::readlink(const Caller& caller, const std::string& path) {
  FL_TRY(lstat(caller, path));
  const Node* const node = find_node(path);
  if (node == nullptr || node->target.empty()) {
    return fail(Errno::kEINVAL);
  }
  return LinkTarget{std::string(node->target), false};
}

Result<std::shared_ptr<OpenFile>> DevFs::open(const Caller& caller, const std::string& path,
                                              const OpenRequest& request) {
  const uint32_t status = request.flags & ~uint32_t{OpenFlag::kCreate | OpenFlag::kExclusive | OpenFlag::kNoCtty |
                                                    OpenFlag::kTruncate | OpenFlag::kCloseOnExec};
  const auto stat = lstat(caller, path);
  if (!stat) {
    const bool creates = stat.error() == Errno::kENOENT && (request.flags & OpenFlag::kCreate) != 0;
    return fail(creates ? Errno::kEACCES : stat.error());
  }
  if (stat->is_directory()) {
    FL_TRY(check_directory_flags(request.flags));
    std::vector<ListDirectory::Item> items;
    for (const Node& node : kNodes) {
      if (path.empty()) {
        items.push_back({std::string(node.name), inode_of(node), node.mode});
      }
    }
    return ListDirectory::make(memory_, status, request.path, *stat, items);
  }
  if (stat->is_symlink()) {
    return fail(Errno::kELOOP);
  }
  if ((request.flags & OpenFlag::kDirectory) != 0) {
    return fail(Errno::kENOTDIR);
  }
  if ((request.flags & OpenFlag::kCreate) != 0 && (request.flags & OpenFlag::kExclusive) != 0) {
    return fail(Errno::kEEXIST);
  }
  if (path == "tty") {
    return fail(Errno::kENXIO);
  }
  return make_memory_device(memory_, path, status, request.path, *stat, random_);
}

Status DevFs::access(const Caller& caller, const std::string& path, uint32_t mode) {
  FL_TRY_ASSIGN(const FileStat stat, lstat(caller, path));
  constexpr uint32_t kExecuteOk = 1;
  if ((mode & kExecuteOk) != 0 && !stat.is_directory()) {
    return fail(Errno::kEACCES);
  }
  return {};
}

Result<FsStat> DevFs::statfs(const std::string& path) {
  FL_TRY(lstat(Caller{}, path));
  return synthetic_statfs(kTmpfsMagic);
}

}  // namespace fl::guest
