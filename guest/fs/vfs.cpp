// Walking paths, opening and asking. Linux counterparts: path_lookupat, path_openat, vfs_statx.
#include "guest/fs/vfs.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <climits>
#include <csignal>
#include <limits>

#include "guest/fs/path.hpp"
#include "guest/fs/proc/proc_fs.hpp"
#include "guest/fs/sys/sys_fs.hpp"
#include "guest/fs/vfs_apply.hpp"
#include "guest/kernel.hpp"

namespace fl::guest {

tl::expected<std::unique_ptr<Vfs>, std::string> Vfs::create(vm::MemorySystem& memory, VfsOptions options) {
  auto root = HostRoot::open(options.host);
  if (!root) {
    return tl::unexpected(root.error());
  }
  std::unique_ptr<Vfs> vfs(new Vfs(memory, std::move(options)));
  if (!vfs->mount(std::move(*root))) {
    return tl::unexpected(std::string("no memory: give more --ram"));
  }
  return vfs;
}

Vfs::Vfs(vm::MemorySystem& memory, VfsOptions options)
    : memory_(memory), caches_(memory.slab()), locks_(memory.slab()), options_(std::move(options)) {
  caches_.locks = &locks_;
}

Vfs::~Vfs() = default;

void Vfs::set_kernel(Kernel* kernel) {
  const bool boots = kernel_ == nullptr && kernel != nullptr;
  kernel_ = kernel;
  proc_->set_kernel(kernel);
  if (boots) {
    for (Tmpfs* const tmpfs : tmpfs_) {
      tmpfs->date_boot_inodes();
    }
  }
  host_poller_.set_alone(kernel != nullptr ? std::function<bool()>([kernel] { return kernel->alone(); }) : nullptr);
}

Result<std::shared_ptr<LivePath>> Vfs::make_path(std::string_view text) {
  FL_TRY_ASSIGN(SharedText name, SharedText::make(caches_.slab(), text.empty() ? "/" : text));
  FL_TRY_ASSIGN(auto path, make_shared_object(caches_.dentry, std::move(name)));
  live_paths_.push_back(*path);
  return path;
}

Status Vfs::open_stdio(FdTable& files) {
  // A pipe that nobody reads must be an answer (EPIPE), and so must a limit of the file size (EFBIG): not our own end.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  for (uint32_t place = 0; place < options_.standard_files.size(); ++place) {
    const int fd = options_.standard_files[place];
    std::array<char, PATH_MAX> name{};
    const ssize_t length = ::readlink(fmt::format("/proc/self/fd/{}", fd).c_str(), name.data(), name.size());
    FL_TRY_ASSIGN(auto path, make_path(length > 0 ? std::string_view(name.data(), static_cast<size_t>(length))
                                                  : "anon_inode:[stdio]"));
    auto stream = HostStream::adopt(fd, memory_, host_->inodes(), std::move(path), options_.stop, host_poller_);
    if (!stream && stream.error() == Errno::kEBADF) {
      continue;
    }
    FL_TRY(stream);
    FL_TRY(files.install_at(place, std::move(*stream), CloseOnExec::kNo, std::numeric_limits<uint64_t>::max()));
  }
  return {};
}

Result<std::shared_ptr<FsContext>> Vfs::initial_context() {
  std::array<char, PATH_MAX> host{};
  std::string directory;
  if (::getcwd(host.data(), host.size()) != nullptr) {
    const At root{root_, {}};
    const auto path = host_->root().guest_path(host.data());
    if (path && !path->empty() && this->directory(root, "/" + *path)) {
      directory = "/" + *path;
    }
  }
  const mode_t mask = ::umask(0);
  ::umask(mask);
  FL_TRY_ASSIGN(auto cwd, make_path(directory));
  return make_shared_object(caches_.fs, caches_, std::move(cwd), mask);
}

// The canonical path at which a walk begins; "" is the root. From a directory that was removed only its parent can be
// had.
Result<std::string> Vfs::start(const At& at, std::string_view path) {
  if (path.empty()) {
    return fail(Errno::kENOENT);
  }
  if (path.front() == '/' || at.directory->text() == "/") {
    return std::string();
  }
  if (at.directory->deleted && next_component(path) != "..") {
    return fail(Errno::kENOENT);
  }
  return std::string(at.directory->text());
}

Result<Vfs::Spot> Vfs::walk(const At& at, std::string_view path, Follow follow, LastMayBeMissing missing) const {
  FL_TRY_ASSIGN(std::string current, start(at, path));
  return walk_from(at, std::move(current), path, follow, missing, {});
}

