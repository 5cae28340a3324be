// Simulated physical memory: one anonymous host mapping, frame 0 first.
//
// The host gives zero-filled pages when they are first used (MAP_NORESERVE), so a large --ram costs nothing until a
// guest touches it. The CPU is given the same mapping, so guest stores and kernel stores see one another at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "mmu/base/addr.hpp"
#include "mmu/base/check.hpp"
#include "mmu/base/result.hpp"

namespace fl::mmu {

class Ram {
 public:
  // frames * 4 KiB of RAM. ENOMEM if the host refuses the mapping. At most 2^20 frames (4 GiB: no PAE).
  static Result<Ram> create(uint32_t frames);
  Ram(Ram&& other) noexcept;
  Ram& operator=(Ram&&) = delete;
  ~Ram();

  uint32_t frames() const { return frames_; }
  uint64_t bytes() const { return uint64_t{frames_} << kPageShift; }
  std::byte* data() const { return data_; }

  // The 4096 bytes of a frame.
  std::byte* frame(Pfn pfn) const {
    FL_CHECK(pfn.value() < frames_, "frame {:#x} of {:#x}", pfn.value(), frames_);
    return data_ + (uint64_t{pfn.value()} << kPageShift);
  }
  std::byte* at(PhysAddr pa) const { return frame(pa.pfn()) + (pa.value() & kPageOffsetMask); }

 private:
  Ram(std::byte* data, uint32_t frames) : data_(data), frames_(frames) {}

  std::byte* data_;
  uint32_t frames_;
};

}  // namespace fl::mmu
