// Mapping: the cached pages of one file, shared by read(), write() and every mmap of it. Linux: struct address_space.
//
// A host file's pages count as cached from the start ("warm"): a frame is taken when a page is first needed, and that
// is not a major fault; one that reclaim took has to be read again, which is. Where the page cache starts cold, or was
// emptied (drop_caches, POSIX_FADV_DONTNEED), absent pages are on the disk only (must_read). What is read is in memory
// at once, and in flight until the disk would have brought it. A mapping without a backing store is shared memory
// (tmpfs, MAP_SHARED|MAP_ANONYMOUS, memfd, System V): its pages exist once touched, in memory or in swap, and live as
// long as the mapping.
//
// Lives in a cache of inodes (KernelCaches); its kernel address is Page::mapping of its pages.
#pragma once

#include <algorithm>
#include <boost/intrusive/list.hpp>
#include <cstdint>
#include <memory>
#include <span>

#include "mmu/base/addr.hpp"
#include "mmu/base/result.hpp"
#include "vm/cache/backing_store.hpp"
#include "vm/cache/page_tree.hpp"
#include "vm/cache/readahead.hpp"
#include "vm/mm/vm_area.hpp"
#include "vm/slab/stl_allocator.hpp"
#include "vm/swap/swap_entry.hpp"

namespace fl::vm {

class MemorySystem;
struct Page;

// How many pages the shared memory of one file system may have. Linux: shmem_sb_info's max_blocks and used_blocks.
struct ShmemSpace {
  uint64_t limit = UINT64_MAX;
  uint64_t used = 0;
};

// What of shared memory is charged to the commit limit: its size from the start, or each page that is made. Linux:
// shmem_acct_size, shmem_acct_blocks (VM_NORESERVE).
enum class ShmemCharge : uint8_t { kBySize, kByPage };
enum class ZapCopies : bool;

// Pages that one request asks of a store at once.
inline constexpr uint32_t kReadPages = 32;

class Mapping {
 public:
  // Passed to the constructor, which the cache must be able to call.
  class Key {
    friend class Mapping;
    Key() = default;
  };
  // Pages of a file. ENOMEM.
  static Result<std::shared_ptr<Mapping>> for_file(MemorySystem& memory, std::shared_ptr<BackingStore> store);
  // Shared memory of `bytes` bytes. ENOMEM.
  static Result<std::shared_ptr<Mapping>> for_shmem(MemorySystem& memory, uint64_t bytes,
                                                    ShmemCharge charge = ShmemCharge::kByPage);
  Mapping(Key, MemorySystem& memory, std::shared_ptr<BackingStore> store, uint64_t shmem_bytes, ShmemCharge charge);
  // Shared memory as part of a larger inode in slab memory (tmpfs). Its pages count in `space`, which outlives it.
  Mapping(MemorySystem& memory, ShmemSpace& space);
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  // Writes dirty pages back (errors are logged) and frees all. No area may map it any more.
  ~Mapping();

  bool is_shmem() const { return store_ == nullptr; }
  uint64_t size() const { return is_shmem() ? shmem_size_ : store_->size(); }
  uint64_t pages() const { return pages_for(size()); }
  // Shared memory only: pages that are charged to the commit limit.
  uint64_t committed_pages() const {
    return !is_shmem()                       ? 0
           : charge_ == ShmemCharge::kBySize ? pages_for(shmem_size_)
                                             : uint64_t{tree_.size()} + tree_.values();
  }
  uint32_t cached_pages() const { return tree_.size(); }
  // Pages that must be written back.
  bool is_dirty(uint64_t index) const { return tree_.has_tag(index, PageTag::kDirty); }
  uint32_t dirty_pages() const { return tree_.tagged(PageTag::kDirty); }
  // The pages in memory. Linux: i_pages.
  PageTree& tree() { return tree_; }
  const PageTree& tree() const { return tree_; }

  // The frame of a page that is in memory now. kNoPage: none. Linux: filemap_get_folio.
  uint32_t find(uint64_t index) const { return tree_.find(index); }
  // Whether get would find it without waiting: it counts as cached. Linux: mincore_page.
  bool in_memory(uint64_t index) const {
    return index < pages() && (is_shmem() ? find_uptodate(index) != kNoPage : !must_read(index));
  }
  // The frame of a page that is in memory and has contents. kNoPage: none.
  uint32_t find_uptodate(uint64_t index) const;

