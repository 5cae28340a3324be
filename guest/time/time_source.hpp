// The machine's clocks. Nothing else in guest/ or emu/ asks the host for the time.
//
// Linux counterparts: ktime_get, tk_core, sched_clock. One clock drives all (CLOCK_MONOTONIC, CLOCK_REALTIME,
// RDTSC, CPU times): realtime is monotonic plus a start, the time stamp counter counts its nanoseconds.
#pragma once

#include <cstdint>

#include "vm/block/request_queue.hpp"

namespace fl::guest {

inline constexpr uint64_t kNsPerSecond = 1'000'000'000;

class TimeSource : public vm::IoClock {
 public:
  virtual ~TimeSource() = default;
  // Nanoseconds since boot; never goes back. Also what RDTSC reads.
  uint64_t now_ns() const override = 0;
  // Nanoseconds that the processor worked, that is now_ns() without sleeps.
  virtual uint64_t cpu_ns() const = 0;
  // CLOCK_REALTIME at boot, in nanoseconds since 1970.
  virtual uint64_t wall_start_ns() const = 0;
  // Nothing is runnable before `deadline_ns` (as now_ns counts). Virtual time jumps there; host time sleeps,
  // perhaps not to the end if the machine is asked to stop.
  virtual void sleep_until(uint64_t deadline_ns) = 0;
};

// How much the processor has done; implemented by the CPU.
class WorkCounter {
 public:
  virtual ~WorkCounter() = default;
  // Translated blocks executed since boot.
  virtual uint64_t executed_blocks() const = 0;
};

}  // namespace fl::guest
