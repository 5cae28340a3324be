// HostInode: a regular file of the host with its page cache, one for each (device, inode) that is open, mapped or was
// recently; and the table of them. Linux counterparts: struct inode with i_data, the inode cache (fs/inode.c).
//
// read() and mmap of every open of the same file go through the same vm::Mapping. The size is remembered between host
// calls and asked again on open, stat, at the end of a read, and after writes. Simplified: another process of the host
// that changes a file while it is open is noticed at the next open only (except for growth).
#pragma once

#include <boost/intrusive/list.hpp>
#include <boost/intrusive/set.hpp>
#include <compare>
#include <cstdint>
#include <memory>
#include <span>

#include "guest/fs/file_stat.hpp"
#include "guest/fs/unique_fd.hpp"
#include "guest/fs/write_count.hpp"
#include "vm/cache/backing_store.hpp"
#include "vm/cache/mapping.hpp"
#include "vm/slab/stl_allocator.hpp"

namespace fl::vm {
class MemorySystem;
}

namespace fl::guest {

class FsCaches;

// A host descriptor that several owners keep open.
using SharedFd = std::shared_ptr<const UniqueFd>;

// The pages of a host file, by pread and pwrite.
class HostStore final : public vm::BackingStore {
 public:
  explicit HostStore(uint64_t inode) : inode_(inode) {}
  uint64_t size() const override { return size_; }
  uint64_t inode() const override { return inode_; }
  // Fills what the file no longer has with zeros.
  Status read_pages(uint64_t first, std::span<std::byte* const> pages) override;
  Status write_page(uint64_t index, std::span<const std::byte, 4096> bytes) override;

  void set_size(uint64_t bytes) { size_ = bytes; }
  // What the host says now; the size that is known if it says nothing.
  uint64_t host_size() const;
  void set_reader(SharedFd fd) { reader_ = std::move(fd); }
  void set_writer(SharedFd fd) { writer_ = std::move(fd); }
  bool has_reader() const { return reader_ != nullptr; }
  bool has_writer() const { return writer_ != nullptr; }

 private:
  SharedFd reader_, writer_;
  uint64_t size_ = 0;
  const uint64_t inode_;
};

struct HostInodeKey {
  uint64_t device = 0;
  uint64_t number = 0;
  static HostInodeKey of(const FileStat& stat) { return {stat.dev.word(), stat.ino}; }
  auto operator<=>(const HostInodeKey&) const = default;
};

// In the cache "ext4_inode_cache".
struct HostInode {
  // Throws std::bad_alloc, as FsCaches' makers expect.
  HostInode(vm::SlabAllocator& slab, HostInodeKey identity)
      : key(identity), store(std::allocate_shared<HostStore>(vm::SlabStlAllocator<HostStore>(slab), identity.number)) {}

  HostInodeKey key;
  std::shared_ptr<HostStore> store;
  std::shared_ptr<vm::Mapping> mapping;
  FileTime mtime, ctime;  // as last seen
  WriteCount writers;
  bool began_empty = false;  // when it was first seen: all that it has was written since, and is cached

  // The table's: it keeps the inode by `kept`, finds it by key, and knows the order of first use.
  std::shared_ptr<HostInode> kept;
  boost::intrusive::set_member_hook<> table_hook;
  boost::intrusive::list_member_hook<> order_hook;

  // The cached pages take what was written to the host file at `offset`. Linux: what generic_perform_write stores.
  void store_in_cache(vm::MemorySystem& memory, uint64_t offset, std::span<const std::byte> bytes);
  // The file has this size now. Where somebody on the host cut or extended it, the cached pages at its end follow.
  void adopt_size(uint64_t bytes);
  // Asks the host for the size.
  void refresh_size() { adopt_size(store->host_size()); }
  // The cached pages of a range take the host's bytes.
  void reread(uint64_t offset, uint64_t length);
  // These are its times now, by our own doing.
  void note_times(const FileStat& stat);
};

enum class FdUse : uint8_t { kRead, kWrite, kReadWrite };

class HostInodeTable {
 public:
  HostInodeTable(vm::MemorySystem& memory, FsCaches& caches) : memory_(memory), caches_(caches) {}
  ~HostInodeTable();
  HostInodeTable(const HostInodeTable&) = delete;
  HostInodeTable& operator=(const HostInodeTable&) = delete;

  // The inode of an open regular file, `stat` being fresh. Cached pages that the host has changed since are read again.
  // ENOMEM.
  Result<std::shared_ptr<HostInode>> acquire(const SharedFd& fd, FdUse use, const FileStat& stat);
  // The inode if it is in the table, else null.
  std::shared_ptr<HostInode> find(const HostInodeKey& key) const;
  // Gives the host what shared mappings stored. Linux: sync.
  void write_back_all();
  // Writes back and forgets the inodes that nobody uses, with their cached pages. Linux: drop_caches, 3.
  void drop_idle() { drop_oldest_idle(0); }
  // Inodes that nobody uses and that are kept for their cached pages.
  size_t idle() const;

 private:
  // Host descriptors and pages of files that were closed are kept for so many files. Linux's cache has no such bound.
  static constexpr size_t kMaxIdle = 64;
  struct KeyOf {
    using type = HostInodeKey;
    const type& operator()(const HostInode& inode) const { return inode.key; }
  };
  using ByKey = boost::intrusive::set<
      HostInode, boost::intrusive::member_hook<HostInode, boost::intrusive::set_member_hook<>, &HostInode::table_hook>,
      boost::intrusive::key_of_value<KeyOf>>;
  using ByAge =
      boost::intrusive::list<HostInode, boost::intrusive::member_hook<HostInode, boost::intrusive::list_member_hook<>,
                                                                      &HostInode::order_hook>>;
  static bool unused(const HostInode& inode);
  // So that at most `keep` are left.
  void drop_oldest_idle(size_t keep);

  void forget(HostInode& inode);

  vm::MemorySystem& memory_;
  FsCaches& caches_;
  ByKey by_key_;
  ByAge by_age_;
};

}  // namespace fl::guest
