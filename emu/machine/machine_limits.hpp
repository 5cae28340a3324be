// What a machine can be made of, at least and at most, for the command line and for programs that embed one.
#pragma once

#include <cstdint>

#include "mmu/base/addr.hpp"
#include "vm/swap/swap_space.hpp"

namespace fl::emu {

// Least and most RAM: what the kernel needs to boot and to run a small program, and what 32-bit entries without PAE
// reach.
inline constexpr uint64_t kMinRamBytes = uint64_t{1} << 20;
inline constexpr uint64_t kMaxRamBytes = uint64_t{4} << 30;
// As mkswap(8): ten pages.
inline constexpr uint64_t kMinSwapBytes = uint64_t{10} << kPageShift;
inline constexpr uint64_t kMaxSwapBytes = uint64_t{vm::kMaxSwapFilePages} << kPageShift;
// 4 GiB would be all memory that there can be.
inline constexpr uint64_t kMaxReadaheadKib = uint64_t{1} << 20;
inline constexpr uint64_t kLeastMemoryLimit = 64 << 10;

}  // namespace fl::emu
