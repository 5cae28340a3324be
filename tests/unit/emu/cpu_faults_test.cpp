// The CPU's page faults and traps: what the kernel is told, and in which order.
#include <catch2/catch_test_macros.hpp>

#include "tests/unit/emu/cpu_machine.hpp"

using namespace fl;
using namespace fl::test;
using guest::Trap;
using mmu::Access;

TEST_CASE("cpu: a system call traps with eip past int 0x80 and precise registers") {
  CpuMachine m;
  m.code(kCode, std::vector<uint8_t>{0xb8, 1, 0, 0, 0, 0xbb, 42, 0, 0, 0} + kInt80);
  const Trap trap = m.run();
  CHECK(trap.kind == Trap::Kind::kSystemCall);
  CHECK(m.regs.eax == 1);
  CHECK(m.regs.ebx == 42);
  CHECK(m.regs.eip == kCode.value() + 12);
  CHECK(m.regs.cs == 0x73);
}

TEST_CASE("cpu: a load, a store and a fetch of absent pages fault with exact address and kind") {
  CpuMachine m;
  // mov eax, [kData+0x123]; mov [kData+0x1ffe], eax (crosses into the second and third page)
  m.code(kCode, std::vector<uint8_t>{0xa1} + le32(kData + 0x123) + std::vector<uint8_t>{0xa3} + le32(kData + 0x1ffe) + kInt80);
  CHECK(m.run_filling().kind == Trap::Kind::kSystemCall);
  REQUIRE(m.faults.size() == 3);
  CHECK(m.faults[0].addr == kData + 0x123);
  CHECK(m.faults[0].access == Access::kRead);
  CHECK(m.faults[0].error_code == mmu::PageFaultError::kUser);
  CHECK(m.faults[1].addr == kData + 0x1ffe);
  CHECK(m.faults[1].access == Access::kWrite);
  CHECK(m.faults[2].addr == kData + 0x2000);
  CHECK(m.faults[2].access == Access::kWrite);
  CHECK(m.mmu.cr2() == kData + 0x2000);
}

TEST_CASE("cpu: a jump to address 0 is a fetch fault, not a stop") {
  CpuMachine m;
  m.code(kCode, {0x31, 0xc0, 0xff, 0xe0});  // xor eax, eax; jmp eax
  const Trap trap = m.run();
  CHECK(trap.kind == Trap::Kind::kPageFault);
  CHECK(trap.access == Access::kFetch);
  CHECK(trap.addr == VirtAddr(0));
  CHECK(m.regs.eip == 0);
}
