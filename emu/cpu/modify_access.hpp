// How a processor asks for an absent page whose operand an instruction both reads and writes.
#pragma once

#include <cstdint>

namespace fl::emu {

enum class ModifyAccess : uint8_t {
  kWrite,  // once, to write: a real processor
  // QEMU's TCG, and so the references that were recorded under it. Its other habits are the engine's too: pusha stores
  // from the lowest address upwards, rep cmps reads its second operand first.
  kReadThenWrite,
};

}  // namespace fl::emu