  // --- pages of a file that are on the disk only; vm/cache/readahead.hpp decides what is read when ---
  // From now on those of [first, last] that are absent are. A file remembers one such range, which grows.
  void forget_cached(uint64_t first, uint64_t last);
  // All of them are, if the machine's page cache is cold.
  void start_cold();
  bool must_read(uint64_t index) const {
    return index < pages() && !is_shmem() && find(index) == kNoPage &&
           ((first_cold_ <= index && index <= last_cold_) || tree_.find_value(index).has_value());
  }
  // Reads those of [first, first + count) that must be, as far as there is memory, and marks the one `lookahead` pages
  // before the end. Linux: page_cache_ra_unbounded.
  void read_ahead(uint64_t first, uint32_t count, uint32_t lookahead);
  // The page's frame if a fault may map it beside another: it has contents, no mark, and is not in flight. kNoPage: it
  // may not. Linux: next_uptodate_folio.
  uint32_t find_mappable(uint64_t index) const;
  // Whether the page is in memory and has the mark.
  bool has_readahead(uint64_t index) const;
  void clear_readahead(uint64_t index);
  // Whether the disk has not brought it yet. Linux: a page that is locked and not up to date.
  bool in_flight(uint64_t index) const { return !in_flight_.empty() && arrives(index) != 0; }
  // Waits for the disk if so, and says that it was so. Linux: folio_wait_locked.
  bool wait_for(uint64_t index);
  const Readahead& readahead() const;

  // The frame of page `index`, brought in (with up to `ahead` - 1 following absent pages in the same request) or, for
  // shared memory, made. Of a file it takes no time. EFAULT beyond the end; EIO; ENOMEM, EFBIG; ENOSPC (also if no more
  // may be promised). Linux: filemap_get_folio, shmem_get_folio.
  // `waited`, if not null, tells whether swap had to be waited for.
  Result<Pfn> get(uint64_t index, uint32_t ahead = 1, bool* waited = nullptr);
  // Shared memory only: the page is there from now on, also beyond the end. One that is made has no contents until it
  // is got, written or allocated again. Linux: shmem_get_folio(SGP_FALLOC).
  Result<Pfn> allocate(uint64_t index, bool* waited = nullptr);
  // Shared memory: pages that are in swap. Linux: shmem_inode_info's swapped.
  uint32_t swapped_pages() const { return is_shmem() ? tree_.values() : 0; }
  uint32_t swapped_pages(uint64_t first, uint64_t last) const;
  // Shared memory: whether the page exists, in memory or in swap; whether it has contents; the first that has at or
  // after `from`.
  bool exists(uint64_t index) const { return find(index) != kNoPage || tree_.find_value(index).has_value(); }
  bool holds(uint64_t index) const { return find_uptodate(index) != kNoPage || tree_.find_value(index).has_value(); }
  std::optional<uint32_t> next_held(uint64_t from) const;

  // Copies file bytes through the cache; stops at the end of the file. Returns the bytes copied. With the state of the
  // open file it reads ahead. Linux: filemap_read. EIO or ENOMEM only if nothing was copied.
  Result<uint32_t> read(uint64_t offset, std::span<std::byte> to, FileRaState* ra = nullptr);
  // Shared memory only: stores bytes, growing the size. Linux: shmem's write.
  Result<uint32_t> write_shmem(uint64_t offset, std::span<const std::byte> from);
  // The store was written behind the cache (write(2) on a host file): cached pages in the range are read again from it.
  Status reload(uint64_t offset, uint64_t length);
  // The file has `bytes` bytes from now on: pages beyond are unmapped everywhere and dropped, the last one's tail
  // zeroed. The backing store itself has been cut by the caller. Linux: truncate_pagecache.
  void truncate(uint64_t bytes);
  // Shared memory only: bytes inside one page become zeros, if it is in memory.
  void zero(uint64_t offset, uint32_t length);
  // Pages [first, last] are unmapped everywhere, but for private copies, and dropped; those of shared memory read as
  // zeros. Of a store the caller has made the hole, and written dirty pages back before. Linux:
  // truncate_pagecache_range.
  void punch_hole(uint64_t first, uint64_t last);

  // A shared writable mapping stored into the page: it must be written back. Linux: folio_mark_dirty.
  void mark_dirty(Pfn pfn);
  // Writes dirty pages of the page range [first, last] back and makes their entries read-only again (rule G2).
  Status write_back(uint64_t first, uint64_t last);

