// System calls, exceptions, kernel addresses, segments, the FPU, CPUID and the time-stamp counter.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "emu/cpu/cpu_model.hpp"
#include "emu/cpu/monitor_layout.hpp"
#include "tests/unit/emu/cpu_machine.hpp"

using namespace fl;
using namespace fl::test;
using guest::Trap;
using guest::Vector;
using mmu::Access;

namespace {
using Bytes = std::vector<uint8_t>;

struct Expected {
  Bytes bytes;
  Vector vector;
  uint32_t eip;  // relative to the instruction
  uint32_t error_code = 0;
};
}  // namespace

TEST_CASE("cpu: a system call traps with eip past int 0x80 and precise registers") {
  CpuMachine m;
  m.code(kCode, Bytes{0xb8, 1, 0, 0, 0, 0xbb, 42, 0, 0, 0} + kInt80);
  CHECK(m.run().kind == Trap::Kind::kSystemCall);
  CHECK(m.regs.eax == 1);
  CHECK(m.regs.ebx == 42);
  CHECK(m.regs.eip == kCode.value() + 12);
  CHECK(m.regs.cs == 0x73);
  CHECK((m.regs.eflags & guest::Eflags::kResume) == 0);
}

TEST_CASE("cpu: a 64-bit kernel's selectors are used in its layout") {
  emu::CpuConfig config;
  config.segments = emu::SegmentLayout::compat();
  CpuMachine m(config);
  m.code(kCode, kInt80);
  CHECK(m.run().kind == Trap::Kind::kSystemCall);
  CHECK(m.regs.cs == 0x23);
  CHECK(m.regs.ss == 0x2b);
  CHECK(config.segments.tls_selector(0) == 0x63);
}

TEST_CASE("cpu: exceptions have the processor's vector, error code and eip") {
  const auto gate = [](uint32_t n) { return n * 8 + 2; };
  const Expected expected = GENERATE_COPY(values<Expected>({
      {{0xf7, 0xf1}, Vector::kDivideError, 0},          // div ecx, ecx = 0
      {{0xd4, 0x00}, Vector::kDivideError, 0},          // aam 0
      {{0xcc}, Vector::kBreakpoint, 1},                 // int3
      {{0xcd, 0x03}, Vector::kBreakpoint, 2},           // int 3
      {{0xcd, 0x04}, Vector::kOverflow, 2},             // int 4
      {{0xf1}, Vector::kDebug, 1},                      // int1
      {{0x0f, 0x0b}, Vector::kInvalidOpcode, 0},        // ud2
      {{0x0f, 0x34}, Vector::kInvalidOpcode, 0},        // sysenter
      {{0x0f, 0x05}, Vector::kInvalidOpcode, 0},        // syscall
      {{0xf0, 0x90}, Vector::kInvalidOpcode, 0},        // lock nop
      {{0x8e, 0xc8}, Vector::kInvalidOpcode, 0},        // mov cs, ax
      {{0x0f, 0xc7, 0xf0}, Vector::kInvalidOpcode, 0},  // rdrand
      {{0xcd, 0x00}, Vector::kGeneralProtection, 0, gate(0)},
      {{0xcd, 0x01}, Vector::kGeneralProtection, 0, gate(1)},
      {{0xcd, 0x06}, Vector::kGeneralProtection, 0, gate(6)},
      {{0xcd, 0x0d}, Vector::kGeneralProtection, 0, gate(13)},
      {{0xcd, 0x0e}, Vector::kGeneralProtection, 0, gate(14)},
      {{0xcd, 0x21}, Vector::kGeneralProtection, 0, gate(0x21)},
      {{0xcd, 0x81}, Vector::kGeneralProtection, 0, gate(0x81)},
      {{0xcd, 0xff}, Vector::kGeneralProtection, 0, gate(0xff)},
      {{0xf4}, Vector::kGeneralProtection, 0},              // hlt
      {{0xfa}, Vector::kGeneralProtection, 0},              // cli
      {{0x0f, 0x20, 0xc0}, Vector::kGeneralProtection, 0},  // mov eax, cr0
      {{0x0f, 0x22, 0xd8}, Vector::kGeneralProtection, 0},  // mov cr3, eax
      {{0x0f, 0x32}, Vector::kGeneralProtection, 0},        // rdmsr
      {{0x0f, 0x33}, Vector::kGeneralProtection, 0},        // rdpmc
      {{0x0f, 0x00, 0xd0}, Vector::kGeneralProtection, 0},  // lldt ax
      {{0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x90},
       Vector::kGeneralProtection,
       0},  // 16 bytes long
  }));
  CpuMachine m;
  m.code(kCode, Bytes{0x90, 0x90, 0x31, 0xc9} + expected.bytes + Bytes{0x90, 0x90} + kInt80);
  const Trap trap = m.run();
  REQUIRE(trap.kind == Trap::Kind::kException);
  CHECK(trap.vector == static_cast<uint8_t>(expected.vector));
  CHECK(trap.error_code == expected.error_code);
  CHECK(m.regs.eip == kCode.value() + 4 + expected.eip);
  const bool is_fault = expected.eip == 0;
  CHECK(((m.regs.eflags & guest::Eflags::kResume) != 0) == is_fault);
}

