// Slots of all areas: giving out, counting, reading and writing.
#include "vm/swap/swap_space.hpp"

#include "mmu/base/check.hpp"
#include "vm/phys/page_allocator.hpp"
#include "vm/swap/priority_list.hpp"

namespace fl::vm {

SwapArea& SwapSpace::area_of(SwapEntry entry) const {
  FL_CHECK(entry.type < kMaxSwapFiles && areas_[entry.type] != nullptr, "swap entry {:#x} of no area", entry.raw());
  return *areas_[entry.type];
}

Result<SwapEntry> SwapSpace::get_swap_page() {
  // Each area once: it goes behind those of its priority, so that they take turns.
  for (size_t tries = nr_swap_pages_ > 0 ? avail_.size() : 0; tries > 0 && !avail_.empty(); --tries) {
    SwapArea& area = avail_.front();
    avail_.pop_front();
    insert_by_priority(avail_, area);
    const uint32_t offset = area.take_slot([&](uint32_t cached) {
      return vm_swap_full() && user_ != nullptr &&
             user_->try_to_reclaim_swap({area.type(), cached}, SwapReclaim::kAnyway);
    });
    if (area.full() && area.avail_hook.is_linked()) {
      avail_.erase(avail_.iterator_to(area));
    }
    if (offset != 0) {
      --nr_swap_pages_;
      return SwapEntry{area.type(), offset};
    }
  }
  return fail(Errno::kENOSPC);
}

// Does something that may free a slot; what is left of it.
template <typename Change>
uint8_t SwapSpace::change(SwapEntry entry, Change&& change) {
  SwapArea& area = area_of(entry);
  const bool was_full = area.full();
  const uint32_t pages = area.pages();
  const uint8_t left = change(area);
  if (left != 0) {
    return left;
  }
  // A slot that was lost is one of pages() no more, which enable will add again if the area is being removed.
  const bool lost = area.pages() != pages;
  nr_swap_pages_ += lost && area.write_ok ? 0 : 1;
  total_swap_pages_ -= lost && area.write_ok ? 1 : 0;
  if (area.write_ok && was_full && !area.full()) {
    insert_by_priority(avail_, area);
  }
  if (user_ != nullptr) {
    user_->clear_shadow(entry);
  }
  return 0;
}

Status SwapSpace::swap_duplicate(SwapEntry entry) {
  const Status done = area_of(entry).duplicate(entry.offset);
  FL_CHECK(done || done.error() == Errno::kENOMEM, "swap entry {:#x} cannot be copied: {}", entry.raw(),
           errno_name(done.error()));
  return done;
}

Status SwapSpace::add_swap_count_continuation(SwapEntry entry, Gfp gfp) {
  return area_of(entry).add_count_continuation(entry.offset, gfp);
}

void SwapSpace::swap_shmem_alloc(SwapEntry entry) { area_of(entry).mark_shmem(entry.offset); }

void SwapSpace::swap_free(SwapEntry entry) {
  change(entry, [&](SwapArea& area) { return area.release(entry.offset); });
}

void SwapSpace::free_swap_and_cache(SwapEntry entry) {
  const uint8_t left = change(entry, [&](SwapArea& area) { return area.release(entry.offset); });
  if (left == SwapMap::kHasCache && user_ != nullptr) {
    user_->try_to_reclaim_swap(entry, SwapReclaim::kUnmappedOrFull);
  }
}

Status SwapSpace::swapcache_prepare(SwapEntry entry) {
  if (area(entry.type) == nullptr) {
    return fail(Errno::kEINVAL);
  }
  return areas_[entry.type]->set_cached(entry.offset);
}

void SwapSpace::swapcache_free(SwapEntry entry) {
  change(entry, [&](SwapArea& area) { return area.clear_cached(entry.offset); });
}

uint32_t SwapSpace::swap_count(SwapEntry entry) const {
  const SwapArea* const in = area(entry.type);
  return in != nullptr ? in->count(entry.offset) : 0;
}

bool SwapSpace::has_cache(SwapEntry entry) const {
  const SwapArea* const in = area(entry.type);
  return in != nullptr && in->has_cache(entry.offset);
}

uint32_t SwapSpace::next_used(uint32_t type, uint32_t after) const {
  const SwapArea* const in = area(type);
  for (uint32_t offset = after + 1; in != nullptr && offset < in->max(); ++offset) {
    if (in->in_use(offset)) {
      return offset;
    }
  }
  return 0;
}

Status SwapSpace::read_page(SwapEntry entry, std::span<std::byte, 4096> bytes) {
  SwapArea& area = area_of(entry);
  FL_CHECK(area.in_use(entry.offset), "reading swap entry {:#x}, which is free", entry.raw());
  pages_.events().add(VmEvent::kPswpin, 1);
  pages_.events().add(VmEvent::kPgpgin, kPageSize / 1024);
  const Status done = area.store().read_page(entry.offset, bytes);
  if (!done) {
    area.note_failure(entry.offset);
  }
  return done;
}

Status SwapSpace::write_page(SwapEntry entry, std::span<const std::byte, 4096> bytes) {
  SwapArea& area = area_of(entry);
  FL_CHECK(area.in_use(entry.offset), "writing swap entry {:#x}, which is free", entry.raw());
  pages_.events().add(VmEvent::kPswpout, 1);
  pages_.events().add(VmEvent::kPgpgout, kPageSize / 1024);
  const Status done = area.store().write_page(entry.offset, bytes);
  if (!done) {
    area.note_failure(entry.offset);
  }
  return done;
}

int64_t SwapSpace::to_be_unused() const {
  int64_t pages = 0;
  for_each_area([&](const SwapArea& area) { pages += area.write_ok ? 0 : area.inuse_pages(); });
  return pages;
}

uint32_t SwapSpace::area_count() const {
  uint32_t areas = 0;
  for_each_area([&](const SwapArea&) { ++areas; });
  return areas;
}

uint32_t SwapSpace::nr_rotate_swap() const {
  uint32_t areas = 0;
  for_each_area([&](const SwapArea& area) { areas += area.store().rotational() ? 1 : 0; });
  return areas;
}

const SwapArea* SwapSpace::find(const SwapStoreId& id) const {
  for (const SwapArea::Ptr& area : areas_) {
    if (area != nullptr && area->store().id() == id) {
      return area.get();
    }
  }
  return nullptr;
}

}  // namespace fl::vm
