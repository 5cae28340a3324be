// The CPU's page faults: what the kernel is told, and in which order.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "tests/unit/emu/cpu_machine.hpp"

using namespace fl;
using namespace fl::test;
using guest::Trap;
using mmu::Access;

namespace {
using Bytes = std::vector<uint8_t>;
constexpr uint32_t kUserRead = mmu::PageFaultError::kUser;
constexpr uint32_t kUserWrite = mmu::PageFaultError::kUser | mmu::PageFaultError::kWrite;
constexpr uint32_t kPresent = mmu::PageFaultError::kProtection;
}  // namespace

TEST_CASE("cpu: a load and a crossing store of absent pages fault with exact address and kind, lower page first") {
  CpuMachine m;
  m.code(kCode, Bytes{0xa1} + le32(kData + 0x123) + Bytes{0xa3} + le32(kData + 0x1ffe) + kInt80);
  CHECK(m.run_filling().kind == Trap::Kind::kSystemCall);
  REQUIRE(m.faults.size() == 3);
  CHECK(m.faults[0].addr == kData + 0x123);
  CHECK(m.faults[0].access == Access::kRead);
  CHECK(m.faults[0].error_code == kUserRead);
  CHECK(m.faults[1].addr == kData + 0x1ffe);
  CHECK(m.faults[1].access == Access::kWrite);
  CHECK(m.faults[1].error_code == kUserWrite);
  CHECK(m.faults[2].addr == kData + 0x2000);
  CHECK(m.faults[2].access == Access::kWrite);
  CHECK(m.mmu.cr2() == kData + 0x2000);
}

TEST_CASE("cpu: a crossing store whose second page faults has stored nothing") {
  CpuMachine m;
  m.map(kData, Rights::kReadWrite);
  m.code(kCode, Bytes{0xc7, 0x05} + le32(kData + 0xffe) + le32(0x11223344) + kInt80);
  CHECK(m.run().addr == kData + 0x1000);
  CHECK(m.word(kData + 0xffc) == 0);
  m.map(kData + 0x1000, Rights::kReadWrite);
  CHECK(m.run().kind == Trap::Kind::kSystemCall);
  CHECK(m.word(kData + 0xffc) == 0x33440000);
  CHECK(m.word(kData + 0x1000) == 0x1122);
}

TEST_CASE("cpu: a fault leaves the registers as before the instruction, also half-way through rep movs") {
  CpuMachine m;
  m.map(kData, Rights::kReadOnly);
  m.map(kData + 0x4000, Rights::kReadWrite);
  m.regs.esi = kData.value();
  m.regs.edi = kData.value() + 0x4ff0;
  m.regs.ecx = 0x20;
  m.code(kCode, Bytes{0xf3, 0xa4} + kInt80);
  const Trap trap = m.run();
  CHECK(trap.addr == kData + 0x5000);
  CHECK(trap.access == Access::kWrite);
  CHECK(m.regs.ecx == 0x10);
  CHECK(m.regs.edi == kData.value() + 0x5000);
  CHECK(m.regs.eip == kCode.value());
  CHECK((m.regs.eflags & guest::Eflags::kResume) != 0);
}