TEST_CASE("cpu: ports are privileged") {
  if (!emu::active_interposition().io) {
    SKIP("without interposition the engine executes in and out");
  }
  const Bytes form =
      GENERATE(Bytes{0xe4, 0x10}, Bytes{0xe7, 0x10}, Bytes{0xec}, Bytes{0x66, 0xef}, Bytes{0x6c}, Bytes{0x6e});
  CpuMachine m;
  m.code(kCode, Bytes{0x90} + form + kInt80);
  m.regs.eax = 0x1234;
  m.regs.edi = m.regs.esi = kData.value();
  CAPTURE(form);
  const Trap trap = m.run();
  // outs reads memory before the port; the fault of that read comes first only in the engine.
  CHECK(trap.kind == Trap::Kind::kException);
  CHECK(trap.vector == static_cast<uint8_t>(Vector::kGeneralProtection));
  CHECK(m.regs.eip == kCode.value() + 1);
  CHECK(m.regs.eax == 0x1234);
}

TEST_CASE("cpu: the same exception can be raised again and again") {
  CpuMachine m;
  m.code(kCode, {0x31, 0xc9, 0xf7, 0xf1});
  m.code(kCode + 0x100, {0xf4});
  m.regs.ebx = 5;
  for (int round = 0; round < 6; ++round) {
    m.regs.eip = kCode.value();
    CHECK(m.run().vector == static_cast<uint8_t>(Vector::kDivideError));
    CHECK(m.regs.ebx == 5);
    m.regs.eip = kCode.value() + 0x100;
    CHECK(m.run().vector == static_cast<uint8_t>(Vector::kGeneralProtection));
  }
}

TEST_CASE("cpu: an exception leaves the FPU and the segments alone") {
  CpuMachine m;
  m.tls[1] = {0x0000ffff, 0x10dff300};  // base 0x10000000 = kData
  m.map(kData, Rights::kReadWrite);
  m.set_word(kData, 0x600d);
  m.regs.fs = 0x3b;
  m.code(kCode, Bytes{0xd9, 0xe8, 0xf4});  // fld1; hlt
  CHECK(m.run().kind == Trap::Kind::kException);
  const guest::FxState state = m.cpu.save();
  CHECK(static_cast<uint8_t>(state.bytes[4]) == 0x80);
  m.code(kCode + 0x100, Bytes{0x64, 0xa1, 0, 0, 0, 0} + kInt80);  // mov eax, fs:[0]
  m.regs.eip = kCode.value() + 0x100;
  CHECK(m.run().kind == Trap::Kind::kSystemCall);
  CHECK(m.regs.eax == 0x600d);
  CHECK(m.cpu.save().bytes == state.bytes);
}

