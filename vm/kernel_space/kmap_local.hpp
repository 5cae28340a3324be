// KmapLocal: a frame at hand for a moment. `KmapLocal map(slots, pfn); map.data()`.
//
// A low frame is its own direct mapping, at no cost. A high frame gets the next free slot of the fixmap: an entry in
// the real page table, through which data() was found. Slots are a stack: mappings end in the opposite order of their
// beginning, which C++ scopes give by themselves. Linux counterparts: kmap_local_page, kunmap_local (mm/highmem.c),
// kmap_atomic; clear_highpage, copy_user_highpage.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <tuple>
#include <utility>

#include "mmu/base/addr.hpp"
#include "mmu/ram.hpp"
#include "vm/kernel_space/fixmap.hpp"
#include "vm/kernel_space/kernel_space.hpp"
#include "vm/phys/page_pin.hpp"

namespace fl::vm {

// The stack of slots. Linux: current->kmap_ctrl.
class KmapSlots {
 public:
  explicit KmapSlots(KernelSpace& space) : space_(space), ram_(space.ram()) {}

  const mmu::Ram& ram() const { return ram_; }
  // Slots in use now.
  uint32_t depth() const { return depth_; }
  // Mappings of high frames made so far.
  uint64_t mapped() const { return mapped_; }

 private:
  friend class KmapLocal;
  // The slot's number and the frame's bytes as they are found through it.
  std::pair<uint32_t, std::byte*> push(Pfn pfn);
  void pop(uint32_t slot);

  KernelSpace& space_;
  const mmu::Ram& ram_;
  uint32_t depth_ = 0;
  uint64_t mapped_ = 0;
};

class KmapLocal {
 public:
  KmapLocal() = default;
  KmapLocal(KmapSlots& slots, Pfn pfn) {
    if (slots.ram().is_low(pfn)) [[likely]] {
      data_ = slots.ram().frame(pfn);
      return;
    }
    slots_ = &slots;
    std::tie(slot_, data_) = slots.push(pfn);
  }
  KmapLocal(KmapLocal&& other) noexcept
      : slots_(std::exchange(other.slots_, nullptr)), slot_(other.slot_), data_(other.data_) {}
  KmapLocal& operator=(KmapLocal&&) = delete;
  ~KmapLocal() {
    if (slots_ != nullptr) {
      slots_->pop(slot_);
    }
  }

  std::byte* data() const { return data_; }
  std::span<std::byte, kPageSize> bytes() const { return std::span<std::byte, kPageSize>(data_, kPageSize); }

 private:
  KmapSlots* slots_ = nullptr;  // null: a low frame
  uint32_t slot_ = 0;
  std::byte* data_ = nullptr;
};

// Bytes of one frame, mapped while this lives, and pinned if it is a user's; or kernel memory, which needs no mapping.
class KmapSpan {
 public:
  explicit KmapSpan(std::span<std::byte> kernel) : bytes_(kernel) {}
  KmapSpan(KmapSlots& slots, Pfn pfn, uint32_t offset, uint32_t length)
      : map_(slots, pfn), bytes_(map_.data() + offset, length) {}
  KmapSpan(KmapSlots& slots, PagePin pin, Pfn pfn, uint32_t offset, uint32_t length)
      : pin_(std::move(pin)), map_(slots, pfn), bytes_(map_.data() + offset, length) {}

  std::byte* data() const { return bytes_.data(); }
  size_t size() const { return bytes_.size(); }
  std::span<std::byte> bytes() const { return bytes_; }

 private:
  PagePin pin_;
  KmapLocal map_;
  std::span<std::byte> bytes_;
};

// Linux: clear_highpage.
void clear_highpage(KmapSlots& slots, Pfn pfn);
// Linux: copy_user_highpage.
void copy_highpage(KmapSlots& slots, Pfn to, Pfn from);

}  // namespace fl::vm
