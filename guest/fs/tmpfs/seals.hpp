// F_SEAL_* (linux/fcntl.h): what can no longer be done to a memfd.
#pragma once

#include <cstdint>

namespace fl::guest {

struct Seal {
  enum Bit : uint32_t { kSeal = 1, kShrink = 2, kGrow = 4, kWrite = 8, kFutureWrite = 16, kExec = 32 };
  static constexpr uint32_t kAll = 63;
};

}  // namespace fl::guest
