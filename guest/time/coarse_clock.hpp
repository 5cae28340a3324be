// The page of clock data that the vDSO reads (loaders/vdso/vvar.hpp): written at boot, the coarse clocks at every tick.
// Linux counterpart: update_vsyscall (kernel/time/vsyscall.c).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "guest/time/time_source.hpp"

namespace fl::guest {

// 250 ticks a second. Linux: TICK_NSEC with CONFIG_HZ=250, as Debian's kernels have it.
inline constexpr uint64_t kTickNs = 4'000'000;

// Fills the whole page. `page` has 4096 bytes.
void init_clock_page(const TimeSource& time, std::span<std::byte> page);
// Writes the coarse clocks of the last tick; gives when the next one is due.
uint64_t update_coarse_clock(const TimeSource& time, std::span<std::byte> page);

}  // namespace fl::guest
