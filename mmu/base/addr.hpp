// Strong address types of the simulated i386 machine.
//
// VirtAddr is a linear address (the guest's segments are flat), PhysAddr an address in simulated RAM, Pfn a page-frame
// number (PhysAddr >> 12). They do not convert into each other: only the page-table walk (mmu/walk.hpp) and the
// kernel's direct map (mmu/layout.hpp) may do that. Linux counterparts: unsigned long, phys_addr_t, pfn.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace fl {

inline constexpr uint32_t kPageShift = 12;
inline constexpr uint32_t kPageSize = 1u << kPageShift;
inline constexpr uint32_t kPageOffsetMask = kPageSize - 1;

// A 32-bit linear address. Arithmetic wraps, as the CPU's does; callers that must not wrap compare first.
class VirtAddr {
 public:
  constexpr VirtAddr() = default;
  constexpr explicit VirtAddr(uint32_t value) : value_(value) {}
  constexpr uint32_t value() const { return value_; }
  constexpr uint32_t page_offset() const { return value_ & kPageOffsetMask; }
  constexpr VirtAddr page() const { return VirtAddr(value_ & ~kPageOffsetMask); }
  constexpr uint32_t vpn() const { return value_ >> kPageShift; }
  constexpr bool page_aligned() const { return page_offset() == 0; }
  constexpr VirtAddr operator+(uint32_t bytes) const { return VirtAddr(value_ + bytes); }
  constexpr VirtAddr operator-(uint32_t bytes) const { return VirtAddr(value_ - bytes); }
  constexpr uint32_t operator-(VirtAddr other) const { return value_ - other.value_; }
  constexpr VirtAddr& operator+=(uint32_t bytes) {
    value_ += bytes;
    return *this;
  }
  constexpr auto operator<=>(const VirtAddr&) const = default;

 private:
  uint32_t value_ = 0;
};

// A page-frame number of simulated RAM.
class Pfn {
 public:
  constexpr Pfn() = default;
  constexpr explicit Pfn(uint32_t value) : value_(value) {}
  constexpr uint32_t value() const { return value_; }
  constexpr Pfn operator+(uint32_t frames) const { return Pfn(value_ + frames); }
  constexpr auto operator<=>(const Pfn&) const = default;

 private:
  uint32_t value_ = 0;
};

// A byte address in simulated RAM. Without PAE it has 32 bits.
class PhysAddr {
 public:
  constexpr PhysAddr() = default;
  constexpr explicit PhysAddr(uint32_t value) : value_(value) {}
  constexpr explicit PhysAddr(Pfn pfn) : value_(pfn.value() << kPageShift) {}
  constexpr uint32_t value() const { return value_; }
  constexpr Pfn pfn() const { return Pfn(value_ >> kPageShift); }
  constexpr PhysAddr operator+(uint32_t bytes) const { return PhysAddr(value_ + bytes); }
  constexpr auto operator<=>(const PhysAddr&) const = default;

 private:
  uint32_t value_ = 0;
};

// Rounds a byte count up to whole pages; the result has 64 bits so that 4 GiB does not become 0.
constexpr uint64_t page_align_up(uint64_t bytes) { return (bytes + kPageOffsetMask) & ~uint64_t{kPageOffsetMask}; }
constexpr uint64_t pages_for(uint64_t bytes) { return page_align_up(bytes) >> kPageShift; }

}  // namespace fl

template <>
struct std::hash<fl::VirtAddr> {
  size_t operator()(fl::VirtAddr addr) const noexcept { return std::hash<uint32_t>{}(addr.value()); }
};
template <>
struct std::hash<fl::Pfn> {
  size_t operator()(fl::Pfn pfn) const noexcept { return std::hash<uint32_t>{}(pfn.value()); }
};
