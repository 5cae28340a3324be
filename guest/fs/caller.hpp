// Caller: who asks something of the file tree. Linux counterpart: current, current_cred().
#pragma once

#include <cstdint>

namespace fl::guest {

struct Credentials;

// /proc/self depends on who asks, and what tmpfs allows. File systems of the host let the host judge.
struct Caller {
  uint32_t pid = 0;
  uint32_t tid = 0;
  const Credentials* cred = nullptr;  // null: the kernel itself, as user 0
};

}  // namespace fl::guest
