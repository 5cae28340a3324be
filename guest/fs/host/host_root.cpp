// Opening files of the host below descriptors, and judging what was opened. Source: openat2(2), statfs(2),
// path_resolution(7).
#include "guest/fs/host/host_root.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>

namespace fl::guest {
namespace {

constexpr uint64_t kResolve = RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS;

// File systems through which the host's kernel is looked at or controlled (linux/magic.h).
constexpr std::array<uint32_t, 21> kKernelFileSystems = {
    0x00009fa0,  // proc
    0x62656572,  // sysfs
    0x00001cd1,  // devpts
    0x64626720,  // debugfs
    0x74726163,  // tracefs
    0x73636673,  // securityfs
    0x0027e0eb,  // cgroup
    0x63677270,  // cgroup2
    0xcafe4a11,  // bpf
    0x6165676c,  // pstore
    0xde5e81e4,  // efivarfs
    0x62656570,  // configfs
    0xf97cff8c,  // selinuxfs
    0x43415d53,  // smackfs
    0x19800202,  // mqueue
    0x42494e4d,  // binfmt_misc
    0x6e736673,  // nsfs
    0x65735543,  // fusectl
    0x67596969,  // rpc_pipefs
    0x6e667364,  // nfsd
    0x00000187,  // autofs: touching it mounts things
};

bool is_kernel_file_system(uint32_t magic) {
  for (const uint32_t known : kKernelFileSystems) {
    if (known == magic) {
      return true;
    }
  }
  return false;
}

// openat2 answers EAGAIN when a rename or mount raced with it; a guest must not see that.
Result<UniqueFd> open_at(int dir, const std::string& path, int flags, uint32_t mode, uint64_t resolve) {
  open_how how{};
  how.flags = static_cast<uint64_t>(flags) | O_CLOEXEC;
  how.mode = mode;
  how.resolve = resolve;
  const char* const name = path.empty() ? "." : path.c_str();
  constexpr int kTries = 64;
  for (int i = 0; i < kTries; ++i) {
    const long fd = ::syscall(SYS_openat2, dir, name, &how, sizeof how);
    if (fd >= 0) {
      return UniqueFd(static_cast<int>(fd));
    }
    if (errno != EAGAIN && errno != EINTR) {
      break;
    }
  }
  return fail(errno_from_host(errno));
}

// `path` is `directory` or lies below it; both canonical.
bool is_below(std::string_view path, std::string_view directory) {
  return directory.empty() ||
         (path.starts_with(directory) && (path.size() == directory.size() || path[directory.size()] == '/'));
}

std::string below(const std::string& path, const std::string& directory) {
  if (directory.empty()) {
    return path;
  }
  return path.size() == directory.size() ? "" : path.substr(directory.size() + 1);
}

std::string host_error(const char* what, const std::string& path) {
  return fmt::format("{} {}: {}", what, path, std::strerror(errno));
}

}  // namespace

NoHostUmask::NoHostUmask() : old_(::umask(0)) {}
NoHostUmask::~NoHostUmask() { ::umask(old_); }

tl::expected<std::unique_ptr<HostRoot>, std::string> HostRoot::open(const HostRootOptions& options) {
  std::array<char, PATH_MAX> real{};
  if (::realpath(options.root.c_str(), real.data()) == nullptr) {
    return tl::unexpected(host_error("--root", options.root));
  }
  UniqueFd fd(::open(real.data(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) {
    return tl::unexpected(host_error("--root", options.root));
  }
  const auto probe = open_at(fd.get(), "", O_PATH | O_DIRECTORY, 0, kResolve | RESOLVE_IN_ROOT);
  if (!probe) {
    return tl::unexpected(
        fmt::format("openat2(2) does not work here ({}): Linux 5.6 or newer is needed, and a container's "
                    "seccomp filter must let it through",
                    errno_name(probe.error())));
  }
  std::unique_ptr<HostRoot> root(new HostRoot(std::move(fd), real.data()));
  root->forbid_kernel_mounts();
  for (const std::string& directory : options.writable) {
    if (auto added = root->add_writable(directory); !added) {
      return tl::unexpected(added.error());
    }
  }
  return root;
}

tl::expected<void, std::string> HostRoot::add_writable(const std::string& directory) {
  const auto path = guest_path(directory);
  if (!path) {
    return tl::unexpected(path.error() == Errno::kEXDEV
                              ? fmt::format("--rw {}: not inside --root {}", directory, root_path_)
                              : fmt::format("--rw {}: {}", directory, errno_name(path.error())));
  }
  auto fd = open_below_root(*path, O_PATH | O_DIRECTORY);
  if (!fd) {
    return tl::unexpected(fmt::format("--rw {}: {}", directory, errno_name(fd.error())));
  }
  writable_.push_back({*path, std::move(*fd)});
  return {};
}

// devtmpfs looks like any tmpfs by its magic, and a container's /dev is one: they are known by their device number.
// Where /dev is an ordinary directory of the root's own file system there is nothing to tell apart; devices in it are
// refused by their type.
void HostRoot::forbid_kernel_mounts() {
  struct stat own {};
  if (::fstat(root_.get(), &own) != 0) {
    return;
  }
  struct stat slash {};
  const bool have_slash = ::stat("/", &slash) == 0;
  for (const char* path : {"/proc", "/sys", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue"}) {
    struct statx mount {};
    if (::statx(AT_FDCWD, path, AT_NO_AUTOMOUNT, STATX_BASIC_STATS, &mount) != 0) {
      continue;
    }
    const dev_t device = makedev(mount.stx_dev_major, mount.stx_dev_minor);
    if (device != own.st_dev && !(have_slash && device == slash.st_dev)) {
      device_allowed_[DeviceNumber{mount.stx_dev_major, mount.stx_dev_minor}.word()] = false;
    }
  }
}

Result<std::string> HostRoot::guest_path(const std::string& host_path) const {
  std::array<char, PATH_MAX> real{};
  if (::realpath(host_path.c_str(), real.data()) == nullptr) {
    return fail(errno_from_host(errno));
  }
  const std::string path = real.data();
  const std::string root = root_path_ == "/" ? "" : root_path_;
  if (!is_below(path, root)) {
    return fail(Errno::kEXDEV);
  }
  return path.size() <= root.size() + 1 ? "" : path.substr(root.size() + 1);
}

const HostRoot::Writable* HostRoot::writable_for(std::string_view path) const {
  for (const Writable& directory : writable_) {
    if (is_below(path, directory.path)) {
      return &directory;
    }
  }
  return nullptr;
}

std::vector<std::string> HostRoot::writable_directories() const {
  std::vector<std::string> paths;
  for (const Writable& directory : writable_) {
    paths.push_back(directory.path);
  }
  return paths;
}

bool HostRoot::writable(std::string_view path) const { return writable_for(path) != nullptr; }

Result<UniqueFd> HostRoot::open_below_root(const std::string& path, int flags) const {
  return open_at(root_.get(), path, flags, 0, kResolve | RESOLVE_IN_ROOT);
}

Status HostRoot::check_place(int fd, const FileStat& stat) {
  const auto known = device_allowed_.find(stat.dev.word());
  if (known != device_allowed_.end()) {
    return known->second ? Status{} : fail(Errno::kEACCES);
  }
  struct statfs fs {};
  if (::fstatfs(fd, &fs) != 0) {
    return fail(errno_from_host(errno));
  }
  const bool allowed = !is_kernel_file_system(static_cast<uint32_t>(fs.f_type));
  device_allowed_[stat.dev.word()] = allowed;
  return allowed ? Status{} : fail(Errno::kEACCES);
}

Result<HostRoot::Node> HostRoot::checked(UniqueFd fd) {
  FL_TRY_ASSIGN(const FileStat stat, stat_host_fd(fd.get()));
  FL_TRY(check_place(fd.get(), stat));
  return Node{std::move(fd), stat};
}

Result<HostRoot::Node> HostRoot::find(const std::string& path) {
  FL_TRY_ASSIGN(UniqueFd fd, open_below_root(path, O_PATH | O_NOFOLLOW));
  return checked(std::move(fd));
}

Result<HostRoot::Node> HostRoot::open_file(const std::string& path, int flags) {
  // Looked at first without opening: opening a FIFO or a device does something to whoever is at its other end.
  FL_TRY_ASSIGN(const Node seen, find(path));
  switch (seen.stat.type()) {
    case FileMode::kRegular:
    case FileMode::kDirectory:
      break;
    case FileMode::kSymlink:
      return fail(Errno::kELOOP);
    case FileMode::kSocket:
      return fail(Errno::kENXIO);
    default:
      return fail(Errno::kEACCES);
  }
  flags |= O_NONBLOCK | O_NOCTTY | O_NOFOLLOW;
  Result<UniqueFd> fd;
  if ((flags & O_ACCMODE) == O_RDONLY) {
    fd = open_below_root(path, flags);
  } else {
    if (seen.stat.is_directory()) {
      return fail(Errno::kEISDIR);
    }
    const Writable* const place = writable_for(path);
    if (place == nullptr) {
      return fail(Errno::kEROFS);
    }
    fd = open_at(place->fd.get(), below(path, place->path), flags, 0, kResolve | RESOLVE_BENEATH);
  }
  if (!fd) {
    return fail(fd.error());
  }
  // Somebody on the host may have replaced it in between.
  FL_TRY_ASSIGN(Node node, checked(std::move(*fd)));
  if (node.stat.type() != seen.stat.type()) {
    return fail(Errno::kEACCES);
  }
  return node;
}

Result<HostRoot::Node> HostRoot::create_file(const std::string& path, int flags, uint32_t mode) {
  FL_TRY_ASSIGN(const Parent parent, writable_parent(path));
  const NoHostUmask exact_mode;
  FL_TRY_ASSIGN(UniqueFd fd,
                open_at(parent.dir.get(), parent.name, (flags & ~O_ACCMODE) | O_RDWR | O_CREAT | O_EXCL | O_NOCTTY,
                        mode & FileMode::kPermissions, kResolve | RESOLVE_BENEATH));
  return checked(std::move(fd));
}

Result<HostRoot::Parent> HostRoot::writable_parent(const std::string& path) {
  const Writable* const place = writable_for(path);
  if (place == nullptr || path == place->path) {
    return fail(Errno::kEROFS);
  }
  const std::string rest = below(path, place->path);
  const size_t slash = rest.rfind('/');
  const std::string directory = slash == std::string::npos ? "" : rest.substr(0, slash);
  FL_TRY_ASSIGN(UniqueFd fd, open_at(place->fd.get(), directory, O_PATH | O_DIRECTORY, 0, kResolve | RESOLVE_BENEATH));
  FL_TRY_ASSIGN(Node node, checked(std::move(fd)));
  return Parent{std::move(node.fd), slash == std::string::npos ? rest : rest.substr(slash + 1)};
}

}  // namespace fl::guest