TEST_CASE("cpu: a read-modify-write of an absent page is one write fault") {
  // Each form works on [ebx]; ecx is its other operand.
  const Bytes form = GENERATE(values<Bytes>({
      {0x01, 0x0b},              // add [ebx], ecx
      {0x11, 0x0b},              // adc
      {0x83, 0x23, 0x00},        // and dword [ebx], 0
      {0x83, 0x0b, 0x00},        // or dword [ebx], 0
      {0x80, 0x33, 0x01},        // xor byte [ebx], 1
      {0x66, 0x29, 0x0b},        // sub word
      {0xfe, 0x03},              // inc byte
      {0xff, 0x0b},              // dec dword
      {0xf6, 0x13},              // not byte
      {0xf7, 0x1b},              // neg
      {0xd1, 0x23},              // shl
      {0xd3, 0x2b},              // shr cl
      {0xd1, 0x13},              // rcl
      {0xd0, 0x0b},              // ror byte
      {0x0f, 0xa4, 0x0b, 0x03},  // shld
      {0x0f, 0xab, 0x0b},        // bts
      {0x0f, 0xba, 0x33, 0x01},  // btr imm
      {0xf0, 0x0f, 0xbb, 0x0b},  // lock btc
      {0x0f, 0xc1, 0x0b},        // xadd
      {0x87, 0x0b},              // xchg
      {0x0f, 0xb1, 0x0b},        // cmpxchg
      {0xf0, 0x0f, 0xb1, 0x0b},  // lock cmpxchg
      {0x0f, 0xc7, 0x0b},        // cmpxchg8b
      {0xf0, 0x01, 0x0b},        // lock add
  }));
  CpuMachine m;
  m.code(kCode, form + kInt80);
  m.regs.ebx = kData.value() + 0x40;
  m.regs.ecx = 1;
  CHECK(m.run_filling().kind == Trap::Kind::kSystemCall);
  REQUIRE(m.faults.size() == 1);
  CHECK(m.faults[0].addr == kData + 0x40);
  CHECK(m.faults[0].access == Access::kWrite);
  CHECK(m.faults[0].error_code == kUserWrite);
}

TEST_CASE("cpu: a processor like TCG reads an absent operand before it asks to write it") {
  emu::CpuConfig config;
  config.model.modify = emu::ModifyAccess::kReadThenWrite;
  CpuMachine m(config);
  m.regs.ebx = kData.value() + 0xffe;
  m.code(kCode, Bytes{0x01, 0x0b} + kInt80);  // add [ebx], ecx, across two pages
  CHECK(m.run_filling().kind == Trap::Kind::kSystemCall);
  REQUIRE(m.faults.size() == 4);
  CHECK(m.faults[0].addr == kData + 0xffe);
  CHECK(m.faults[0].access == Access::kRead);
  CHECK(m.faults[1].addr == kData + 0x1000);
  CHECK(m.faults[1].access == Access::kRead);
  CHECK(m.faults[2].access == Access::kWrite);
  CHECK(m.faults[3].access == Access::kWrite);
}

TEST_CASE("cpu: loads, compares and stores keep their own kind") {
  struct Form {
    Bytes bytes;
    Access access;
  };
  const Form form = GENERATE(values<Form>({
      {{0x8b, 0x0b}, Access::kRead},         // mov ecx, [ebx]
      {{0x39, 0x0b}, Access::kRead},         // cmp
      {{0x85, 0x0b}, Access::kRead},         // test
      {{0x0f, 0xa3, 0x0b}, Access::kRead},   // bt
      {{0xff, 0x33}, Access::kRead},         // push [ebx]
      {{0xf7, 0x23}, Access::kRead},         // mul
      {{0xd9, 0x03}, Access::kRead},         // fld
      {{0x0f, 0x10, 0x03}, Access::kRead},   // movups
      {{0x89, 0x0b}, Access::kWrite},        // mov [ebx], ecx
      {{0x0f, 0x94, 0x03}, Access::kWrite},  // sete
      {{0x8f, 0x03}, Access::kWrite},        // pop [ebx]
      {{0xd9, 0x1b}, Access::kWrite},        // fstp
      {{0xd9, 0x3b}, Access::kWrite},        // fnstcw
      {{0x0f, 0x11, 0x03}, Access::kWrite},  // movups
      {{0x0f, 0xae, 0x03}, Access::kWrite},  // fxsave
      {{0x0f, 0xc3, 0x0b}, Access::kWrite},  // movnti
      {{0x8c, 0x1b}, Access::kWrite},        // mov [ebx], ds
  }));
  CpuMachine m;
  m.code(kCode, form.bytes + kInt80);
  m.regs.ebx = kData.value() + 0x40;
  m.regs.esp = kStackTop.value() - 64;
  CHECK(m.run_filling().kind == Trap::Kind::kSystemCall);
  REQUIRE(m.faults.size() == 1);
  CHECK(m.faults[0].addr == kData + 0x40);
  CHECK(m.faults[0].access == form.access);
}

