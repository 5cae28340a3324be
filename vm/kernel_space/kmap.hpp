// Kmap: high frames mapped for longer than a moment, in a window of 1024 pages.
//
// Each slot has a count: 0 free and flushed, 1 no user but a stale entry is left, n + 1 n users. Slots are handed out
// in a circle; where it closes, all entries without users are cleared and flushed at once, so that a flush is paid for
// every 1024 mappings. A frame that is mapped already keeps its slot. A Linux kernel sleeps when all slots are in use;
// here nobody else could run and give one back, so that is ENOMEM. Linux counterparts: kmap_high, kunmap_high,
// flush_all_zero_pkmaps (mm/highmem.c).
#pragma once

#include <array>
#include <cstdint>
#include <utility>

#include "mmu/base/addr.hpp"
#include "mmu/base/result.hpp"
#include "mmu/layout.hpp"
#include "vm/kernel_space/kernel_space.hpp"

namespace fl::vm {

class Kmap {
 public:
  explicit Kmap(KernelSpace& space);

  // The kernel address of a frame until kunmap; a low frame's is that of the direct map. ENOMEM: all slots in use.
  Result<VirtAddr> kmap(Pfn pfn);
  // One user less. The mapping stays until the next flush.
  void kunmap(Pfn pfn);
  // The address of a mapped high frame, or of a low one; EFAULT if it has none. Linux: page_address.
  Result<VirtAddr> page_address(Pfn pfn) const;
  std::byte* pointer(VirtAddr va) { return space_.pointer(va); }

  // Looking.
  uint32_t count(uint32_t slot) const { return count_[slot]; }
  uint32_t used_slots() const;
  uint32_t flushes() const { return flushes_; }
  static VirtAddr slot_address(uint32_t slot) { return VirtAddr(mmu::kPkmapBase + (slot << kPageShift)); }

 private:
  static constexpr uint32_t kNone = 0xffff;
  static constexpr uint32_t kBuckets = 128;  // Linux: 1 << PA_HASH_ORDER

  uint32_t find_slot(Pfn pfn) const;
  Result<uint32_t> map_new_virtual_address(Pfn pfn);
  void flush_all_zero_pkmaps();
  static uint32_t bucket_of(Pfn pfn) { return pfn.value() * 0x9e3779b1u >> 25; }
  mmu::Pte& pte(uint32_t slot) const { return *space_.find_pte(slot_address(slot)); }

  KernelSpace& space_;
  uint32_t last_ = 0;  // Linux: last_pkmap_nr
  uint32_t flushes_ = 0;
  std::array<uint16_t, mmu::kLastPkmap> count_{};  // Linux: pkmap_count
  // Which slot has a frame: chains by hash. Linux: page_address_htable.
  std::array<uint16_t, kBuckets> head_;
  std::array<uint16_t, mmu::kLastPkmap> next_;
};

// A frame mapped as long as this lives.
class KmapPage {
 public:
  static Result<KmapPage> map(Kmap& kmap, Pfn pfn) {
    FL_TRY_ASSIGN(const VirtAddr va, kmap.kmap(pfn));
    return KmapPage(kmap, pfn, va);
  }
  KmapPage(KmapPage&& other) noexcept
      : kmap_(other.kmap_), pfn_(other.pfn_), va_(other.va_), owns_(std::exchange(other.owns_, false)) {}
  KmapPage& operator=(KmapPage&&) = delete;
  ~KmapPage() {
    if (owns_) {
      kmap_->kunmap(pfn_);
    }
  }
  VirtAddr address() const { return va_; }
  std::byte* data() const { return kmap_->pointer(va_); }

 private:
  KmapPage(Kmap& kmap, Pfn pfn, VirtAddr va) : kmap_(&kmap), pfn_(pfn), va_(va) {}

  Kmap* kmap_;
  Pfn pfn_;
  VirtAddr va_;
  bool owns_ = true;
};

}  // namespace fl::vm
