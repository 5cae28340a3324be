// The window to the engine's registers opens only where they really are.
#include "emu/cpu/register_window.hpp"

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <cstdint>

namespace fl::emu {
namespace {

using guest::Registers;

// A state as Unicorn lays it out: eax ecx edx ebx esp ebp esi edi, eight more, eip.
using State = std::array<uint64_t, 32>;

Registers registers(uint32_t seed) {
  Registers regs;
  regs.eax = seed + 1;
  regs.ecx = seed + 2;
  regs.edx = seed + 3;
  regs.ebx = seed + 4;
  regs.esp = seed + 5;
  regs.ebp = seed + 6;
  regs.esi = seed + 7;
  regs.edi = seed + 8;
  regs.eip = seed + 9;
  return regs;
}

void store(State& state, uint32_t seed) {
  for (uint32_t at = 0; at < 8; ++at) {
    state[at] = seed + 1 + at;
  }
  state[16] = seed + 9;
}

TEST_CASE("register window: it opens after four agreements on different values") {
  State state{};
  RegisterWindow window;
  for (uint32_t round = 1; round <= 4; ++round) {
    CHECK_FALSE(window.open());
    store(state, 100 * round);
    window.learn(state.data(), registers(100 * round));
    window.learn(state.data(), registers(100 * round));  // the same values again count once
  }
  REQUIRE(window.open());

  Registers regs;
  store(state, 7000);
  window.read(regs);
  CHECK(regs == registers(7000));
  window.write(registers(8000));
  CHECK(state[0] == 8001);
  CHECK(state[7] == 8008);
  CHECK(state[16] == 7009);  // eip is an argument of the engine's start
}

TEST_CASE("register window: one disagreement shuts it for good") {
  State state{};
  RegisterWindow window;
  store(state, 100);
  window.learn(state.data(), registers(100));
  window.learn(state.data(), registers(200));
  for (uint32_t round = 3; round <= 10; ++round) {
    store(state, 100 * round);
    window.learn(state.data(), registers(100 * round));
  }
  CHECK_FALSE(window.open());
}

}  // namespace
}  // namespace fl::emu
