// clockid_t values and reading a clock. Linux counterpart: uapi/linux/time.h, clockid_to_kclock.
#pragma once

#include <cstdint>
#include <optional>

#include "guest/kernel.hpp"
#include "guest/task.hpp"

namespace fl::guest {

struct ClockId {
  enum Id : int32_t {
    kRealtime = 0,
    kMonotonic = 1,
    kProcessCpu = 2,
    kThreadCpu = 3,
    kMonotonicRaw = 4,
    kRealtimeCoarse = 5,
    kMonotonicCoarse = 6,
    kBoottime = 7,
    kRealtimeAlarm = 8,
    kBoottimeAlarm = 9,
    kTai = 11,
  };
};

// Nanoseconds on a clock; none: there is no such clock.
std::optional<uint64_t> clock_now(Kernel& kernel, const Task& task, int32_t clock);

}  // namespace fl::guest