TEST_CASE("cpu: a read-modify-write across two pages writes the lower one first") {
  CpuMachine m;
  m.code(kCode, Bytes{0x01, 0x0b} + kInt80);
  m.regs.ebx = kData.value() + 0xffd;
  SECTION("both absent") {
    CHECK(m.run_filling().kind == Trap::Kind::kSystemCall);
    REQUIRE(m.faults.size() == 2);
    CHECK(m.faults[0].addr == kData + 0xffd);
    CHECK(m.faults[0].access == Access::kWrite);
    CHECK(m.faults[1].addr == kData + 0x1000);
    CHECK(m.faults[1].access == Access::kWrite);
  }
  SECTION("the lower one read-only, the upper one absent") {
    m.map(kData, Rights::kReadOnly);
    CHECK(m.run_filling().kind == Trap::Kind::kSystemCall);
    REQUIRE(m.faults.size() == 2);
    CHECK(m.faults[0].addr == kData + 0xffd);
    CHECK(m.faults[0].error_code == (kUserWrite | kPresent));
    CHECK(m.faults[1].addr == kData + 0x1000);
    CHECK(m.faults[1].error_code == kUserWrite);
  }
}

TEST_CASE("cpu: a store to a read-only page is a protection fault, after which the same store succeeds") {
  CpuMachine m;
  m.map(kData, Rights::kReadOnly);
  m.code(kCode, Bytes{0x8b, 0x03, 0x89, 0x0b} + kInt80);  // mov eax, [ebx]; mov [ebx], ecx
  m.regs.ebx = kData.value() + 8;
  m.regs.ecx = 77;
  const Trap trap = m.run();
  CHECK(trap.addr == kData + 8);
  CHECK(trap.error_code == (kUserWrite | kPresent));
  m.pte(kData) = m.pte(kData).with(mmu::Pte::kWritable);
  CHECK(m.run().kind == Trap::Kind::kSystemCall);
  CHECK(m.word(kData + 8) == 77);
  CHECK(m.pte(kData).dirty());
}

TEST_CASE("cpu: rcl and rcr on a read-only page change the flags once") {
  if (!emu::active_interposition().rotates) {
    SKIP("without interposition the engine has lost the flags when the store faults");
  }
  const uint8_t modrm = GENERATE(uint8_t{0x13}, uint8_t{0x1b});  // rcl, rcr
  const Bytes opcode = GENERATE(Bytes{0xd1}, Bytes{0xd0}, Bytes{0x66, 0xd1});
  CpuMachine m;
  m.map(kData, Rights::kReadOnly);
  // stc; sets CF, then twice the rotate, so that the place of the flags is known the second time too.
  m.code(kCode, Bytes{0xf9} + opcode + Bytes{modrm, 0x90} + kInt80);
  m.regs.ebx = kData.value();
  m.set_word(kData, 0x40000040);
  CHECK(m.run().kind == Trap::Kind::kPageFault);
  CHECK((m.regs.eflags & guest::Eflags::kCarry) != 0);
  m.pte(kData) = m.pte(kData).with(mmu::Pte::kWritable);
  CHECK(m.run().kind == Trap::Kind::kSystemCall);
  const uint32_t expected = [&]() -> uint32_t {
    if (modrm == 0x13) {
      return opcode == Bytes{0xd1} ? 0x80000081 : opcode == Bytes{0xd0} ? 0x40000081 : 0x40000081;
    }
    return opcode == Bytes{0xd1} ? 0xa0000020 : opcode == Bytes{0xd0} ? 0x400000a0 : 0x40008020;
  }();
  CHECK(m.word(kData) == expected);
}

TEST_CASE("cpu: bt, bts and friends fault at the address that the bit offset gives") {
  CpuMachine m;
  m.code(kCode, Bytes{0x0f, 0xab, 0x0b} + kInt80);
  m.regs.ebx = kData.value() + 0x1004;
  SECTION("forwards") {
    m.regs.ecx = 0x10000 * 8 + 33;
    CHECK(m.run().addr == kData + 0x1004 + 0x10004);
  }
  SECTION("backwards") {
    m.regs.ecx = static_cast<uint32_t>(-1);
    CHECK(m.run().addr == kData + 0x1000);
  }
}

