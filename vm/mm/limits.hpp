// The resource limits that bound an address space, in bytes. Linux counterpart: RLIMIT_STACK, AS, DATA, MEMLOCK.
#pragma once

#include <cstdint>

namespace fl::vm {

inline constexpr uint32_t kUnlimited = 0xffffffffu;  // RLIM_INFINITY of i386

struct MemoryLimits {
  uint32_t stack = 8u << 20;
  uint32_t address_space = kUnlimited;
  uint32_t data = kUnlimited;
  uint32_t data_maximum = kUnlimited;  // the hard limit
  uint32_t memlock = 8u << 20;
};

}  // namespace fl::vm
