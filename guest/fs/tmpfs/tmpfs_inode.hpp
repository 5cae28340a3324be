// TmpfsInode: a file, directory, symbolic link, FIFO or socket of a tmpfs, with all that it has: the pages of a file,
// the entries of a directory. Linux counterparts: struct shmem_inode_info, struct dentry, struct shmem_sb_info
// (mm/shmem.c), fs/libfs.c.
//
// Inodes are objects of "shmem_inode_cache", entries of "dentry", names are kmalloc'd. An inode lives as long as an
// entry or an open file has it; its pages then are given back.
#pragma once

#include <boost/intrusive/set.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "guest/fs/file_stat.hpp"
#include "guest/fs/file_system.hpp"
#include "guest/fs/fs_caches.hpp"
#include "guest/fs/open_file.hpp"
#include "guest/fs/shared_text.hpp"
#include "vm/cache/mapping.hpp"

namespace fl::guest {

class PipeBuffer;
struct TmpfsInode;

// What a mounted tmpfs has of its own. Linux: struct shmem_sb_info.
struct TmpfsSuper {
  vm::MemorySystem& memory;
  FsCaches& caches;
  DeviceNumber device;
  vm::ShmemSpace space;  // pages of files
  uint64_t max_inodes;   // 0: no limit. Hard links count, as each keeps an entry in memory
  std::function<FileTime()> now;
  uint64_t inodes = 0;
  uint64_t last_ino = 0;
};

// An entry of a directory. Linux: struct dentry.
struct TmpfsEntry {
  SharedText text;
  std::shared_ptr<TmpfsInode> inode;
  uint64_t position = 0;  // in the directory's list; unique, later entries have higher ones
  bool pinned = false;    // something is mounted here or below: it cannot be removed or renamed

  std::string_view name() const { return text.view(); }
  boost::intrusive::set_member_hook<> name_hook;
  boost::intrusive::set_member_hook<> position_hook;
};

struct TmpfsInode : std::enable_shared_from_this<TmpfsInode> {
  // Takes one of the file system's inodes; its maker has checked that there is one.
  TmpfsInode(std::shared_ptr<TmpfsSuper> file_system, uint32_t mode_and_type, uint32_t owner, uint32_t group);
  TmpfsInode(const TmpfsInode&) = delete;
  TmpfsInode& operator=(const TmpfsInode&) = delete;
  // Also of its entries, should it be a directory that has any.
  ~TmpfsInode();
  // ENOSPC: there are as many as there may be, or (as Linux says) no memory. Linux: shmem_get_inode.
  static Result<std::shared_ptr<TmpfsInode>> make(const std::shared_ptr<TmpfsSuper>& super, uint32_t mode, uint32_t uid,
                                                  uint32_t gid);

  WriteCount writers;
  bool is(FileMode::Bit type) const { return (mode & FileMode::kTypeMask) == type; }
  bool is_directory() const { return is(FileMode::kDirectory); }
  FileStat stat() const;
  // R, W, X bits of May. EACCES. Linux: inode_permission.
  Status permission(const Caller& caller, uint32_t wanted) const;
  // Owner or user 0. Linux: inode_owner_or_capable.
  bool owned_by(const Caller& caller) const;
  void touch_changed() { ctime = super->now(); }
  void touch_modified() { mtime = ctime = super->now(); }
  // Linux: touch_atime with relatime.
  void touch_read();

  // --- changing attributes: notify_change, setattr_prepare ---
  Status chmod(const Caller& caller, uint32_t new_mode);
  Status chown(const Caller& caller, uint32_t new_uid, uint32_t new_gid);
  Status set_times(const Caller& caller, const TimeChanges& times);
  // Without any check of rights. EFBIG, EPERM (seals).
  Status resize(uint64_t bytes);
  // What a write by somebody else than user 0 does to set-user-id bits. Linux: file_remove_privs.
  void remove_privileges(const Caller& caller);

  // --- directories ---
  TmpfsEntry* find(std::string_view name);
  // A new entry, not in the directory yet. ENOMEM.
  static Result<TmpfsEntry*> make_entry(TmpfsSuper& super, std::string_view name, std::shared_ptr<TmpfsInode> inode);
  static void free_entry(TmpfsSuper& super, TmpfsEntry* entry);
  // Puts an entry in, takes it out (it is the caller's then). They keep sizes, link counts of directories and `parent`.
  void insert(TmpfsEntry& entry);
  void take(TmpfsEntry& entry);
  bool empty_directory() const { return by_name.empty(); }

  std::shared_ptr<TmpfsSuper> super;
  uint64_t ino;
  uint32_t mode;  // with the type
  uint32_t nlink = 1;
  uint32_t uid, gid;
  FileTime atime, mtime, ctime, btime;

  vm::Mapping pages;               // of a regular file
  uint32_t seals;                  // F_SEAL_*
  bool linkable = false;           // made by O_TMPFILE: may be given a first name
  SharedText target;               // of a symbolic link
  std::weak_ptr<PipeBuffer> pipe;  // of a FIFO, while somebody has it open

  struct ByName {
    using type = std::string_view;
    type operator()(const TmpfsEntry& entry) const { return entry.name(); }
  };
  struct ByPosition {
    using type = uint64_t;
    type operator()(const TmpfsEntry& entry) const { return entry.position; }
  };
  boost::intrusive::set<
      TmpfsEntry,
      boost::intrusive::member_hook<TmpfsEntry, boost::intrusive::set_member_hook<>, &TmpfsEntry::name_hook>,
      boost::intrusive::key_of_value<ByName>>
      by_name;
  boost::intrusive::set<
      TmpfsEntry,
      boost::intrusive::member_hook<TmpfsEntry, boost::intrusive::set_member_hook<>, &TmpfsEntry::position_hook>,
      boost::intrusive::key_of_value<ByPosition>>
      by_position;
  uint64_t last_position = 2;    // 0 and 1 are "." and ".."
  TmpfsInode* parent = nullptr;  // of a directory that is in one; the root's is itself
};

// The rights of somebody who has none given: user 0.
const Credentials& credentials_of(const Caller& caller);

}  // namespace fl::guest