TEST_CASE("cpu: instructions with two memory operands name the one that faulted") {
  CpuMachine m;
  m.regs.esi = kData.value() + 0x10;
  m.regs.edi = kData.value() + 0x2020;
  SECTION("movs reads, then writes") {
    m.code(kCode, Bytes{0xa5} + kInt80);
    CHECK(m.run_filling().kind == Trap::Kind::kSystemCall);
    REQUIRE(m.faults.size() == 2);
    CHECK(m.faults[0].addr == kData + 0x10);
    CHECK(m.faults[0].access == Access::kRead);
    CHECK(m.faults[1].addr == kData + 0x2020);
    CHECK(m.faults[1].access == Access::kWrite);
  }
  SECTION("cmps reads es:[edi] first") {
    m.code(kCode, Bytes{0xa6} + kInt80);
    CHECK(m.run_filling().kind == Trap::Kind::kSystemCall);
    REQUIRE(m.faults.size() == 2);
    CHECK(m.faults[0].access == Access::kRead);
    CHECK(m.faults[0].addr == kData + 0x2020);
    CHECK(m.faults[1].addr == kData + 0x10);
  }
  SECTION("rep cmps reads [esi] first") {
    m.regs.ecx = 3;
    m.code(kCode, Bytes{0xf3, 0xa6} + kInt80);
    CHECK(m.run_filling().kind == Trap::Kind::kSystemCall);
    REQUIRE(m.faults.size() == 2);
    CHECK(m.faults[0].access == Access::kRead);
    CHECK(m.faults[0].addr == kData + 0x10);
    CHECK(m.faults[1].addr == kData + 0x2020);
  }
  SECTION("push [m] reads, then writes the stack") {
    m.regs.esp = kData.value() + 0x4000;
    m.code(kCode, Bytes{0xff, 0x36} + kInt80);
    CHECK(m.run_filling().kind == Trap::Kind::kSystemCall);
    REQUIRE(m.faults.size() == 2);
    CHECK(m.faults[0].addr == kData + 0x10);
    CHECK(m.faults[1].addr == kData + 0x3ffc);
    CHECK(m.faults[1].access == Access::kWrite);
  }
}

TEST_CASE("cpu: implied operands have exact addresses") {
  struct Form {
    Bytes bytes;
    uint32_t offset;  // of the fault, from esp
    Access access;
  };
  // esp points to the start of an absent page, with absent pages below.
  const Form form = GENERATE(values<Form>({
      {{0x50}, static_cast<uint32_t>(-4), Access::kWrite},              // push eax
      {{0x66, 0x50}, static_cast<uint32_t>(-2), Access::kWrite},        // push ax
      {{0xe8, 0, 0, 0, 0}, static_cast<uint32_t>(-4), Access::kWrite},  // call
      {{0x9c}, static_cast<uint32_t>(-4), Access::kWrite},              // pushf
      {{0xc8, 0, 0, 0}, static_cast<uint32_t>(-4), Access::kWrite},     // enter
      {{0x58}, 0, Access::kRead},                                       // pop eax
      {{0xc3}, 0, Access::kRead},                                       // ret
      {{0x60}, static_cast<uint32_t>(-4), Access::kWrite},              // pusha: eax first
      {{0x61}, 0, Access::kRead},                                       // popa
      {{0x8f, 0x44, 0x24, 0x08}, 0, Access::kRead},                     // pop [esp+8]: the stack first
  }));
  CpuMachine m;
  m.regs.esp = kData.value() + 0x8000;
  m.code(kCode, form.bytes + kInt80);
  const Trap trap = m.run();
  REQUIRE(trap.kind == Trap::Kind::kPageFault);
  CHECK(trap.addr == VirtAddr(m.regs.esp + form.offset));
  CHECK(trap.access == form.access);
}