TEST_CASE("cpu: an unmasked x87 error is exception 16 at the next waiting instruction") {
  CpuMachine m;
  // fninit; push 0; fldcw [esp]; fldz; fld1; fdiv st, st(1); fwait
  m.code(kCode, Bytes{0xdb, 0xe3, 0x6a, 0x00, 0xd9, 0x2c, 0x24, 0xd9, 0xee, 0xd9, 0xe8, 0xd8, 0xf1, 0x9b} + kInt80);
  const Trap trap = m.run();
  CHECK(trap.kind == Trap::Kind::kException);
  CHECK(trap.vector == static_cast<uint8_t>(Vector::kX87));
  CHECK(m.regs.eip == kCode.value() + 13);
}

TEST_CASE("cpu: the trap flag gives a debug exception after each instruction") {
  CpuMachine m;
  m.code(kCode, Bytes{0x90, 0x40} + kInt80);
  m.regs.eflags |= guest::Eflags::kTrap;
  CHECK(m.run().vector == static_cast<uint8_t>(Vector::kDebug));
  CHECK(m.regs.eip == kCode.value() + 1);
  CHECK((m.regs.eflags & guest::Eflags::kTrap) != 0);
  CHECK(m.run().vector == static_cast<uint8_t>(Vector::kDebug));
  CHECK(m.regs.eax == 1);
}

TEST_CASE("cpu: kernel addresses are user faults with P set, whatever the instruction") {
  struct Probe {
    Bytes bytes;
    Access access;
  };
  const uint32_t target =
      GENERATE(uint32_t{0xc0000000}, uint32_t{0xc0001000}, emu::kGdtPage.value(), emu::kGdtPage.value() + 0x60,
               emu::kStubPage.value(), emu::kStackPage.value(), emu::kDropWindow.value(), uint32_t{0xfffff000});
  const Probe probe = GENERATE(values<Probe>({
      {{0x8b, 0x03}, Access::kRead},         // mov eax, [ebx]
      {{0x89, 0x03}, Access::kWrite},        // mov [ebx], eax
      {{0x01, 0x03}, Access::kWrite},        // add [ebx], eax
      {{0x8e, 0x23}, Access::kRead},         // mov fs, [ebx]
      {{0xc4, 0x0b}, Access::kRead},         // les ecx, [ebx]
      {{0x0f, 0x00, 0x23}, Access::kRead},   // verr [ebx]
      {{0x0f, 0x02, 0x0b}, Access::kRead},   // lar ecx, [ebx]
      {{0xff, 0x2b}, Access::kRead},         // jmp far [ebx]
      {{0x0f, 0xae, 0x03}, Access::kWrite},  // fxsave [ebx]
      {{0xff, 0xe3}, Access::kFetch},        // jmp ebx
      {{0xff, 0xd3}, Access::kFetch},        // call ebx
      {{0xff, 0x23}, Access::kRead},         // jmp [ebx]
  }));
  CpuMachine m;
  m.code(kCode, probe.bytes + kInt80);
  m.regs.ebx = target;
  CAPTURE(probe.bytes, target);
  // A kernel as Linux maps it: present, supervisor, large.
  auto* directory = reinterpret_cast<mmu::Pte*>(m.ram.frame(Pfn(1)));
  directory[mmu::pgd_index(VirtAddr(0xc0000000))] =
      mmu::Pte(Pfn(0), mmu::Pte::kPresent | mmu::Pte::kWritable | mmu::Pte::kLarge);
  const std::vector<std::byte> before(m.ram.frame(Pfn(0)), m.ram.frame(Pfn(3)));
  const Trap trap = m.run();
  REQUIRE(trap.kind == Trap::Kind::kPageFault);
  CHECK(trap.addr == VirtAddr(target));
  CHECK(trap.access == probe.access);
  CHECK((trap.error_code & mmu::PageFaultError::kProtection) != 0);
  CHECK((trap.error_code & mmu::PageFaultError::kUser) != 0);
  // Only A and D bits of the guest's own tables may have changed; frame 0 must be as it was.
  CHECK(std::equal(before.begin(), before.begin() + kPageSize, m.ram.frame(Pfn(0))));
}

