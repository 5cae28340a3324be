// Resource limits of a process. Linux counterparts: struct rlimit64, RLIMIT_*, INIT_RLIMITS.
#pragma once

#include <array>
#include <cstdint>

#include "vm/mm/limits.hpp"

namespace fl::guest {

struct Rlimit {
  enum Resource : uint32_t {
    kCpu,
    kFsize,
    kData,
    kStack,
    kCore,
    kRss,
    kNproc,
    kNofile,
    kMemlock,
    kAs,
    kLocks,
    kSigPending,
    kMsgQueue,
    kNice,
    kRtPrio,
    kRtTime,
    kCount,
  };
  static constexpr uint64_t kInfinity = ~uint64_t{0};
  uint64_t current = kInfinity;
  uint64_t maximum = kInfinity;
};
using Rlimits = std::array<Rlimit, Rlimit::kCount>;

// What a login on Debian gets.
Rlimits default_rlimits();
// The part that the address space enforces.
vm::MemoryLimits memory_limits(const Rlimits& limits);

}  // namespace fl::guest
