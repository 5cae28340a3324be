// Pair: two numbers that should be equal.
#pragma once

#include <cstdint>

namespace fl::emu {

struct Pair {
  uint64_t real = 0, ours = 0;
  bool equal() const { return real == ours; }
};

}  // namespace fl::emu