TEST_CASE("cpu: after a segment load the GDT is still unreadable") {
  CpuMachine m;
  // mov eax, ds; mov fs, eax; mov ecx, [gdt]
  m.code(kCode, Bytes{0x8c, 0xd8, 0x8e, 0xe0, 0x8b, 0x0d} + le32(emu::kGdtPage) + kInt80);
  const Trap trap = m.run();
  CHECK(trap.kind == Trap::Kind::kPageFault);
  CHECK(trap.addr == emu::kGdtPage);
  CHECK(m.regs.fs == 0x7b);
}

TEST_CASE("cpu: a descriptor table operand beside the GDT does not open the GDT") {
  CpuMachine m;
  // A user address in the last user page, whose operand would end in kernel space.
  m.map(VirtAddr(0xbffff000), Rights::kReadOnly);
  m.code(kCode, Bytes{0xc4, 0x0b} + kInt80);
  m.regs.ebx = 0xbffffffc;
  const Trap trap = m.run();
  CHECK(trap.kind == Trap::Kind::kPageFault);
  CHECK(trap.addr == VirtAddr(0xc0000000));
}

TEST_CASE("cpu: loading a selector the user may not have is a general protection fault") {
  const uint16_t selector = GENERATE(uint16_t{0x60}, uint16_t{0x68}, uint16_t{0x07}, uint16_t{0x33}, uint16_t{0x100});
  CpuMachine m;
  m.code(kCode, Bytes{0x8e, 0xe0} + kInt80);
  m.regs.eax = selector;
  const Trap trap = m.run();
  CHECK(trap.kind == Trap::Kind::kException);
  CHECK(trap.vector == static_cast<uint8_t>(Vector::kGeneralProtection));
  CHECK(trap.error_code == (selector & 0xfffc));
}

TEST_CASE("cpu: the error code names the selector, wherever the instruction had it from") {
  const Bytes form = GENERATE(Bytes{0x8e, 0x23},                  // mov fs, [ebx]
                              Bytes{0xff, 0x33, 0x1f},            // push [ebx]; pop ds
                              Bytes{0xc4, 0x4b, 0xfc},            // les ecx, [ebx-4]
                              Bytes{0xff, 0x6b, 0xfc},            // jmp far [ebx-4]
                              Bytes{0xea, 0, 0, 0, 0, 0x68, 0},   // jmp far imm
                              Bytes{0xff, 0x33, 0x6a, 0, 0xcb});  // push [ebx]; push 0; retf
  CpuMachine m;
  m.map(kData, Rights::kReadWrite);
  m.set_word(kData + 16, 0x68);
  m.regs.ebx = kData.value() + 16;
  m.code(kCode, form + kInt80);
  const Trap trap = m.run();
  CHECK(trap.vector == static_cast<uint8_t>(Vector::kGeneralProtection));
  CHECK(trap.error_code == 0x68);
}

TEST_CASE("cpu: a divide error behind bytes that look like int 0 is a divide error, a prefixed int is found whole") {
  if (!emu::active_interposition().marks) {
    SKIP("needs interposition");
  }
  CpuMachine m;
  // jmp over "cd 00"; div ecx
  m.code(kCode, Bytes{0x31, 0xc9, 0xeb, 0x02, 0xcd, 0x00, 0xf7, 0xf1} + kInt80);
  CHECK(m.run().vector == static_cast<uint8_t>(Vector::kDivideError));
  CHECK(m.regs.eip == kCode.value() + 6);
  m.code(kCode + 0x100, Bytes{0x66, 0xcd, 0x0e} + kInt80);
  m.regs.eip = kCode.value() + 0x100;
  CHECK(m.run().error_code == 14 * 8 + 2);
  CHECK(m.regs.eip == kCode.value() + 0x100);
}

