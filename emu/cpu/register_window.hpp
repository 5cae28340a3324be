// The engine's general registers, read and written where they are instead of through its API, which costs a switch over
// all registers for each of them: a quarter of a system call.
//
// The engine's private state starts with the general registers in the processor's order, 64 bits each, and then the
// instruction pointer. That is not documented, so it is not believed: the place is taken only after the registers found
// there agreed with those that the API gave, in several different runs. Until then, and if it ever disagrees, the API
// is used. The state's address comes with the interposed helpers (interpose_marks.cpp).
#pragma once

#include <array>
#include <cstdint>

#include "guest/cpu/registers.hpp"

namespace fl::emu {

class RegisterWindow {
 public:
  // `state` is what a helper of the engine was given in the run that ended with the registers `known` (from the API).
  // Null teaches nothing.
  void learn(void* state, const guest::Registers& known);
  bool open() const { return agreements_ == kNeeded; }

  // Valid while the engine does not run and open() is true. EFLAGS and segments are not here.
  void read(guest::Registers& regs) const;
  void write(const guest::Registers& regs);

 private:
  static constexpr uint32_t kNeeded = 4;

  uint64_t* words_ = nullptr;
  uint32_t agreements_ = 0;
  bool hopeless_ = false;
  guest::Registers last_;
};

}  // namespace fl::emu