TEST_CASE("cpu: pusha pushes downwards: the upper page faults first, at the slot that lies in it") {
  CpuMachine m;
  m.code(kCode, Bytes{0x60} + kInt80);
  m.regs.esp = kData.value() + 0x1010;
  SECTION("both pages absent") {
    CHECK(m.run_filling().kind == Trap::Kind::kSystemCall);
    REQUIRE(m.faults.size() == 2);
    CHECK(m.faults[0].addr == kData + 0x100c);
    CHECK(m.faults[1].addr == kData + 0xffc);
  }
  SECTION("a slot across the boundary") {
    m.map(kData + 0x1000, Rights::kReadWrite);
    m.regs.esp += 2;
    CHECK(m.run().addr == kData + 0xffe);
  }
}

TEST_CASE("cpu: pop [esp+x] stores relative to the popped stack pointer") {
  CpuMachine m;
  m.map(kData, Rights::kReadWrite);
  m.regs.esp = kData.value() + 0xff8;
  m.code(kCode, Bytes{0x8f, 0x44, 0x24, 0x10} + kInt80);
  CHECK(m.run().addr == kData + 0xff8 + 4 + 0x10);
}

TEST_CASE("cpu: xlat, 16-bit addressing, leave and a TLS segment have exact addresses") {
  CpuMachine m;
  SECTION("xlat") {
    m.regs.ebx = kData.value();
    m.regs.eax = 0xfe;
    m.code(kCode, Bytes{0xd7} + kInt80);
    CHECK(m.run().addr == kData + 0xfe);
  }
  SECTION("16-bit address") {
    m.regs.ebx = 0x1fff8;
    m.regs.esi = 0x10;
    m.code(kCode, Bytes{0x67, 0x8b, 0x00} + kInt80);  // mov eax, [bx+si]
    CHECK(m.run().addr == VirtAddr(0x8));
  }
  SECTION("leave") {
    m.regs.ebp = kData.value() + 0x24;
    m.code(kCode, Bytes{0xc9} + kInt80);
    CHECK(m.run().addr == kData + 0x24);
  }
  SECTION("gs with a base") {
    const uint32_t base = kData.value() + 0x500;
    m.tls[0].low = base << 16 | 0xffff;
    m.tls[0].high = (base & 0xff000000) | 0x00dff300 | ((base >> 16) & 0xff);
    m.regs.gs = 0x33;
    m.code(kCode, Bytes{0x65, 0xa1, 0x14, 0, 0, 0} + kInt80);
    CHECK(m.run().addr == kData + 0x514);
    CHECK(m.regs.gs == 0x33);
    m.map(kData, Rights::kReadWrite);
    m.set_word(kData + 0x514, 99);
    CHECK(m.run().kind == Trap::Kind::kSystemCall);
    CHECK(m.regs.eax == 99);
  }
}

TEST_CASE("cpu: a big operand reports the first byte in the missing page") {
  CpuMachine m;
  m.map(kData, Rights::kReadWrite);
  m.code(kCode, Bytes{0x0f, 0xae, 0x03} + kInt80);  // fxsave [ebx]
  m.regs.ebx = kData.value() + 0xf00;
  CHECK(m.run().addr == kData + 0x1000);
}

TEST_CASE("cpu: an access across the end of the address space violates the segment's limit and is not page 0") {
  CpuMachine m;
  m.map(VirtAddr(0), Rights::kReadWrite);
  m.set_word(VirtAddr(0), 0x01010101);
  struct Form {
    Bytes bytes;
    guest::Vector vector;
  };
  constexpr auto kGeneral = guest::Vector::kGeneralProtection, kStack = guest::Vector::kStackSegment;
  const Form form = GENERATE_COPY(values<Form>({
      {{0x8b, 0x03}, kGeneral},        // mov eax, [ebx]
      {{0x89, 0x03}, kGeneral},        // mov [ebx], eax
      {{0x01, 0x03}, kGeneral},        // add [ebx], eax
      {{0x0f, 0x10, 0x03}, kGeneral},  // movups xmm0, [ebx]
      {{0xdd, 0x03}, kGeneral},        // fld qword [ebx]
      {{0x58}, kStack},                // pop eax
      {{0xc3}, kStack},                // ret
  }));
  m.regs.ebx = m.regs.esp = 0xfffffffe;
  m.code(kCode, form.bytes + kInt80);
  const Trap trap = m.run();
  CHECK(trap.kind == Trap::Kind::kException);
  CHECK(trap.vector == static_cast<uint8_t>(form.vector));
  CHECK(trap.error_code == 0);
  CHECK(m.word(VirtAddr(0)) == 0x01010101);
}