TEST_CASE("cpu: a selector in the task's registers that cannot be loaded becomes null; a bad ss is #GP") {
  CpuMachine m;
  m.code(kCode, kInt80);
  SECTION("gs") {
    m.regs.gs = 0x33;  // no descriptor
    CHECK(m.run().kind == Trap::Kind::kSystemCall);
    CHECK(m.regs.gs == 0);
  }
  SECTION("ss, cs") {
    (GENERATE(0, 1) == 0 ? m.regs.ss : m.regs.cs) = 0x60;
    const Trap trap = m.run();
    CHECK(trap.kind == Trap::Kind::kException);
    CHECK(trap.vector == static_cast<uint8_t>(Vector::kGeneralProtection));
    m.regs.ss = 0x7b;
    m.regs.cs = 0x73;
    CHECK(m.run().kind == Trap::Kind::kSystemCall);
  }
}

TEST_CASE("cpu: a changed TLS descriptor takes effect although the selector stays") {
  CpuMachine m;
  m.map(kData, Rights::kReadWrite);
  m.map(kData + kPageSize, Rights::kReadWrite);
  m.set_word(kData, 1);
  m.set_word(kData + kPageSize, 2);
  m.code(kCode, Bytes{0x65, 0xa1, 0, 0, 0, 0} + kInt80);
  m.regs.gs = 0x33;
  for (uint32_t task = 0; task < 4; ++task) {
    m.tls[0] = {(task % 2 == 0 ? 0u : 0x1000u << 16) | 0xffff, 0x10dff300};
    m.regs.eip = kCode.value();
    CHECK(m.run().kind == Trap::Kind::kSystemCall);
    CHECK(m.regs.eax == task % 2 + 1);
  }
}

TEST_CASE("cpu: the stack is a 32-bit one") {
  CpuMachine m;
  // push 5; mov ss, ss's own selector; push 6
  m.code(kCode, Bytes{0x6a, 5, 0x8c, 0xd0, 0x8e, 0xd0, 0x6a, 6} + kInt80);
  CHECK(m.run().kind == Trap::Kind::kSystemCall);
  CHECK(m.regs.esp == kStackTop.value() - 8);
  CHECK(m.word(kStackTop - 4) == 5);
  CHECK(m.word(kStackTop - 8) == 6);
}

TEST_CASE("cpu: EFLAGS bits that are not the user's are ignored") {
  CpuMachine m;
  m.code(kCode, Bytes{0x9c, 0x58} + kInt80);       // pushf; pop eax
  m.regs.eflags = 0x3000 | guest::Eflags::kCarry;  // IOPL 3, IF off
  CHECK(m.run().kind == Trap::Kind::kSystemCall);
  CHECK(m.regs.eax == (guest::Eflags::kCarry | guest::Eflags::kFixed | guest::Eflags::kInterrupt));
}