  // --- for reclaim; the page is not mapped ---
  // Takes a clean page out of the cache and leaves its shadow (vm/reclaim/workingset.hpp).
  void evict(uint32_t index, uint32_t shadow);
  // Forgets when its pages were evicted. Not for shared memory.
  void forget_shadows();
  // Writes a dirty page back.
  Status write_out(uint32_t index) { return write_page(index); }
  // Shared memory only: the page leaves the file for the swap cache, dirty; its slot takes its place. False: there is
  // no slot, and nothing has changed. Linux: shmem_writepage.
  bool move_to_swap(uint32_t index);
  // Takes an unmapped page without dirt and without other users out of the cache. False: it is not such a page. Linux:
  // mapping_evict_folio.
  bool invalidate(uint32_t index);
  // Does so with those of [first, last], all of which are on the disk only then; how many. Not for shared memory.
  // Linux: invalidate_mapping_pages.
  uint32_t drop_unused(uint64_t first, uint64_t last);

  // The areas that map this file.
  using Areas = boost::intrusive::list<
      VmArea, boost::intrusive::member_hook<VmArea, boost::intrusive::list_member_hook<>, &VmArea::file_hook>>;
  Areas& areas() { return areas_; }

  // Names the file in the keys of its futexes; given by the first. Linux: i_sequence of the inode.
  uint64_t sequence = 0;

  // PageCache's list of mappings. Linux: sb->s_inodes.
  boost::intrusive::list_member_hook<> cache_hook;

 private:
  // Takes a frame with one reference into the tree and the cache. ENOMEM, EFBIG: the frame is still the caller's.
  Status insert(uint64_t index, Pfn pfn);
  // Forgets and frees the page; it must be there and unmapped.
  void erase(uint32_t index);
  uint32_t find_partial(uint64_t index);
  // Brings a page of shared memory back from swap. Linux: shmem_swapin_folio.
  Result<Pfn> swap_in(uint32_t index, SwapEntry entry, bool* waited);
  // Forgets values of pages [first, last]: shadows, or slots of swapped pages, which are freed.
  void drop_values(uint64_t first, uint64_t last);
  // What is left of try_to_unuse: all pages that are in this area of swap. Linux: shmem_unuse_inode.
  friend class SwapCache;
  // Of pages [first, last], those in memory; all mappings of the range are undone before.
  void drop_range(uint64_t first, uint64_t last, ZapCopies copies);
  Status write_page(uint32_t index);
  // Takes frames for pages [index, index + wanted) as far as they are absent and there is memory, and reads them; how
  // many. EIO, ENOMEM: none.
  Result<uint32_t> bring_in(uint64_t index, uint32_t wanted);
  // When the disk brings the page; 0: it has.
  uint64_t arrives(uint64_t index) const;
  // Calls visit(area, first address, end address) for every area that maps a page of [first, last].
  template <typename Visit>
  void for_each_mapped_range(uint64_t first, uint64_t last, Visit&& visit);

  MemorySystem& memory_;
  std::shared_ptr<BackingStore> store_;
  uint64_t shmem_size_ = 0;
  ShmemSpace* space_ = nullptr;  // null: no limit
  ShmemCharge charge_ = ShmemCharge::kByPage;
  // What has been asked of the disk.
  struct InFlight {
    uint64_t first;
    uint32_t pages;
    uint64_t done;  // as RequestQueue::now counts
  };
  SlabVector<InFlight> in_flight_;
  uint64_t first_cold_ = 1, last_cold_ = 0;  // forget_cached; none
  PageTree tree_;
  Areas areas_;
};

template <typename Visit>
void Mapping::for_each_mapped_range(uint64_t first, uint64_t last, Visit&& visit) {
  for (VmArea& area : areas_) {
    const uint64_t area_first = area.pgoff;
    const uint64_t area_last = area_first + area.pages() - 1;
    if (area_last < first || area_first > last) {
      continue;
    }
    const uint64_t from = std::max(first, area_first) - area_first;
    const uint64_t to = std::min(last, area_last) - area_first + 1;
    visit(area, area.start + static_cast<uint32_t>(from << kPageShift),
          area.start + static_cast<uint32_t>(to << kPageShift));
  }
}

}  // namespace fl::vm
