// Making and freeing inodes and entries; rights and attributes. Linux counterparts: shmem_get_inode, shmem_evict_inode,
// fs/attr.c.
#include "guest/fs/tmpfs/tmpfs_inode.hpp"

#include <limits>
#include <vector>

#include "guest/fs/permission.hpp"
#include "guest/fs/tmpfs/seals.hpp"
#include "mmu/base/check.hpp"

namespace fl::guest {
namespace {

constexpr uint32_t kSetUid = 04000, kSetGid = 02000, kGroupExecute = 0010;
constexpr uint64_t kEntryBytes = 20;  // Linux: BOGO_DIRENT_SIZE
// Linux: MAX_LFS_FILESIZE of a 32-bit kernel.
constexpr uint64_t kMaxBytes = uint64_t{std::numeric_limits<uint32_t>::max()} << kPageShift;
constexpr uint32_t kUnchanged = std::numeric_limits<uint32_t>::max();

bool earlier_or_same(const FileTime& a, const FileTime& b) {
  return a.seconds < b.seconds || (a.seconds == b.seconds && a.nanoseconds <= b.nanoseconds);
}

bool in_group(const Credentials& cred, uint32_t gid) {
  return cred.fsgid == gid || std::find(cred.groups.begin(), cred.groups.end(), gid) != cred.groups.end();
}

}  // namespace

const Credentials& credentials_of(const Caller& caller) {
  static const Credentials kRoot;
  return caller.cred != nullptr ? *caller.cred : kRoot;
}

TmpfsInode::TmpfsInode(std::shared_ptr<TmpfsSuper> file_system, uint32_t mode_and_type, uint32_t owner, uint32_t group)
    : super(std::move(file_system)),
      ino(++super->last_ino),
      mode(mode_and_type),
      uid(owner),
      gid(group),
      pages(super->memory, super->space),
      seals(Seal::kSeal) {
  ++super->inodes;
  atime = mtime = ctime = btime = super->now();
  if (is_directory()) {
    nlink = 2;
    parent = this;
  }
}

TmpfsInode::~TmpfsInode() {
  // A tree is taken apart level by level, not by recursion: a guest may make it as deep as it likes.
  std::vector<std::shared_ptr<TmpfsInode>> doomed;
  for (TmpfsInode* directory = this; directory != nullptr;) {
    while (!directory->by_name.empty()) {
      TmpfsEntry& entry = *directory->by_name.begin();
      directory->take(entry);
      if (entry.inode->is_directory()) {
        doomed.push_back(entry.inode);
      }
      free_entry(*super, &entry);
    }
    // The directory that was emptied goes here, with nothing in it.
    while (!doomed.empty() && doomed.back()->by_name.empty()) {
      doomed.pop_back();
    }
    directory = doomed.empty() ? nullptr : doomed.back().get();
  }
  --super->inodes;
}

Result<std::shared_ptr<TmpfsInode>> TmpfsInode::make(const std::shared_ptr<TmpfsSuper>& super, uint32_t mode,
                                                     uint32_t uid, uint32_t gid) {
  if (super->max_inodes != 0 && super->inodes >= super->max_inodes) {
    return fail(Errno::kENOSPC);
  }
  try {
    return std::allocate_shared<TmpfsInode>(
        vm::SharedObjectAllocator<TmpfsInode>(super->memory.slab(), super->memory.caches().shmem_inode.cache()), super,
        mode, uid, gid);
  } catch (const std::bad_alloc&) {
    return fail(Errno::kENOSPC);
  }
}

FileStat TmpfsInode::stat() const {
  FileStat stat;
  stat.dev = super->device;
  stat.ino = ino;
  stat.mode = mode;
  stat.nlink = nlink;
  stat.uid = uid;
  stat.gid = gid;
  stat.blksize = kPageSize;
  stat.atime = atime;
  stat.mtime = mtime;
  stat.ctime = ctime;
  stat.btime = btime;
  stat.has_btime = true;
  constexpr uint64_t kBlocksPerPage = kPageSize / 512;
  switch (mode & FileMode::kTypeMask) {
    case FileMode::kRegular:
      stat.size = pages.size();
      stat.blocks = (pages.cached_pages() + pages.swapped_pages()) * kBlocksPerPage;
      break;
    case FileMode::kSymlink:
      stat.size = target.view().size();
      break;
    case FileMode::kDirectory:
      stat.size = (by_name.size() + 2) * kEntryBytes;
      break;
    default:
      break;
  }
  return stat;
}

Status TmpfsInode::permission(const Caller& caller, uint32_t wanted) const {
  FileStat rights;
  rights.mode = mode;
  rights.uid = uid;
  rights.gid = gid;
  return mode_allows(rights, credentials_of(caller), wanted, RootOverride::kYes) ? Status{} : fail(Errno::kEACCES);
}

bool TmpfsInode::owned_by(const Caller& caller) const {
  const Credentials& cred = credentials_of(caller);
  return cred.fsuid == uid || cred.fsuid == 0;
}

void TmpfsInode::touch_read() {
  const FileTime now = super->now();
  constexpr int64_t kDay = 24 * 60 * 60;
  if (earlier_or_same(atime, mtime) || earlier_or_same(atime, ctime) || now.seconds - atime.seconds >= kDay) {
    atime = now;
  }
}

Status TmpfsInode::chmod(const Caller& caller, uint32_t new_mode) {
  if (is(FileMode::kSymlink)) {
    return fail(Errno::kEOPNOTSUPP);
  }
  if (!owned_by(caller)) {
    return fail(Errno::kEPERM);
  }
  const Credentials& cred = credentials_of(caller);
  if (!in_group(cred, gid) && cred.fsuid != 0) {
    new_mode &= ~kSetGid;
  }
  mode = (mode & FileMode::kTypeMask) | (new_mode & FileMode::kPermissions);
  touch_changed();
  return {};
}

Status TmpfsInode::chown(const Caller& caller, uint32_t new_uid, uint32_t new_gid) {
  const Credentials& cred = credentials_of(caller);
  const bool uid_allowed = new_uid == kUnchanged || cred.fsuid == 0 || (cred.fsuid == uid && new_uid == uid);
  const bool gid_allowed =
      new_gid == kUnchanged || cred.fsuid == 0 || (cred.fsuid == uid && (new_gid == gid || in_group(cred, new_gid)));
  if (!uid_allowed || !gid_allowed) {
    return fail(Errno::kEPERM);
  }
  uid = new_uid == kUnchanged ? uid : new_uid;
  gid = new_gid == kUnchanged ? gid : new_gid;
  if (!is_directory()) {
    mode &= ~kSetUid;
    mode &= (mode & kGroupExecute) != 0 ? ~kSetGid : ~uint32_t{0};
  }
  touch_changed();
  return {};
}

Status TmpfsInode::set_times(const Caller& caller, const TimeChanges& times) {
  // Both "now" is what whoever may write may do; everything else is the owner's.
  const bool both_now =
      times.access.kind == TimeChange::Kind::kNow && times.modification.kind == TimeChange::Kind::kNow;
  if (!owned_by(caller)) {
    if (!both_now) {
      return fail(Errno::kEPERM);
    }
    FL_TRY(permission(caller, May::kWrite));
  }
  const FileTime now = super->now();
  const auto apply = [&now](const TimeChange& change, FileTime& time) {
    if (change.kind != TimeChange::Kind::kOmit) {
      time = change.kind == TimeChange::Kind::kNow ? now : change.time;
    }
  };
  apply(times.access, atime);
  apply(times.modification, mtime);
  ctime = now;
  return {};
}

Status TmpfsInode::resize(uint64_t bytes) {
  if (bytes > kMaxBytes) {
    return fail(Errno::kEFBIG);
  }
  const uint32_t forbidden = bytes < pages.size() ? Seal::kShrink : bytes > pages.size() ? Seal::kGrow : 0u;
  if ((seals & forbidden) != 0) {
    return fail(Errno::kEPERM);
  }
  pages.truncate(bytes);
  touch_modified();
  return {};
}

void TmpfsInode::remove_privileges(const Caller& caller) {
  if (credentials_of(caller).fsuid != 0) {
    mode &= ~kSetUid;
    mode &= (mode & kGroupExecute) != 0 ? ~kSetGid : ~uint32_t{0};
  }
}

TmpfsEntry* TmpfsInode::find(std::string_view name) {
  const auto found = by_name.find(name);
  return found == by_name.end() ? nullptr : &*found;
}

Result<TmpfsEntry*> TmpfsInode::make_entry(TmpfsSuper& super, std::string_view name,
                                           std::shared_ptr<TmpfsInode> inode) {
  FL_TRY_ASSIGN(SharedText text, SharedText::make(super.memory.slab(), name));
  vm::KmemCache& cache = super.caches.dentry.cache();
  static_assert(sizeof(TmpfsEntry) <= kDentryBytes);
  void* const place = super.memory.slab().kmem_cache_alloc(cache, vm::kGfpKernel);
  if (place == nullptr) {
    return fail(Errno::kENOMEM);
  }
  auto* const entry = new (place) TmpfsEntry;
  entry->text = std::move(text);
  entry->inode = std::move(inode);
  return entry;
}

void TmpfsInode::free_entry(TmpfsSuper& super, TmpfsEntry* entry) {
  entry->~TmpfsEntry();
  super.memory.slab().kmem_cache_free(super.caches.dentry.cache(), entry);
}

void TmpfsInode::insert(TmpfsEntry& entry) {
  entry.position = ++last_position;
  by_name.insert(entry);
  by_position.insert(entry);
  if (entry.inode->is_directory()) {
    ++nlink;
    entry.inode->parent = this;
  }
  touch_modified();
}

void TmpfsInode::take(TmpfsEntry& entry) {
  by_name.erase(by_name.iterator_to(entry));
  by_position.erase(by_position.iterator_to(entry));
  if (entry.inode->is_directory()) {
    --nlink;
    entry.inode->parent = entry.inode.get();
  }
  touch_modified();
}

}  // namespace fl::guest