TEST_CASE("cpu: FPU state survives a save, other use and a restore") {
  CpuMachine m;
  m.map(kData, Rights::kReadWrite);
  // fldpi; fld1; movups xmm3, [ebx]; fldcw [ebx+16]; ldmxcsr [ebx+20]
  m.code(kCode, Bytes{0xd9, 0xeb, 0xd9, 0xe8, 0x0f, 0x10, 0x1b, 0xd9, 0x6b, 16, 0x0f, 0xae, 0x53, 20} + kInt80);
  m.set_word(kData, 0x01020304);
  m.set_word(kData + 12, 0x0a0b0c0d);
  m.set_word(kData + 16, 0x27f);
  m.set_word(kData + 20, 0x9fc0);
  m.regs.ebx = kData.value();
  CHECK(m.run().kind == Trap::Kind::kSystemCall);
  const guest::FxState saved = m.cpu.save();
  const auto half = [&](size_t at) {
    return static_cast<unsigned>(saved.bytes[at]) | static_cast<unsigned>(saved.bytes[at + 1]) << 8;
  };
  CHECK(half(0) == 0x27f);
  CHECK((half(2) >> 11 & 7) == 6);
  CHECK(half(4) == 0xc0);
  CHECK(half(24) == 0x9fc0);
  CHECK(half(32 + 8) == 0x3fff);  // st0 = 1.0: exponent
  CHECK(half(48 + 8) == 0x4000);  // st1 = pi
  CHECK(half(160 + 3 * 16) == 0x0304);

  // What the processor itself stores agrees with what we save.
  m.code(kCode + 0x100, Bytes{0x0f, 0xae, 0x83, 0x00, 0x02, 0, 0} + kInt80);  // fxsave [ebx+0x200]
  m.regs.eip = kCode.value() + 0x100;
  CHECK(m.run().kind == Trap::Kind::kSystemCall);
  CHECK(std::memcmp(m.bytes(kData + 0x200), saved.bytes.data(), 5) == 0);
  CHECK(std::memcmp(m.bytes(kData + 0x200 + 24), saved.bytes.data() + 24, 4) == 0);
  for (uint32_t reg = 0; reg < 8; ++reg) {
    CHECK(std::memcmp(m.bytes(kData + 0x220 + 16 * reg), saved.bytes.data() + 32 + 16 * reg, 10) == 0);
    CHECK(std::memcmp(m.bytes(kData + 0x2a0 + 16 * reg), saved.bytes.data() + 160 + 16 * reg, 16) == 0);
  }

  m.cpu.reset();
  CHECK(m.cpu.save().bytes != saved.bytes);
  CHECK(static_cast<unsigned>(m.cpu.save().bytes[4]) == 0);
  m.cpu.restore(saved);
  CHECK(m.cpu.save().bytes == saved.bytes);
  // fstp [ebx]: the restored top of the stack is the one that the program pops.
  m.code(kCode + 0x200, Bytes{0xd9, 0x1b} + kInt80);
  m.regs.eip = kCode.value() + 0x200;
  CHECK(m.run().kind == Trap::Kind::kSystemCall);
  CHECK(m.word(kData) == 0x3f800000);
}

TEST_CASE("cpu: CPUID is the default processor's, not the host's") {
  CpuMachine m;
  m.code(kCode, Bytes{0x0f, 0xa2} + kInt80);
  for (const uint32_t leaf : {0u, 1u, 7u, 0x80000001u, 0x80000006u}) {
    m.regs.eip = kCode.value();
    m.regs.eax = leaf;
    m.regs.ecx = 0;
    CHECK(m.run().kind == Trap::Kind::kSystemCall);
    const emu::CpuidResult expected = emu::default_cpu().answer(leaf, 0);
    CHECK(m.regs.eax == expected.eax);
    CHECK(m.regs.ebx == expected.ebx);
    CHECK(m.regs.ecx == expected.ecx);
    CHECK(m.regs.edx == expected.edx);
  }
  constexpr uint32_t kSysenter = 1u << 11, kSse2 = 1u << 26, kXsave = 1u << 26, kAvx = 1u << 28, kRdrand = 1u << 30;
  CHECK((emu::default_cpu().hwcap & (kSysenter | kSse2)) == kSse2);
  CHECK((emu::default_cpu().answer(1, 0).ecx & (kXsave | kAvx | kRdrand)) == 0);
}

TEST_CASE("cpu: rdtsc and rdtscp give virtual time") {
  CpuMachine m;
  uint64_t now = 0x1'0000'0005;
  m.cpu.set_tsc_source([&now] { return now++; });
  const Bytes form = GENERATE(Bytes{0x0f, 0x31}, Bytes{0x0f, 0x01, 0xf9});
  m.code(kCode, form + kInt80);
  CHECK(m.run().kind == Trap::Kind::kSystemCall);
  CHECK(m.regs.eax == 5);
  CHECK(m.regs.edx == 1);
}
