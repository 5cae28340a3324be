// Finding and opening. Linux counterparts: link_path_walk, do_open, may_open, do_tmpfile.
#include "guest/fs/tmpfs/tmpfs.hpp"

#include <algorithm>
#include <vector>

#include "guest/fs/path.hpp"
#include "guest/fs/permission.hpp"
#include "guest/fs/tmpfs/tmpfs_fifo.hpp"
#include "guest/fs/tmpfs/tmpfs_file.hpp"
#include "vm/info/totals.hpp"

namespace fl::guest {
namespace {

constexpr size_t kNameMax = 255;
constexpr uint32_t kRootMode = FileMode::kDirectory | 01777;
constexpr uint32_t kMountPointMode = 0755;

}  // namespace

Result<std::unique_ptr<Tmpfs>> Tmpfs::create(vm::MemorySystem& memory, FsCaches& caches, DeviceNumber device,
                                             std::function<FileTime()> now) {
  // Linux: shmem_default_max_blocks, shmem_default_max_inodes.
  const vm::MemoryTotals ram = vm::memory_totals(memory);
  const uint64_t half = ram.managed / 2;
  std::shared_ptr<TmpfsSuper> super;
  FL_TRY(vm::with_memory([&] {
    super = std::allocate_shared<TmpfsSuper>(vm::SlabStlAllocator<TmpfsSuper>(memory.slab()),
                                             TmpfsSuper{memory,
                                                        caches,
                                                        device,
                                                        {.limit = half},
                                                        std::min<uint64_t>(half, ram.managed - ram.high_managed),
                                                        std::move(now)});
  }));
  FL_TRY_ASSIGN(auto root, TmpfsInode::make(super, kRootMode, 0, 0));
  return std::unique_ptr<Tmpfs>(new Tmpfs(std::move(super), std::move(root)));
}

Result<Tmpfs::Place> Tmpfs::walk(const Caller& caller, std::string_view path) const {
  Place place;
  place.inode = root_;
  while (true) {
    const std::string_view name = next_component(path);
    if (name.empty()) {
      return place;
    }
    if (place.inode == nullptr) {
      return fail(Errno::kENOENT);
    }
    if (place.inode->is(FileMode::kSymlink)) {
      return fail(Errno::kELOOP);
    }
    if (!place.inode->is_directory()) {
      return fail(Errno::kENOTDIR);
    }
    FL_TRY(place.inode->permission(caller, May::kExecute));
    if (name.size() > kNameMax) {
      return fail(Errno::kENAMETOOLONG);
    }
    place.directory = std::move(place.inode);
    place.name = name;
    place.entry = place.directory->find(name);
    place.inode = place.entry != nullptr ? place.entry->inode : nullptr;
  }
}

Result<std::shared_ptr<TmpfsInode>> Tmpfs::find(const Caller& caller, std::string_view path) const {
  FL_TRY_ASSIGN(Place place, walk(caller, path));
  return place.inode != nullptr ? Result<std::shared_ptr<TmpfsInode>>(std::move(place.inode)) : fail(Errno::kENOENT);
}

Result<FileStat> Tmpfs::lstat(const Caller& caller, const std::string& path) {
  FL_TRY_ASSIGN(const auto inode, find(caller, path));
  return inode->stat();
}

Result<LinkTarget> Tmpfs::readlink(const Caller& caller, const std::string& path) {
  FL_TRY_ASSIGN(const auto inode, find(caller, path));
  if (!inode->is(FileMode::kSymlink)) {
    return fail(Errno::kEINVAL);
  }
  inode->touch_read();
  return LinkTarget{std::string(inode->target.view()), false};
}

Status Tmpfs::access(const Caller& caller, const std::string& path, uint32_t mode) {
  FL_TRY_ASSIGN(const auto inode, find(caller, path));
  return mode == 0 ? Status{} : inode->permission(caller, mode);
}

Result<FsStat> Tmpfs::statfs(const std::string& path) {
  FL_TRY(find(Caller{}, path));
  return tmpfs_statfs(*super_);
}

Result<std::shared_ptr<const void>> Tmpfs::socket_at(const Caller& caller, const std::string& path) {
  FL_TRY_ASSIGN(auto inode, find(caller, path));
  FL_TRY(inode->permission(caller, May::kWrite));
  return inode->is(FileMode::kSocket) ? Result<std::shared_ptr<const void>>(std::move(inode))
                                      : fail(Errno::kECONNREFUSED);
}

Result<std::shared_ptr<OpenFile>> Tmpfs::open(const Caller& caller, const std::string& path,
                                              const OpenRequest& request) {
  const uint32_t flags = request.flags;
  if ((flags & OpenFlag::kTmpFileBit) != 0) {
    return open_unnamed(caller, path, request);
  }
  FL_TRY_ASSIGN(const Place place, walk(caller, path));
  const bool creates = (flags & OpenFlag::kCreate) != 0;
  if (place.inode != nullptr) {
    if (creates && (flags & OpenFlag::kExclusive) != 0) {
      return fail(Errno::kEEXIST);
    }
    if (creates && place.inode->is_directory()) {
      return fail(Errno::kEISDIR);
    }
    return open_inode(caller, place.inode, request, false);
  }
  if (!creates) {
    return fail(Errno::kENOENT);
  }
  FL_TRY(place.directory->permission(caller, May::kWrite | May::kExecute));
  FL_TRY_ASSIGN(const auto inode, make(caller, place, FileMode::kRegular | (request.mode & FileMode::kPermissions)));
  auto file = open_inode(caller, inode, request, true);
  if (!file) {
    // The name must not stay behind a call that failed.
    TmpfsEntry* const entry = place.directory->find(place.name);
    place.directory->take(*entry);
    TmpfsInode::free_entry(*super_, entry);
    inode->nlink = 0;
  }
  return file;
}

// Linux: do_tmpfile, shmem_tmpfile.
Result<std::shared_ptr<OpenFile>> Tmpfs::open_unnamed(const Caller& caller, const std::string& path,
                                                      const OpenRequest& request) {
  FL_TRY_ASSIGN(const auto directory, find(caller, path));
  if (directory->is(FileMode::kSymlink)) {
    return fail(Errno::kELOOP);
  }
  if (!directory->is_directory()) {
    return fail(Errno::kENOTDIR);
  }
  FL_TRY(directory->permission(caller, May::kWrite | May::kExecute));
  FL_TRY_ASSIGN(const auto inode,
                make_inode(caller, *directory, FileMode::kRegular | (request.mode & FileMode::kPermissions)));
  inode->nlink = 0;
  inode->linkable = (request.flags & OpenFlag::kExclusive) == 0;
  FL_TRY_ASSIGN(SharedText name, SharedText::make(super_->memory.slab(), std::string(request.path->text()) + "/#" +
                                                                             std::to_string(inode->ino)));
  request.path->name = std::move(name);
  request.path->deleted = true;
  return open_inode(caller, inode, request, true);
}

Result<std::shared_ptr<OpenFile>> Tmpfs::open_inode(const Caller& caller, const std::shared_ptr<TmpfsInode>& inode,
                                                    const OpenRequest& request, bool created) {
  vm::MemorySystem& memory = super_->memory;
  const uint32_t flags = request.flags;
  const uint32_t status = flags & ~uint32_t{OpenFlag::kCreate | OpenFlag::kExclusive | OpenFlag::kNoCtty |
                                            OpenFlag::kTruncate | OpenFlag::kCloseOnExec | OpenFlag::kTmpFileBit};
  const bool path_only = (flags & OpenFlag::kPath) != 0;
  if (inode->is(FileMode::kSymlink) && !(path_only && (flags & OpenFlag::kNoFollow) != 0)) {
    return fail(Errno::kELOOP);
  }
  if ((flags & OpenFlag::kDirectory) != 0 && !inode->is_directory() && (flags & OpenFlag::kTmpFileBit) == 0) {
    return fail(Errno::kENOTDIR);
  }
  if (path_only) {
    return make_file<TmpfsPath>(memory, status, request.path, inode);
  }
  const bool writes = (flags & OpenFlag::kAccessMode) != OpenFlag::kReadOnly || (flags & OpenFlag::kTruncate) != 0;
  if (inode->is_directory() && writes) {
    return fail(Errno::kEISDIR);
  }
  if (!created) {
    const uint32_t truncates = (flags & OpenFlag::kTruncate) != 0 ? uint32_t{May::kWrite} : 0;
    FL_TRY(inode->permission(caller, wanted_by_open(flags) | truncates));
  }
  if ((flags & OpenFlag::kNoAtime) != 0 && !inode->owned_by(caller)) {
    return fail(Errno::kEPERM);
  }
  switch (inode->mode & FileMode::kTypeMask) {
    case FileMode::kDirectory:
      return make_file<TmpfsDirectory>(memory, status, request.path, inode);
    case FileMode::kFifo: {
      FL_TRY_ASSIGN(auto ring, open_ring(memory, flags, inode->pipe));
      return make_file<TmpfsFifo>(memory, status, request.path, inode, std::move(ring));
    }
    case FileMode::kSocket:
      return fail(Errno::kENXIO);
    default: {
      WriteClaim claim;
      if (writes) {
        FL_TRY_ASSIGN(claim, WriteClaim::take(inode->writers, WriteClaim::Kind::kWrite));
      }
      FL_TRY_ASSIGN(auto file, make_file<TmpfsFile>(memory, status, request.path, inode, std::move(claim)));
      if ((flags & OpenFlag::kTruncate) != 0 && !created) {
        FL_TRY(inode->resize(0));
      }
      return file;
    }
  }
}

Status Tmpfs::make_mount_point(std::string_view path, FileMode::Bit type) {
  std::shared_ptr<TmpfsInode> directory = root_;
  while (true) {
    const std::string_view name = next_component(path);
    const bool last = !has_component(path);
    TmpfsEntry* entry = directory->find(name);
    if (entry == nullptr) {
      const uint32_t mode = last ? type | kMountPointMode : FileMode::kDirectory | kMountPointMode;
      FL_TRY(make({}, {directory, name, nullptr, nullptr}, mode));
      entry = directory->find(name);
    }
    entry->pinned = true;
    if (last) {
      return {};
    }
    directory = entry->inode;
    if (!directory->is_directory()) {
      return fail(Errno::kENOTDIR);
    }
  }
}

void Tmpfs::date_boot_inodes() {
  std::vector<std::shared_ptr<TmpfsInode>> inodes{root_};
  while (!inodes.empty()) {
    const std::shared_ptr<TmpfsInode> inode = std::move(inodes.back());
    inodes.pop_back();
    inode->atime = inode->mtime = inode->ctime = inode->btime = super_->now();
    for (const TmpfsEntry& entry : inode->by_name) {
      inodes.push_back(entry.inode);
    }
  }
}

void Tmpfs::clear() {
  std::vector<std::shared_ptr<TmpfsInode>> directories{root_};
  while (!directories.empty()) {
    const std::shared_ptr<TmpfsInode> directory = std::move(directories.back());
    directories.pop_back();
    for (auto next = directory->by_name.begin(); next != directory->by_name.end();) {
      TmpfsEntry& entry = *next++;
      if (!entry.pinned) {
        directory->take(entry);
        TmpfsInode::free_entry(*super_, &entry);
      } else if (entry.inode->is_directory()) {
        directories.push_back(entry.inode);
      }
    }
  }
}

}  // namespace fl::guest
