// Finding, making, copying and dropping the cached pages of one file. What comes from the disk and goes there is in
// mapping_io.cpp.
#include "vm/cache/mapping.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "mmu/base/check.hpp"
#include "vm/kernel_caches.hpp"
#include "vm/memory_system.hpp"
#include "vm/mm/address_space.hpp"
#include "vm/reclaim/lru.hpp"
#include "vm/reclaim/workingset.hpp"
#include "vm/swap/swap_cache.hpp"
#include "vm/swap/swap_in.hpp"
#include "vm/swap/swap_space.hpp"
#include "vm/swap/swapin_error.hpp"

namespace fl::vm {

Result<std::shared_ptr<Mapping>> Mapping::for_file(MemorySystem& memory, std::shared_ptr<BackingStore> store) {
  FL_CHECK(store != nullptr);
  return make_shared_object(memory.caches().inode, Key(), memory, std::move(store), 0u, ShmemCharge::kByPage);
}

Result<std::shared_ptr<Mapping>> Mapping::for_shmem(MemorySystem& memory, uint64_t bytes, ShmemCharge charge) {
  if (charge == ShmemCharge::kBySize) {
    const Overcommit& overcommit = memory.overcommit();
    FL_TRY(overcommit.enough_memory(overcommit.current(), pages_for(bytes)));
  }
  return make_shared_object(memory.caches().shmem_inode, Key(), memory, nullptr, bytes, charge);
}

Mapping::Mapping(Key, MemorySystem& memory, std::shared_ptr<BackingStore> store, uint64_t shmem_bytes,
                 ShmemCharge charge)
    : memory_(memory),
      store_(std::move(store)),
      shmem_size_(shmem_bytes),
      charge_(charge),
      in_flight_(SlabStlAllocator<InFlight>(memory.slab())),
      tree_(memory) {
  memory_.cache().add_mapping(*this);
  memory_.overcommit().charge(committed_pages());
}

Mapping::Mapping(MemorySystem& memory, ShmemSpace& space)
    : memory_(memory), space_(&space), in_flight_(SlabStlAllocator<InFlight>(memory.slab())), tree_(memory) {
  memory_.cache().add_mapping(*this);
}

Mapping::~Mapping() {
  FL_CHECK(areas_.empty(), "a mapping dies while {} areas map it", areas_.size());
  if (auto written = write_back(0, UINT64_MAX); !written) {
    spdlog::error("page cache: cannot write a file's pages back: {}", errno_name(written.error()));
  }
  while (const auto entry = tree_.next(0)) {
    erase(entry->index);
  }
  drop_values(0, UINT64_MAX);
  memory_.overcommit().uncharge(committed_pages());
  memory_.cache().remove_mapping(*this);
}

Result<Pfn> Mapping::get(uint64_t index, uint32_t ahead, bool* waited) {
  const uint64_t size_pages = pages();
  if (index >= size_pages) {
    return fail(Errno::kEFAULT);
  }
  if (is_shmem()) {
    FL_TRY_ASSIGN(const Pfn pfn, allocate(index, waited));
    memory_.page(pfn).clear(PageFlag::kNotUptodate);
    return pfn;
  }
  if (const uint32_t frame = find(index); frame != kNoPage) {
    return Pfn(frame);
  }
  if (is_shmem()) {
    return allocate(index, waited);
  }
  const auto wanted = static_cast<uint32_t>(std::min<uint64_t>({std::max(ahead, 1u), kReadPages, size_pages - index}));
  FL_TRY(bring_in(index, wanted));
  return Pfn(find(index));
}

Result<Pfn> Mapping::allocate(uint64_t index, bool* waited) {
  FL_CHECK(is_shmem());
  if (const uint32_t frame = find(index); frame != kNoPage) {
    memory_.page(Pfn(frame)).clear(PageFlag::kNotUptodate);
    return Pfn(frame);
  }
  if (const auto swapped = tree_.find_value(index)) {
    return swap_in(static_cast<uint32_t>(index), SwapEntry::from_raw(*swapped), waited);
  }
  if (space_ != nullptr && space_->used >= space_->limit) {
    return fail(Errno::kENOSPC);
  }
  const Overcommit& overcommit = memory_.overcommit();
  if (charge_ == ShmemCharge::kByPage && !overcommit.enough_memory(overcommit.current(), 1)) {
    return fail(Errno::kENOSPC);
  }
  FL_TRY_ASSIGN(const Pfn fresh, memory_.pages().alloc_pages(kGfpHighUserMovable | kGfpZero));
  FL_TRY_ASSIGN(const Pfn pfn, memory_.pages().charge(fresh, kGfpHighUserMovable));
  if (const auto inserted = insert(index, pfn); !inserted) {
    memory_.pages().free_pages(pfn);
    return fail(inserted.error());
  }
  // Zeroed, and yet without contents.
  memory_.page(pfn).set(PageFlag::kNotUptodate);
  return pfn;
}

uint32_t Mapping::find_uptodate(uint64_t index) const {
  const uint32_t frame = find(index);
  return frame != kNoPage && !memory_.page(Pfn(frame)).has(PageFlag::kNotUptodate) ? frame : kNoPage;
}

Status Mapping::insert(uint64_t index, Pfn pfn) {
  const auto shadow = is_shmem() ? std::nullopt : tree_.find_value(index);
  FL_TRY(tree_.insert(index, pfn));
  memory_.cache().add(pfn, *this, static_cast<uint32_t>(index));
  if (is_shmem()) {
    memory_.page(pfn).set(PageFlag::kShmem | PageFlag::kSwapBacked);
    if (charge_ == ShmemCharge::kByPage) {
      memory_.overcommit().charge(1);
    }
  }
  if (space_ != nullptr) {
    ++space_->used;
  }
  if (shadow) {
    memory_.cache().count_shadows(-1);
    workingset_refault(memory_, pfn, *shadow);
  }
  memory_.lru().add(pfn);
  return {};
}

void Mapping::erase(uint32_t index) {
  if (is_dirty(index)) {
    memory_.cache().count_dirty(-1);
  }
  memory_.cache().remove(tree_.erase(index));
  if (is_shmem() && charge_ == ShmemCharge::kByPage) {
    memory_.overcommit().uncharge(1);
  }
  if (space_ != nullptr) {
    --space_->used;
  }
}

void Mapping::evict(uint32_t index, uint32_t shadow) {
  FL_CHECK(!is_shmem() && !is_dirty(index), "page {:#x} is evicted", index);
  memory_.cache().remove(tree_.erase(index, shadow));
  memory_.cache().count_shadows(1);
}

void Mapping::forget_shadows() {
  if (!is_shmem()) {
    drop_values(0, UINT64_MAX);
  }
}

bool Mapping::invalidate(uint32_t index) {
  const uint32_t frame = find(index);
  if (is_shmem() || frame == kNoPage || is_dirty(index)) {
    return false;
  }
  const Page& page = memory_.page(Pfn(frame));
  if (page.mapcount != 0 || page.refcount != 1) {
    return false;
  }
  erase(index);
  return true;
}

void Mapping::drop_values(uint64_t first, uint64_t last) {
  for (auto value = tree_.next_value(first); value && value->index <= last; value = tree_.next_value(first)) {
    tree_.erase_value(value->index);
    if (!is_shmem()) {
      memory_.cache().count_shadows(-1);
    } else {
      if (const SwapEntry entry = SwapEntry::from_raw(value->value); !non_swap_entry(entry)) {
        memory_.swap().free_swap_and_cache(entry);
      }
      if (charge_ == ShmemCharge::kByPage) {
        memory_.overcommit().uncharge(1);
      }
      if (space_ != nullptr) {
        --space_->used;
      }
    }
    first = uint64_t{value->index} + 1;
  }
}

bool Mapping::move_to_swap(uint32_t index) {
  FL_CHECK(is_shmem());
  const Pfn pfn(find(index));
  Page& page = memory_.page(pfn);
  if (!memory_.swap_cache().add_to_swap(pfn)) {
    return false;
  }
  const SwapEntry entry = SwapCache::entry_of(page);
  page.clear(PageFlag::kNotUptodate);  // what is written are zeros
  memory_.swap().swap_shmem_alloc(entry);
  tree_.erase(index, entry.raw());
  // The tree's reference is the swap cache's now: it took one of its own.
  memory_.cache().leave(pfn);
  --page.refcount;
  return true;
}

Result<Pfn> Mapping::swap_in(uint32_t index, SwapEntry entry, bool* waited) {
  if (non_swap_entry(entry)) {
    return fail(Errno::kEIO);
  }
  const auto read = read_swap_page(memory_, entry);
  if (!read) {
    if (read.error() == Errno::kEIO) {
      // It is lost, once and for all; its slot is needed no more. Linux: shmem_set_folio_swapin_error.
      FL_CHECK(tree_.insert(index, memory_.zero_page()), "nothing had to be allocated");  // for a moment
      tree_.erase(index, make_swapin_error_entry().raw());
      memory_.swap().free_swap_and_cache(entry);
    }
    return fail(read.error());
  }
  const SwappedIn found = *read;
  if (waited != nullptr && found.read) {
    *waited = true;
  }
  // Back into the file, out of the swap cache; its slot is free.
  Page& page = memory_.page(found.pfn);
  FL_CHECK(page.mapcount == 0 && page.has(PageFlag::kSwapCache));
  const Status inserted = tree_.insert(index, found.pfn);  // in place of the entry
  FL_CHECK(inserted, "nothing had to be allocated");
  memory_.swap().swap_free(entry);
  memory_.swap_cache().remove(found.pfn);
  // Two references, of the caller and of the swap cache: one is the tree's now.
  --page.refcount;
  memory_.cache().enter(found.pfn, *this, index);
  page.set(PageFlag::kShmem);
  page.clear(PageFlag::kDirty);
  return found.pfn;
}

Result<uint32_t> Mapping::read(uint64_t offset, std::span<std::byte> to, FileRaState* ra) {
  uint32_t done = 0;
  uint64_t ready = 0;  // pages before need no look at the disk
  while (done < to.size()) {
    const uint64_t file_size = size();
    if (offset >= file_size) {
      break;
    }
    const uint64_t index = offset >> kPageShift;
    const uint32_t in_page = static_cast<uint32_t>(offset & kPageOffsetMask);
    const uint64_t left = std::min<uint64_t>(to.size() - done, file_size - offset);
    const uint64_t length = std::min<uint64_t>(left, kPageSize - in_page);
    Errno error{};
    if (ra != nullptr && index >= ready) {
      const auto got = filemap_get_pages(*this, *ra, index, index + pages_for(in_page + left));
      error = got ? error : got.error();
      ready = got.value_or(0);
    }
    const auto pfn = error == Errno{} ? get(index, static_cast<uint32_t>(pages_for(in_page + left))) : fail(error);
    if (!pfn) {
      if (done > 0) {
        break;
      }
      return fail(pfn.error() == Errno::kENOMEM ? Errno::kENOMEM : Errno::kEIO);
    }
    std::memcpy(to.data() + done, KmapLocal(memory_.kmap_slots(), *pfn).data() + in_page, length);
    memory_.lru().mark_accessed(*pfn);
    done += static_cast<uint32_t>(length);
    offset += length;
  }
  if (ra != nullptr && done > 0) {
    ra->prev_pos = static_cast<int64_t>(offset - 1);
  }
  return done;
}

Result<uint32_t> Mapping::write_shmem(uint64_t offset, std::span<const std::byte> from) {
  FL_CHECK(is_shmem());
  uint32_t done = 0;
  while (done < from.size()) {
    const uint32_t in_page = static_cast<uint32_t>(offset & kPageOffsetMask);
    const uint32_t length = std::min(static_cast<uint32_t>(from.size()) - done, kPageSize - in_page);
    const uint64_t old_size = shmem_size_;
    shmem_size_ = std::max(shmem_size_, offset + length);
    const auto pfn = get(offset >> kPageShift);
    if (!pfn) {
      shmem_size_ = old_size;
      if (done > 0) {
        break;
      }
      return fail(pfn.error());
    }
    std::memcpy(KmapLocal(memory_.kmap_slots(), *pfn).data() + in_page, from.data() + done, length);
    memory_.tlb().code_changed(*pfn);
    memory_.lru().mark_accessed(*pfn);
    done += length;
    offset += length;
  }
  return done;
}

Status Mapping::reload(uint64_t offset, uint64_t length) {
  if (length == 0 || is_shmem()) {
    return {};
  }
  const uint64_t last = (offset + length - 1) >> kPageShift;
  for (uint64_t index = offset >> kPageShift; index <= last; ++index) {
    const uint32_t frame = find(index);
    if (frame == kNoPage) {
      continue;
    }
    const KmapLocal page(memory_.kmap_slots(), Pfn(frame));
    std::byte* const bytes = page.data();
    FL_TRY(store_->read_pages(index, std::span(&bytes, 1)));
    memory_.tlb().code_changed(Pfn(frame));
  }
  return {};
}

void Mapping::drop_range(uint64_t first, uint64_t last, ZapCopies copies) {
  for_each_mapped_range(
      first, last, [copies](VmArea& area, VirtAddr from, VirtAddr to) { area.mm->zap_range(area, from, to, copies); });
  drop_values(first, last);
  for (auto entry = tree_.next(first); entry && entry->index <= last; entry = tree_.next(first)) {
    erase(entry->index);
    first = uint64_t{entry->index} + 1;
  }
}

uint32_t Mapping::swapped_pages(uint64_t first, uint64_t last) const {
  uint32_t pages = 0;
  for (auto value = is_shmem() ? tree_.next_value(first) : std::nullopt; value && value->index <= last;
       value = tree_.next_value(uint64_t{value->index} + 1)) {
    ++pages;
  }
  return pages;
}

std::optional<uint32_t> Mapping::next_held(uint64_t from) const {
  auto page = tree_.next(from);
  while (page && find_uptodate(page->index) == kNoPage) {
    page = tree_.next(uint64_t{page->index} + 1);
  }
  const auto value = tree_.next_value(from);
  if (page && value) {
    return std::min(page->index, value->index);
  }
  return page ? std::optional(page->index) : value ? std::optional(value->index) : std::nullopt;
}

// The frame of a page that exists; one in swap is brought in, for its bytes are to change. Linux:
// shmem_get_partial_folio.
uint32_t Mapping::find_partial(uint64_t index) {
  if (const auto swapped = is_shmem() ? tree_.find_value(index) : std::nullopt) {
    const auto pfn = swap_in(static_cast<uint32_t>(index), SwapEntry::from_raw(*swapped), nullptr);
    return pfn ? pfn->value() : kNoPage;
  }
  return find(index);
}

void Mapping::zero(uint64_t offset, uint32_t length) {
  const uint32_t in_page = static_cast<uint32_t>(offset & kPageOffsetMask);
  FL_CHECK(is_shmem() && in_page + length <= kPageSize);
  if (const uint32_t frame = find_partial(offset >> kPageShift); frame != kNoPage) {
    std::memset(KmapLocal(memory_.kmap_slots(), Pfn(frame)).data() + in_page, 0, length);
    memory_.tlb().code_changed(Pfn(frame));
  }
}

void Mapping::punch_hole(uint64_t first, uint64_t last) { drop_range(first, last, ZapCopies::kNo); }

void Mapping::truncate(uint64_t bytes) {
  FL_CHECK(charge_ == ShmemCharge::kByPage || bytes == shmem_size_, "its size has been charged");
  drop_range(pages_for(bytes), UINT64_MAX, ZapCopies::kYes);
  const uint32_t tail = static_cast<uint32_t>(bytes & kPageOffsetMask);
  if (const uint32_t frame = tail == 0 ? kNoPage : find_partial(bytes >> kPageShift); frame != kNoPage) {
    std::memset(KmapLocal(memory_.kmap_slots(), Pfn(frame)).data() + tail, 0, kPageSize - tail);
    memory_.tlb().code_changed(Pfn(frame));
  }
  if (is_shmem()) {
    shmem_size_ = bytes;
  }
}

}  // namespace fl::vm