TEST_CASE("cpu: an access that ends at the last address is a page fault there") {
  CpuMachine m;
  m.regs.ebx = 0xfffffffc;
  m.code(kCode, Bytes{0x8b, 0x03} + kInt80);
  const Trap trap = m.run();
  CHECK(trap.kind == Trap::Kind::kPageFault);
  CHECK(trap.addr == VirtAddr(0xfffffffc));
  CHECK((trap.error_code & kPresent) != 0);
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

TEST_CASE("cpu: a crossing instruction faults after the data faults of the instructions before it") {
  CpuMachine m;
  // pushf; mov eax, [kData]; then an instruction whose last bytes are on the next page
  const Bytes crossing = Bytes{0xb9} + le32(uint32_t{0x12345678});
  const Bytes program = Bytes{0x9c, 0xa1} + le32(kData) + crossing + kInt80;
  const VirtAddr start = kCode + kPageSize - 6 - 3;
  m.code(start, program);
  const mmu::Pte second = m.pte(kCode + kPageSize);
  const auto run_through = [&] {
    m.regs.eip = start.value();
    m.regs.esp = kStackTop.value();
    m.unmap(kCode + kPageSize);
    m.unmap(kData);
    const Trap data = m.run();
    CHECK(data.access == Access::kRead);
    CHECK(data.addr == kData);
    CHECK(m.regs.eip == start.value() + 1);
    CHECK((m.regs.eflags & guest::Eflags::kTrap) == 0);
    m.map(kData, Rights::kReadOnly);
    const Trap fetch = m.run();
    CHECK(fetch.access == Access::kFetch);
    CHECK(fetch.addr == kCode + kPageSize);
    CHECK(m.regs.eip == start.value() + 6);
    CHECK((m.regs.eflags & guest::Eflags::kTrap) == 0);
    m.pte(kCode + kPageSize) = second;
    CHECK(m.run().kind == Trap::Kind::kSystemCall);
    CHECK(m.regs.ecx == 0x12345678);
    // The pushed flags are the program's.
    CHECK((m.word(VirtAddr(m.regs.esp)) & guest::Eflags::kTrap) == 0);
  };
  run_through();
  // The same frames again, as another process that shares the text would have them: now the block is in the cache.
  run_through();
}

TEST_CASE("cpu: stepping towards a missing page counts as one block") {
  CpuMachine m;
  const VirtAddr start = kCode + kPageSize - 8;
  m.code(start, Bytes(8, 0x90) + kInt80);
  const mmu::Pte second = m.pte(kCode + kPageSize);
  m.regs.eip = start.value();
  m.unmap(kCode + kPageSize);
  const uint64_t before = m.cpu.blocks();
  CHECK(m.run().addr == kCode + kPageSize);
  const uint64_t first = m.cpu.blocks() - before;
  CHECK(first <= 1);
  m.pte(kCode + kPageSize) = second;
  CHECK(m.run().kind == Trap::Kind::kSystemCall);
  CHECK(m.cpu.blocks() - before == first + 1);
}

TEST_CASE("cpu: no-execute pages refuse fetches only where the kernel profile has them") {
  const auto run_nx = [](mmu::NoExecute support) {
    CpuMachine m({}, support);
    m.code(kCode, kInt80);
    m.pte(kCode) = m.pte(kCode).with(mmu::Pte::kNoExecute);
    return m.run();
  };
  CHECK(run_nx(mmu::NoExecute::kUnsupported).kind == Trap::Kind::kSystemCall);
  const Trap trap = run_nx(mmu::NoExecute::kHonoured);
  CHECK(trap.kind == Trap::Kind::kPageFault);
  CHECK(trap.error_code == (kUserRead | kPresent | mmu::PageFaultError::kInstruction));
}
