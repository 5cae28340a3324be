// struct itimerspec of the i386 ABI, with 32-bit and 64-bit seconds. Linux counterpart: get_itimerspec64,
// get_old_itimerspec32.
#pragma once

#include <cstdint>
#include <optional>

#include "guest/syscall/time_types.hpp"

namespace fl::guest {

template <typename Timespec>
struct Itimerspec {
  Timespec interval, value;
};

// When a timer expires first and how often, in nanoseconds; value 0: never.
struct TimerSetting {
  uint64_t interval_ns = 0;
  uint64_t value_ns = 0;

  template <typename Timespec>
  Itimerspec<Timespec> shown() const {
    return {Timespec::from_ns(interval_ns), Timespec::from_ns(value_ns)};
  }
};

// None if one of them is not a time. Linux: itimerspec64_valid.
template <typename Timespec>
std::optional<TimerSetting> to_setting(const Itimerspec<Timespec>& spec) {
  const std::optional<uint64_t> interval = to_ns(spec.interval);
  const std::optional<uint64_t> value = to_ns(spec.value);
  return interval && value ? std::optional(TimerSetting{*interval, *value}) : std::nullopt;
}

inline constexpr uint32_t kTimerAbstime = 1;
// When a setting expires as now_ns counts, if `clock_ns` is the time of its clock now: at a past time, now.
inline uint64_t first_expiry(const TimerSetting& setting, bool absolute, uint64_t clock_ns, uint64_t now_ns) {
  constexpr auto kForEver = static_cast<uint64_t>(INT64_MAX);
  if (absolute) {
    return setting.value_ns > clock_ns ? now_ns + (setting.value_ns - clock_ns) : now_ns;
  }
  return setting.value_ns > kForEver - now_ns ? kForEver : now_ns + setting.value_ns;
}

}  // namespace fl::guest
