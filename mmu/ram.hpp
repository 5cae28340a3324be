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
#include "mmu/layout.hpp"

namespace fl::mmu {

class Ram {
 public:
  // frames * 4 KiB of RAM, of which up to low_frames are low memory. ENOMEM if the host refuses the mapping. At most
  // 2^20 frames (4 GiB: no PAE). A smaller limit of low memory gives a small machine high memory (Linux: highmem=).
  static Result<Ram> create(uint32_t frames, uint32_t low_frames = kLowMemoryLimit >> kPageShift);
  Ram(Ram&& other) noexcept;
  Ram& operator=(Ram&&) = delete;
  ~Ram();

  uint32_t frames() const { return frames_; }
  uint64_t bytes() const { return uint64_t{frames_} << kPageShift; }
  std::byte* data() const { return data_; }

  // Frames that the kernel's direct map reaches: low memory.
  uint32_t low_frames() const { return low_frames_; }
  bool is_low(Pfn pfn) const { return pfn.value() < low_frames_; }

  // The 4096 bytes of a low frame, as the kernel sees them through its direct map. For a high frame the kernel needs a
  // mapping (KmapLocal, Kmap, vmalloc), so asking here is a bug.
  std::byte* frame(Pfn pfn) const {
    FL_CHECK(pfn.value() < low_frames_, "frame {:#x} is not in low memory ({:#x} frames of {:#x})", pfn.value(),
             low_frames_, frames_);
    return data_ + (uint64_t{pfn.value()} << kPageShift);
  }
  // The 4096 bytes of any frame: for the processor, for what it is told through a page table, and for dumps and checks.
  std::byte* physical(Pfn pfn) const {
    FL_CHECK(pfn.value() < frames_, "frame {:#x} of {:#x}", pfn.value(), frames_);
    return data_ + (uint64_t{pfn.value()} << kPageShift);
  }
  std::byte* at(PhysAddr pa) const { return frame(pa.pfn()) + (pa.value() & kPageOffsetMask); }

 private:
  Ram(std::byte* data, uint32_t frames, uint32_t low_frames) : data_(data), frames_(frames), low_frames_(low_frames) {}

  std::byte* data_;
  uint32_t frames_;
  uint32_t low_frames_;
};

}  // namespace fl::mmu
