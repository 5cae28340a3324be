// Where the CPU keeps its own pages: addresses at the top of the kernel's half that no page table maps.
//
// The fill hook answers for them only in the cases that UnicornCpu::Phase names; a guest's access to them is a fault
// like one to any kernel address. They are not in simulated RAM: physically they follow the largest possible RAM.
#pragma once

#include <cstdint>

#include "mmu/base/addr.hpp"

namespace fl::emu {

inline constexpr uint64_t kMonitorPhysical = uint64_t{1} << 32;
inline constexpr VirtAddr kGdtPage{0xFFFFC000};
inline constexpr VirtAddr kStubPage{0xFFFFD000};
inline constexpr VirtAddr kStackPage{0xFFFFE000};
inline constexpr uint32_t kMonitorPages = 3;  // in this order

// Pages through which translated code is dropped, one for each frame of a batch.
inline constexpr VirtAddr kDropWindow{0xFF800000};
inline constexpr uint32_t kDropWindowPages = 1024;

inline constexpr uint32_t kGdtEntries = 32;

}  // namespace fl::emu
