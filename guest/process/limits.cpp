// Rlimits: the defaults, and what of them the address space enforces.
#include "guest/process/limits.hpp"

#include <algorithm>

namespace fl::guest {

Rlimits default_rlimits() {
  Rlimits limits;
  limits[Rlimit::kStack] = {8u << 20, Rlimit::kInfinity};
  limits[Rlimit::kCore] = {0, Rlimit::kInfinity};
  limits[Rlimit::kNproc] = {1024, 1024};
  limits[Rlimit::kNofile] = {1024, 1048576};
  limits[Rlimit::kMemlock] = {8u << 20, 8u << 20};
  limits[Rlimit::kSigPending] = {1024, 1024};
  limits[Rlimit::kMsgQueue] = {819200, 819200};
  limits[Rlimit::kNice] = {0, 0};
  limits[Rlimit::kRtPrio] = {0, 0};
  return limits;
}

vm::MemoryLimits memory_limits(const Rlimits& limits) {
  const auto narrow = [](uint64_t limit) { return static_cast<uint32_t>(std::min<uint64_t>(limit, vm::kUnlimited)); };
  const auto bytes = [&](Rlimit::Resource resource) { return narrow(limits[resource].current); };
  return {.stack = bytes(Rlimit::kStack),
          .address_space = bytes(Rlimit::kAs),
          .data = bytes(Rlimit::kData),
          .data_maximum = narrow(limits[Rlimit::kData].maximum),
          .memlock = bytes(Rlimit::kMemlock)};
}

}  // namespace fl::guest