Result<Vfs::Spot> Vfs::walk_from(const At& at, std::string current, std::string_view path, Follow follow,
                                 LastMayBeMissing missing, const Scope& scope) const {
  std::string pending(path);
  std::string_view rest = pending;
  int links = 0;
  const bool scoped = scope.has(Resolve::kBeneath | Resolve::kInRoot);
  const auto check_mount = [&scope](const Spot& spot) -> Status {
    return scope.has(Resolve::kNoXdev) && spot.mount != scope.mount ? fail(Errno::kEXDEV) : Status{};
  };
  while (true) {
    const std::string_view name = next_component(rest);
    if (name.empty()) {
      return spot(std::move(current));
    }
    if (name == ".") {
      continue;
    }
    if (name == "..") {
      if (scoped && current == scope.root) {
        if (scope.has(Resolve::kBeneath)) {
          return fail(Errno::kEXDEV);
        }
        continue;
      }
      current = parent_of(current);
      FL_TRY(check_mount(spot(current)));
      continue;
    }
    const bool last = !has_component(rest);
    const bool must_be_directory = !rest.empty();
    Spot next = spot(fmt::format("{}/{}", current, name));
    const auto stat = next.fs->lstat(at.caller, next.path);
    if (!stat) {
      if (stat.error() == Errno::kENOENT && last && missing == LastMayBeMissing::kYes) {
        return next;
      }
      return fail(stat.error());
    }
    FL_TRY(check_mount(next));
    if (stat->is_symlink() && (!last || must_be_directory || follow == Follow::kYes)) {
      if (++links > kMaxSymlinks || scope.has(Resolve::kNoSymlinks)) {
        return fail(Errno::kELOOP);
      }
      FL_TRY_ASSIGN(const LinkTarget target, next.fs->readlink(at.caller, next.path));
      if (target.magic && scope.has(Resolve::kNoMagicLinks)) {
        return fail(Errno::kELOOP);
      }
      if (target.magic && (scoped || scope.has(Resolve::kNoXdev))) {
        return fail(Errno::kEXDEV);
      }
      if (target.magic && last && !must_be_directory) {
        next.magic = true;
        return next;
      }
      if (target.text.empty()) {
        return fail(Errno::kENOENT);
      }
      if (target.text.front() == '/') {
        if (scope.has(Resolve::kBeneath)) {
          return fail(Errno::kEXDEV);
        }
        current = scope.root;
        FL_TRY(check_mount(spot(current)));
      }
      std::string longer = fmt::format("{}{}", target.text, rest);
      pending.swap(longer);  // `rest` was a view of what now is `longer`
      rest = pending;
      continue;
    }
    if (must_be_directory && !stat->is_directory()) {
      return fail(Errno::kENOTDIR);
    }
    current = std::move(next.full);
  }
}

Result<std::shared_ptr<OpenFile>> Vfs::open_scoped(const At& at, std::string_view path, uint32_t flags, uint32_t mode,
                                                   uint32_t resolve) {
  if (path.empty()) {
    return fail(Errno::kENOENT);
  }
  Scope scope;
  scope.resolve = resolve;
  std::string current;
  if (scope.has(Resolve::kBeneath | Resolve::kInRoot)) {
    if (path.front() == '/' && scope.has(Resolve::kBeneath)) {
      return fail(Errno::kEXDEV);
    }
    const std::string_view text = at.directory->text();
    scope.root = text == "/" ? "" : std::string(text);
    current = scope.root;
  } else {
    FL_TRY_ASSIGN(current, start(at, path));
  }
  scope.mount = spot(current).mount;
  const bool creates = (flags & OpenFlag::kCreate) != 0;
  const bool stays = (flags & OpenFlag::kNoFollow) != 0 || (creates && (flags & OpenFlag::kExclusive) != 0);
  FL_TRY_ASSIGN(const Spot place, walk_from(at, std::move(current), path, stays ? Follow::kNo : Follow::kYes,
                                            creates ? LastMayBeMissing::kYes : LastMayBeMissing::kNo, scope));
  if (creates && (path.ends_with('/') || last_component(path) != LastComponent::kNormal)) {
    return fail(Errno::kEISDIR);
  }
  FL_TRY_ASSIGN(auto live, make_path(place.full));
  return place.fs->open(at.caller, place.path, {flags, mode, std::move(live)});
}

// The place that an operation works on which does not know links: what a magic link leads to, if that is in the tree
// (else EROFS). A final symbolic link that shall be followed is the walk's work: ELOOP.
Result<Vfs::Spot> Vfs::settle(const At& at, const Spot& spot, Follow follow) const {
  if (spot.magic) {
    FL_TRY_ASSIGN(const LinkTarget target, spot.fs->readlink(at.caller, spot.path));
    return target.text.starts_with('/') ? walk(at, target.text, Follow::kNo, LastMayBeMissing::kNo)
                                        : fail(Errno::kEROFS);
  }
  if (follow == Follow::kYes) {
    FL_TRY_ASSIGN(const FileStat stat, spot.fs->lstat(at.caller, spot.path));
    if (stat.is_symlink()) {
      return fail(Errno::kELOOP);
    }
  }
  return spot;
}

