// The 32-bit page-directory and page-table entries of an i386 without PAE, bit for bit.
//
// Bits 0-8 are the processor's (Intel SDM vol. 3, "32-bit paging"); bits 9-11 are free for software and used as Linux
// uses them, but for bit 11, which is a no-execute bit for the profile that imitates a kernel with one (see Mmu).
// A non-present entry is either empty (0), a PROT_NONE page (bit 8 set; the frame is kept, as in Linux's
// _PAGE_PROTNONE), or a swap entry (neither).
#pragma once

#include <cstdint>

#include "mmu/base/addr.hpp"

namespace fl::mmu {

class Pte {
 public:
  enum Bit : uint32_t {
    kPresent = 1u << 0,
    kWritable = 1u << 1,
    kUser = 1u << 2,
    kWriteThrough = 1u << 3,
    kCacheDisable = 1u << 4,
    kAccessed = 1u << 5,
    kDirty = 1u << 6,
    kLarge = 1u << 7,     // directory entry: maps 4 MiB
    kGlobal = 1u << 8,    // present entry
    kProtNone = 1u << 8,  // non-present entry: a page of a PROT_NONE area
    kSpecial = 1u << 9,   // no struct page bookkeeping: zero page, vDSO, vvar. Linux: _PAGE_SPECIAL
    kNoExecute = 1u << 11,
  };

  constexpr Pte() = default;
  constexpr explicit Pte(uint32_t raw) : raw_(raw) {}
  constexpr Pte(Pfn pfn, uint32_t bits) : raw_((pfn.value() << kPageShift) | bits) {}

  constexpr uint32_t raw() const { return raw_; }
  constexpr bool none() const { return raw_ == 0; }
  // For the processor.
  constexpr bool hw_present() const { return (raw_ & kPresent) != 0; }
  // For the kernel: a frame stands in the entry. Linux: pte_present.
  constexpr bool present() const { return (raw_ & (kPresent | kProtNone)) != 0; }
  constexpr bool protnone() const { return (raw_ & (kPresent | kProtNone)) == kProtNone; }
  constexpr bool swap() const { return raw_ != 0 && !present(); }
  constexpr bool writable() const { return (raw_ & kWritable) != 0; }
  constexpr bool user() const { return (raw_ & kUser) != 0; }
  constexpr bool accessed() const { return (raw_ & kAccessed) != 0; }
  constexpr bool dirty() const { return (raw_ & kDirty) != 0; }
  constexpr bool large() const { return (raw_ & kLarge) != 0; }
  constexpr bool special() const { return (raw_ & kSpecial) != 0; }
  constexpr bool no_execute() const { return (raw_ & kNoExecute) != 0; }
  constexpr Pfn pfn() const { return Pfn(raw_ >> kPageShift); }

  constexpr Pte with(uint32_t bits) const { return Pte(raw_ | bits); }
  constexpr Pte without(uint32_t bits) const { return Pte(raw_ & ~bits); }
  constexpr bool operator==(const Pte&) const = default;

 private:
  uint32_t raw_ = 0;
};
static_assert(sizeof(Pte) == 4);

}  // namespace fl::mmu
