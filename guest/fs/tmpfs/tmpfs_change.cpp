// Making, linking, renaming and removing. Linux counterparts: shmem_mknod, shmem_link, shmem_unlink, shmem_rename2;
// may_create, may_delete, vfs_rename (fs/namei.c).
#include <limits>

#include "guest/fs/path.hpp"
#include "guest/fs/permission.hpp"
#include "guest/fs/tmpfs/tmpfs.hpp"
#include "guest/fs/tmpfs/tmpfs_file.hpp"

namespace fl::guest {
namespace {

constexpr uint32_t kSticky = 01000, kSetGid = 02000;
constexpr uint32_t kRenameNoReplace = 1, kRenameExchange = 2;

// An entry that frees itself unless it is put into a directory.
class NewEntry {
 public:
  NewEntry(TmpfsSuper& super, TmpfsEntry* entry) : super_(super), entry_(entry) {}
  NewEntry(const NewEntry&) = delete;
  NewEntry& operator=(const NewEntry&) = delete;
  ~NewEntry() {
    if (entry_ != nullptr) {
      TmpfsInode::free_entry(super_, entry_);
    }
  }
  void insert_into(TmpfsInode& directory) { directory.insert(*std::exchange(entry_, nullptr)); }

 private:
  TmpfsSuper& super_;
  TmpfsEntry* entry_;
};

// What happens to an inode that loses a name.
void drop_link(TmpfsInode& inode) {
  inode.nlink = inode.is_directory() ? 0 : inode.nlink - 1;
  inode.touch_changed();
}

}  // namespace

Result<Tmpfs::Place> Tmpfs::place_for_new(const Caller& caller, std::string_view path) const {
  FL_TRY_ASSIGN(Place place, walk(caller, path));
  if (place.inode != nullptr) {
    return fail(Errno::kEEXIST);
  }
  FL_TRY(place.directory->permission(caller, May::kWrite | May::kExecute));
  return place;
}

Status Tmpfs::may_delete(const Caller& caller, const TmpfsInode& directory, const TmpfsEntry& entry, RemoveKind kind) {
  FL_TRY(directory.permission(caller, May::kWrite | May::kExecute));
  const Credentials& cred = credentials_of(caller);
  if ((directory.mode & kSticky) != 0 && cred.fsuid != entry.inode->uid && cred.fsuid != directory.uid &&
      cred.fsuid != 0) {
    return fail(Errno::kEPERM);
  }
  if (kind == RemoveKind::kDirectory) {
    if (!entry.inode->is_directory()) {
      return fail(Errno::kENOTDIR);
    }
  } else if (entry.inode->is_directory()) {
    return fail(Errno::kEISDIR);
  }
  return entry.pinned ? fail(Errno::kEBUSY) : Status{};
}

Result<std::shared_ptr<TmpfsInode>> Tmpfs::make_inode(const Caller& caller, const TmpfsInode& directory,
                                                      uint32_t mode) const {
  const Credentials& cred = credentials_of(caller);
  const bool inherits = (directory.mode & kSetGid) != 0;
  const bool is_directory = (mode & FileMode::kTypeMask) == FileMode::kDirectory;
  return TmpfsInode::make(super_, inherits && is_directory ? mode | kSetGid : mode, cred.fsuid,
                          inherits ? directory.gid : cred.fsgid);
}

Result<std::shared_ptr<TmpfsInode>> Tmpfs::make(const Caller& caller, const Place& place, uint32_t mode,
                                                std::string_view target) const {
  FL_TRY_ASSIGN(auto inode, make_inode(caller, *place.directory, mode));
  if (!target.empty()) {
    FL_TRY_ASSIGN(inode->target, SharedText::make(super_->memory.slab(), target));
  }
  FL_TRY_ASSIGN(TmpfsEntry* const entry, TmpfsInode::make_entry(*super_, place.name, inode));
  place.directory->insert(*entry);
  return inode;
}

Status Tmpfs::mkdir(const Caller& caller, const std::string& path, uint32_t mode) {
  FL_TRY_ASSIGN(const Place place, place_for_new(caller, path));
  FL_TRY(make(caller, place, FileMode::kDirectory | (mode & FileMode::kPermissions)));
  return {};
}

Status Tmpfs::mknod(const Caller& caller, const std::string& path, uint32_t mode) {
  FL_TRY_ASSIGN(const Place place, place_for_new(caller, path));
  const uint32_t type = mode & FileMode::kTypeMask;
  if (type == FileMode::kCharacter || type == FileMode::kBlock) {
    return fail(Errno::kEPERM);
  }
  FL_TRY(make(caller, place, mode));
  return {};
}

Status Tmpfs::symlink(const Caller& caller, const std::string& path, const std::string& target) {
  FL_TRY_ASSIGN(const Place place, place_for_new(caller, path));
  FL_TRY(make(caller, place, FileMode::kSymlink | 0777, target));
  return {};
}

Status Tmpfs::remove(const Caller& caller, const std::string& path, RemoveKind kind) {
  FL_TRY_ASSIGN(const Place place, walk(caller, path));
  if (place.inode == nullptr) {
    return fail(Errno::kENOENT);
  }
  if (place.directory == nullptr) {
    return fail(Errno::kEBUSY);
  }
  FL_TRY(may_delete(caller, *place.directory, *place.entry, kind));
  if (kind == RemoveKind::kDirectory && !place.inode->empty_directory()) {
    return fail(Errno::kENOTEMPTY);
  }
  place.directory->take(*place.entry);
  TmpfsInode::free_entry(*super_, place.entry);
  drop_link(*place.inode);
  return {};
}

Status Tmpfs::add_link(const Caller& caller, const std::shared_ptr<TmpfsInode>& inode, const std::string& to) {
  FL_TRY_ASSIGN(const Place place, place_for_new(caller, to));
  if (inode->is_directory()) {
    return fail(Errno::kEPERM);
  }
  if (inode->nlink == 0 && !inode->linkable) {
    return fail(Errno::kENOENT);
  }
  if (inode->nlink == std::numeric_limits<uint32_t>::max()) {
    return fail(Errno::kEMLINK);
  }
  FL_TRY_ASSIGN(TmpfsEntry* const entry, TmpfsInode::make_entry(*super_, place.name, inode));
  place.directory->insert(*entry);
  ++inode->nlink;
  inode->linkable = false;
  inode->touch_changed();
  return {};
}

Status Tmpfs::link(const Caller& caller, const std::string& from, const std::string& to) {
  FL_TRY_ASSIGN(const auto inode, find(caller, from));
  return add_link(caller, inode, to);
}

Status Tmpfs::link_file(const Caller& caller, OpenFile& file, const std::string& to) {
  const auto* const mine = dynamic_cast<TmpfsPath*>(&file);
  if (mine == nullptr || mine->inode()->super != super_) {
    return fail(Errno::kEXDEV);
  }
  return add_link(caller, mine->inode(), to);
}

Status Tmpfs::rename(const Caller& caller, const std::string& from, const std::string& to, uint32_t flags) {
  FL_TRY_ASSIGN(const Place source, walk(caller, from));
  FL_TRY_ASSIGN(const Place target, walk(caller, to));
  if (source.inode == nullptr) {
    return fail(Errno::kENOENT);
  }
  if (source.directory == nullptr || target.directory == nullptr) {
    return fail(Errno::kEBUSY);
  }
  const bool exchange = (flags & kRenameExchange) != 0;
  if ((flags & kRenameNoReplace) != 0 && target.inode != nullptr) {
    return fail(Errno::kEEXIST);
  }
  if (exchange && target.inode == nullptr) {
    return fail(Errno::kENOENT);
  }
  if (from != to && path_is_below(to, from)) {
    return fail(Errno::kEINVAL);
  }
  if (from != to && path_is_below(from, to)) {
    return fail(exchange ? Errno::kEINVAL : Errno::kENOTEMPTY);
  }
  if (source.inode == target.inode) {
    return {};
  }
  const auto kind_of = [](const TmpfsInode& inode) {
    return inode.is_directory() ? RemoveKind::kDirectory : RemoveKind::kFile;
  };
  FL_TRY(may_delete(caller, *source.directory, *source.entry, kind_of(*source.inode)));
  if (target.inode == nullptr) {
    FL_TRY(target.directory->permission(caller, May::kWrite | May::kExecute));
  } else {
    FL_TRY(may_delete(caller, *target.directory, *target.entry, kind_of(exchange ? *target.inode : *source.inode)));
  }
  // A directory that moves gets another "..".
  if (source.directory != target.directory) {
    if (source.inode->is_directory()) {
      FL_TRY(source.inode->permission(caller, May::kWrite));
    }
    if (exchange && target.inode->is_directory()) {
      FL_TRY(target.inode->permission(caller, May::kWrite));
    }
  }
  if (!exchange && target.inode != nullptr && target.inode->is_directory() && !target.inode->empty_directory()) {
    return fail(Errno::kENOTEMPTY);
  }

  // New entries for both, so that nothing can fail half-way.
  FL_TRY_ASSIGN(TmpfsEntry* const moved, TmpfsInode::make_entry(*super_, target.name, source.inode));
  NewEntry new_target(*super_, moved);
  TmpfsEntry* back = nullptr;
  if (exchange) {
    FL_TRY_ASSIGN(back, TmpfsInode::make_entry(*super_, source.name, target.inode));
  }
  NewEntry new_source(*super_, back);
  source.directory->take(*source.entry);
  TmpfsInode::free_entry(*super_, source.entry);
  if (target.entry != nullptr) {
    target.directory->take(*target.entry);
    TmpfsInode::free_entry(*super_, target.entry);
  }
  new_target.insert_into(*target.directory);
  source.inode->touch_changed();
  if (exchange) {
    new_source.insert_into(*source.directory);
    target.inode->touch_changed();
  } else if (target.inode != nullptr) {
    drop_link(*target.inode);
  }
  return {};
}

Status Tmpfs::chmod(const Caller& caller, const std::string& path, uint32_t mode) {
  FL_TRY_ASSIGN(const auto inode, find(caller, path));
  return inode->chmod(caller, mode);
}

Status Tmpfs::chown(const Caller& caller, const std::string& path, uint32_t uid, uint32_t gid) {
  FL_TRY_ASSIGN(const auto inode, find(caller, path));
  return inode->chown(caller, uid, gid);
}

Status Tmpfs::truncate(const Caller& caller, const std::string& path, uint64_t size) {
  FL_TRY_ASSIGN(const auto inode, find(caller, path));
  FL_TRY(inode->permission(caller, May::kWrite));
  return inode->resize(size);
}

Status Tmpfs::set_times(const Caller& caller, const std::string& path, const TimeChanges& times) {
  FL_TRY_ASSIGN(const auto inode, find(caller, path));
  return inode->set_times(caller, times);
}

}  // namespace fl::guest
