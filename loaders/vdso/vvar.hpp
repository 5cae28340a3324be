// The data page that the machine's kernel shares with the vDSO's time functions, for C (vtime.c, i386) and C++
// (x86-64).
//
// Linux counterpart: struct vdso_data in the first vvar page (include/vdso/datapage.h); the layout is ours, the rules
// are Linux's: the kernel makes `seq` odd, changes the page, makes `seq` even; a reader retries when it changed under
// it. Simplified: the machine's TSC runs at exactly 1 GHz of virtual time, so a TSC difference is a number of
// nanoseconds and there is no multiplier; monotonic, boot and raw monotonic time are the same clock (the machine never
// suspends and nobody slews it); there are no time namespaces.
//
// The page is placed profile.vvar_pages pages below the image (vdso_image.hpp). All fields are little-endian; the
// 64-bit ones stand at multiples of 8, so that both compilers agree on the layout (VvarPage, below, asserts it).
#pragma once

#ifdef __cplusplus
#include <cstddef>
#include <cstdint>
#else
#include <stdint.h>
#endif

// Values of fl_vvar_page.clock_mode (Linux: VDSO_CLOCKMODE_NONE, VDSO_CLOCKMODE_TSC).
enum {
  FL_VVAR_CLOCK_NONE = 0,  // the fine clocks are asked with the system call
  FL_VVAR_CLOCK_TSC = 1,   // the fine clocks are read from the TSC
};

struct fl_vvar_page {
  uint32_t seq;         // sequence count; odd while the kernel changes the page
  uint32_t clock_mode;  // FL_VVAR_CLOCK_*
  uint64_t tsc_base;    // TSC value at which the monotonic clock was 0: monotonic nanoseconds = tsc - tsc_base

  int64_t wall_sec;    // CLOCK_REALTIME minus CLOCK_MONOTONIC, seconds
  uint32_t wall_nsec;  // and nanoseconds, below 1,000,000,000
  int32_t tai_offset;  // CLOCK_TAI minus CLOCK_REALTIME, seconds

  int64_t coarse_real_sec;  // the clocks at the last timer tick
  int64_t coarse_mono_sec;
  uint32_t coarse_real_nsec;
  uint32_t coarse_mono_nsec;

  uint32_t fine_res_nsec;    // clock_getres of the fine clocks: 1 with high-resolution timers (Linux: hrtimer_res)
  uint32_t coarse_res_nsec;  // clock_getres of the coarse clocks: one tick (Linux: LOW_RES_NSEC, 4,000,000 at 250 Hz)

  int32_t tz_minuteswest;  // what gettimeofday gives as its struct timezone
  int32_t tz_dsttime;
};

#ifdef __cplusplus
namespace fl::loaders {

using VvarPage = ::fl_vvar_page;

static_assert(offsetof(VvarPage, tsc_base) == 8 && offsetof(VvarPage, wall_sec) == 16 &&
                  offsetof(VvarPage, coarse_real_sec) == 32 && offsetof(VvarPage, coarse_real_nsec) == 48 &&
                  offsetof(VvarPage, tz_dsttime) == 68 && sizeof(VvarPage) == 72,
              "the i386 compiler, which aligns 64-bit fields to 4, must see the same layout");

}  // namespace fl::loaders
#endif
