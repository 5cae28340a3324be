// struct rusage of i386 (getrusage(2)), as getrusage, wait4 and waitid store it. Linux counterpart: getrusage,
// struct compat_rusage.
#pragma once

#include <array>
#include <cstdint>

#include "guest/syscall/time_types.hpp"
#include "guest/task/thread_group.hpp"

namespace fl::guest {

struct Rusage {
  Timeval32 user, system;
  int32_t max_rss_kib, ix_rss, id_rss, is_rss, minor_faults, major_faults;
  int32_t swaps, blocks_in, blocks_out, messages_sent, messages_received, signals;
  int32_t voluntary_switches, involuntary_switches;
};
static_assert(sizeof(Rusage) == 72);

// All processor time counts as the program's own.
inline Rusage to_rusage(const ResourceUse& use) {
  Rusage usage{};
  usage.user = Timeval32::from_ns(use.cpu_ns);
  usage.max_rss_kib = static_cast<int32_t>(use.max_rss_kb);
  usage.minor_faults = static_cast<int32_t>(use.minor_faults);
  usage.major_faults = static_cast<int32_t>(use.major_faults);
  usage.voluntary_switches = static_cast<int32_t>(use.voluntary_switches);
  usage.involuntary_switches = static_cast<int32_t>(use.involuntary_switches);
  return usage;
}

}  // namespace fl::guest
