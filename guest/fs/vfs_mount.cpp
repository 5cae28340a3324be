// What is mounted where. Linux counterparts: fs/namespace.c, the mounts that an init makes.
//
// A place below the tmpfs on /tmp at which the host's files are to be seen is mounted too, as a bind mount would be:
// the tmpfs has a directory (or file) there that cannot be removed.
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>

#include "guest/fs/path.hpp"
#include "guest/fs/proc/proc_fs.hpp"
#include "guest/fs/sys/sys_fs.hpp"
#include "guest/fs/vfs.hpp"
#include "guest/kernel.hpp"
#include "guest/time/coarse_clock.hpp"

namespace fl::guest {
namespace {

constexpr DeviceNumber kUnnamedDevice{0, 1};
constexpr uint32_t kFirstTmpfsDevice = 25;

// The time as file systems know it: that of the last tick. Linux: ktime_get_coarse_real_ts64.
FileTime coarse_now(Kernel* kernel) {
  if (kernel == nullptr) {
    return {};
  }
  const uint64_t ns = kernel->time().wall_start_ns() + kernel->time().now_ns() / kTickNs * kTickNs;
  return {static_cast<int64_t>(ns / kNsPerSecond), static_cast<uint32_t>(ns % kNsPerSecond)};
}

}  // namespace

Status Vfs::mount(std::unique_ptr<HostRoot> root) {
  FL_TRY_ASSIGN(root_, make_path("/"));
  FL_TRY(vm::with_memory([&] {
    unnamed_files_ = std::allocate_shared<TmpfsSuper>(
        vm::SlabStlAllocator<TmpfsSuper>(memory_.slab()),
        TmpfsSuper{memory_, caches_, kUnnamedDevice, {}, 0, [this] { return coarse_now(kernel_); }});
  }));
  auto proc = std::make_shared<ProcFs>(*this);
  auto host = std::make_shared<HostFs>(memory_, caches_, std::move(root));
  proc_ = proc.get();
  host_ = host.get();
  mounts_.push_back({"", "ext4", std::move(host), "", false});
  mounts_.push_back({"/sys", "sysfs", std::make_shared<SysFs>(memory_)});
  mounts_.push_back({"/dev", "devtmpfs", std::make_shared<DevFs>(memory_, [this](std::span<std::byte> to) {
                       if (kernel_ != nullptr) {
                         kernel_->random_bytes(to);
                       }
                     })});
  mounts_.push_back({"/proc", "proc", std::move(proc)});
  FL_TRY(mount_tmpfs("/dev/shm"));
  const auto granted = [this](const std::string& place) {
    return std::any_of(options_.host.writable.begin(), options_.host.writable.end(), [&](const std::string& directory) {
      const auto path = host_->root().guest_path(directory);
      return path && "/" + *path == place;
    });
  };
  if (options_.tmp == TmpKind::kTmpfs && !granted("/tmp")) {
    FL_TRY(mount_tmpfs("/tmp"));
  }
  for (const std::string& directory : options_.host.writable) {
    bind_host(directory);
  }
  for (const std::string& path : options_.shown) {
    bind_host(path);
  }
  std::stable_sort(mounts_.begin(), mounts_.end(),
                   [](const Mount& a, const Mount& b) { return a.path.size() > b.path.size(); });
  return {};
}

Status Vfs::mount_tmpfs(const std::string& path) {
  const auto minor = static_cast<uint32_t>(kFirstTmpfsDevice + tmpfs_.size());
  FL_TRY_ASSIGN(auto made,
                Tmpfs::create(memory_, caches_, DeviceNumber{0, minor}, [this] { return coarse_now(kernel_); }));
  std::shared_ptr<Tmpfs> tmpfs = std::move(made);
  tmpfs_.push_back(tmpfs.get());
  mounts_.push_back({path, "tmpfs", std::move(tmpfs)});
  return {};
}

// Where the host's path lies below a tmpfs, the host's file is mounted there; the name itself is not followed if it is
// a symbolic link, so that it is found by it. Nothing happens for the tmpfs's own root, for what is shown already, and
// for what is not there.
void Vfs::bind_host(const std::string& host_path) {
  const std::string_view given = without_trailing_slashes(host_path);
  const size_t slash = given.rfind('/');
  const std::string directory = slash == std::string_view::npos ? "." : std::string(given.substr(0, slash + 1));
  const std::string name(slash == std::string_view::npos ? given : given.substr(slash + 1));
  const bool named = last_component(given) == LastComponent::kNormal;
  auto path = host_->root().guest_path(named ? directory : std::string(given));
  if (!path) {
    return;
  }
  if (named) {
    *path = path->empty() ? name : *path + "/" + name;
  }
  const auto stat = host_->lstat({}, *path);
  if (!stat) {
    return;
  }
  const std::string full = "/" + *path;
  for (size_t i = 0; i < tmpfs_.size(); ++i) {
    const auto mount =
        std::find_if(mounts_.begin(), mounts_.end(), [&](const Mount& each) { return each.fs.get() == tmpfs_[i]; });
    if (full == mount->path || !path_is_below(full, mount->path)) {
      continue;
    }
    const bool shown = std::any_of(mounts_.begin(), mounts_.end(), [&](const Mount& each) {
      return each.fs.get() == host_ && !each.path.empty() && path_is_below(full, each.path);
    });
    const FileMode::Bit type = stat->is_directory() ? FileMode::kDirectory : FileMode::kRegular;
    if (!shown && tmpfs_[i]->make_mount_point(full.substr(mount->path.size() + 1), type)) {
      const auto host =
          std::find_if(mounts_.begin(), mounts_.end(), [this](const Mount& each) { return each.fs.get() == host_; });
      mounts_.push_back({full, "ext4", host->fs, *path, host_->root().writable(*path)});
    }
  }
}

void Vfs::drop_caches() { host_->inodes().drop_idle(); }

void Vfs::empty_tmpfs() {
  for (Tmpfs* const tmpfs : tmpfs_) {
    tmpfs->clear();
  }
}

Vfs::Spot Vfs::spot(std::string full) const {
  // The last one is the root, to which everything belongs.
  const auto mount =
      std::find_if(mounts_.begin(), mounts_.end(), [&](const Mount& each) { return path_is_below(full, each.path); });
  const size_t skip = mount->path.size();
  std::string path = mount->fs_path;
  if (full.size() > skip) {
    path += path.empty() ? full.substr(skip + 1) : full.substr(skip);
  }
  return {&*mount, mount->fs.get(), std::move(path), std::move(full), false};
}

}  // namespace fl::guest
