// The time structures of the i386 ABI: 32-bit (timespec, timeval) and 64-bit (__kernel_timespec) seconds.
#pragma once

#include <cstdint>
#include <optional>

#include "guest/time/time_source.hpp"

namespace fl::guest {

struct Timespec32 {
  int32_t seconds, nanoseconds;
  static Timespec32 from_ns(uint64_t ns) {
    return {static_cast<int32_t>(ns / kNsPerSecond), static_cast<int32_t>(ns % kNsPerSecond)};
  }
};

struct Timespec64 {
  int64_t seconds;
  int32_t nanoseconds;
  // Linux ignores the upper half when a 32-bit program passes one in.
  int32_t upper;
  static Timespec64 from_ns(uint64_t ns) {
    return {static_cast<int64_t>(ns / kNsPerSecond), static_cast<int32_t>(ns % kNsPerSecond), 0};
  }
};
static_assert(sizeof(Timespec64) == 16);

struct Timeval32 {
  int32_t seconds, microseconds;
  static Timeval32 from_ns(uint64_t ns) {
    return {static_cast<int32_t>(ns / kNsPerSecond), static_cast<int32_t>(ns % kNsPerSecond / 1000)};
  }
};

// Nanoseconds of a timespec; none if it is not a time (timespec64_valid). Times beyond 292 years become that.
template <typename Timespec>
std::optional<uint64_t> to_ns(const Timespec& time) {
  if (time.seconds < 0 || time.nanoseconds < 0 || static_cast<uint32_t>(time.nanoseconds) >= kNsPerSecond) {
    return std::nullopt;
  }
  constexpr uint64_t kMaxSeconds = INT64_MAX / kNsPerSecond;
  const auto seconds = static_cast<uint64_t>(time.seconds);
  return seconds >= kMaxSeconds ? static_cast<uint64_t>(INT64_MAX)
                                : seconds * kNsPerSecond + static_cast<uint32_t>(time.nanoseconds);
}

}  // namespace fl::guest
