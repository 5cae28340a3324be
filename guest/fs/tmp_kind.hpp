// What stands at /tmp: a file system of the guest's own, or the host's directory.
#pragma once

#include <cstdint>

namespace fl::guest {

enum class TmpKind : uint8_t { kTmpfs, kHost };

}  // namespace fl::guest