Result<std::shared_ptr<OpenFile>> Vfs::open(const At& at, std::string_view path, uint32_t flags, uint32_t mode) {
  const bool creates = (flags & OpenFlag::kCreate) != 0;
  if ((flags & OpenFlag::kTmpFileBit) != 0) {
    return apply(at, path, Follow::kYes, LastMayBeMissing::kNo,
                 [&](const Spot& place) -> Result<std::shared_ptr<OpenFile>> {
                   FL_TRY(place.fs->check_unnamed_files(at.caller, place.path));
                   FL_TRY_ASSIGN(auto live, make_path(place.full));
                   return place.fs->open(at.caller, place.path, {flags, mode, std::move(live)});
                 });
  }
  if (creates && (path.ends_with('/') || last_component(path) != LastComponent::kNormal)) {
    FL_TRY(walk(at, path, Follow::kYes, LastMayBeMissing::kYes));
    return fail(Errno::kEISDIR);
  }
  const bool stays = (flags & OpenFlag::kNoFollow) != 0 || (creates && (flags & OpenFlag::kExclusive) != 0);
  const auto missing = creates ? LastMayBeMissing::kYes : LastMayBeMissing::kNo;
  auto file = apply(at, path, stays ? Follow::kNo : Follow::kYes, missing,
                    [&](const Spot& place) -> Result<std::shared_ptr<OpenFile>> {
                      FL_TRY_ASSIGN(auto live, make_path(place.full));
                      return place.fs->open(at.caller, place.path, {flags, mode, std::move(live)});
                    });
  constexpr uint64_t kMaxWithoutLargeFile = std::numeric_limits<int32_t>::max();
  if (file && (flags & uint32_t{OpenFlag::kLargeFile | OpenFlag::kPath}) == 0) {
    FL_TRY_ASSIGN(const FileStat stat, (*file)->stat());
    if (stat.is_regular() && stat.size > kMaxWithoutLargeFile) {
      return fail(Errno::kEOVERFLOW);
    }
  }
  return file;
}

Result<std::shared_ptr<OpenFile>> Vfs::open_exec(const At& at, std::string_view path, Follow follow) {
  constexpr uint32_t kExecuteOk = 1;
  FL_TRY_ASSIGN(const FileStat stat, this->stat(at, path, follow));
  if (stat.is_symlink()) {
    return fail(Errno::kELOOP);
  }
  if (!stat.is_regular()) {
    return fail(Errno::kEACCES);
  }
  FL_TRY(access(at, path, kExecuteOk, Follow::kYes));
  return open(at, path, OpenFlag::kReadOnly | OpenFlag::kLargeFile, 0);
}

Result<FileStat> Vfs::stat(const At& at, std::string_view path, Follow follow) {
  return apply(at, path, follow, LastMayBeMissing::kNo, [&](const Spot& place) -> Result<FileStat> {
    if (place.magic) {
      return place.fs->stat_magic(at.caller, place.path);
    }
    FL_TRY_ASSIGN(const FileStat stat, place.fs->lstat(at.caller, place.path));
    if (follow == Follow::kYes && stat.is_symlink()) {
      return fail(Errno::kELOOP);
    }
    return stat;
  });
}

Result<std::string> Vfs::readlink(const At& at, std::string_view path) {
  return apply(at, path, Follow::kNo, LastMayBeMissing::kNo, [&](const Spot& place) -> Result<std::string> {
    FL_TRY_ASSIGN(LinkTarget target, place.fs->readlink(at.caller, place.path));
    return std::move(target.text);
  });
}

Status Vfs::access(const At& at, std::string_view path, uint32_t mode, Follow follow) {
  return apply(at, path, follow, LastMayBeMissing::kNo, [&](const Spot& place) -> Status {
    FL_TRY_ASSIGN(const Spot target, settle(at, place, follow));
    return target.fs->access(at.caller, target.path, mode);
  });
}

Result<FsStat> Vfs::statfs(const At& at, std::string_view path) {
  return apply(at, path, Follow::kYes, LastMayBeMissing::kNo, [&](const Spot& place) -> Result<FsStat> {
    FL_TRY_ASSIGN(const Spot target, settle(at, place, Follow::kYes));
    return target.fs->statfs(target.path);
  });
}

Result<std::shared_ptr<LivePath>> Vfs::directory(const At& at, std::string_view path) {
  constexpr uint32_t kExecuteOk = 1;
  return apply(at, path, Follow::kYes, LastMayBeMissing::kNo,
               [&](const Spot& place) -> Result<std::shared_ptr<LivePath>> {
                 FL_TRY_ASSIGN(const Spot target, settle(at, place, Follow::kYes));
                 FL_TRY_ASSIGN(const FileStat stat, target.fs->lstat(at.caller, target.path));
                 if (!stat.is_directory()) {
                   return fail(Errno::kENOTDIR);
                 }
                 FL_TRY(target.fs->access(at.caller, target.path, kExecuteOk));
                 return make_path(target.full);
               });
}

}  // namespace fl::guest
