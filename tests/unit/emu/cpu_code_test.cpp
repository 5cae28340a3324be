// Translated code and the TLB: changed code must run as changed, whoever changed it; counting, stopping, growing.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <sys/resource.h>
#include <sys/time.h>

#include <csignal>
#include <fstream>

#include "tests/unit/emu/cpu_machine.hpp"

using namespace fl;
using namespace fl::test;
using guest::Trap;

namespace {

using Bytes = std::vector<uint8_t>;

// mov eax, value; ret
Bytes stub(uint8_t value) { return Bytes{0xb8, value, 0, 0, 0, 0xc3}; }

uint64_t resident_kib() {
  std::ifstream statm("/proc/self/statm");
  uint64_t size = 0, resident = 0;
  statm >> size >> resident;
  return resident * 4;
}

}  // namespace

TEST_CASE("cpu: a frame whose code was replaced by the kernel runs the new code") {
  CpuMachine m;
  const Pfn frame = m.map(kData, Rights::kReadOnly);
  m.code(kCode, Bytes{0xff, 0xd3} + kInt80);  // call ebx
  m.regs.ebx = kData.value();
  for (uint8_t round = 1; round <= 5; ++round) {
    const Bytes code = stub(round);
    std::copy(code.begin(), code.end(), m.bytes(kData));
    m.cpu.code_changed(frame);
    m.regs.eip = kCode.value();
    CHECK(m.run().kind == Trap::Kind::kSystemCall);
    CHECK(m.regs.eax == round);
    CHECK(m.cpu.has_code(frame));
  }
  CHECK(m.cpu.statistics().dropped_frames == 4);
}

TEST_CASE("cpu: many frames can be dropped at once") {
  CpuMachine m;
  std::vector<Pfn> frames;
  m.code(kCode, Bytes{0xff, 0xd3} + kInt80);
  constexpr uint32_t kFrames = 1500;  // more than the window has pages
  for (uint32_t at = 0; at < kFrames; ++at) {
    frames.push_back(m.map(kData + at * kPageSize, Rights::kReadOnly));
  }
  for (uint8_t round = 1; round <= 2; ++round) {
    for (uint32_t at = 0; at < kFrames; ++at) {
      const Bytes code = stub(static_cast<uint8_t>(round * 50 + at % 50));
      std::copy(code.begin(), code.end(), m.bytes(kData + at * kPageSize));
      m.cpu.code_changed(frames[at]);
    }
    for (uint32_t at = 0; at < kFrames; ++at) {
      m.regs.eip = kCode.value();
      m.regs.ebx = (kData + at * kPageSize).value();
      CHECK(m.run().kind == Trap::Kind::kSystemCall);
      CHECK(m.regs.eax == round * 50 + at % 50);
    }
  }
}

TEST_CASE("cpu: a program that patches four stubs on one page runs what it wrote") {
  CpuMachine m;
  m.map(kData, Rights::kReadWrite);
  m.map(kData + kPageSize, Rights::kReadWrite);
  for (uint32_t at = 0; at < 4; ++at) {
    const Bytes code = stub(0);
    std::copy(code.begin(), code.end(), m.bytes(kData + at * 16));
  }
  // For each of the four stubs: inc byte [stub + 1]; call it; add to esi. Result in esi.
  Bytes program;
  for (uint32_t at = 0; at < 4; ++at) {
    const uint32_t target = kData.value() + at * 16;
    program =
        program + Bytes{0xfe, 0x05} + le32(target + 1) + Bytes{0xbb} + le32(target) + Bytes{0xff, 0xd3, 0x01, 0xc6};
  }
  m.code(kCode, program + kInt80);
  for (uint32_t round = 1; round <= 5; ++round) {
    m.regs.eip = kCode.value();
    m.regs.esi = 0;
    CHECK(m.run().kind == Trap::Kind::kSystemCall);
    CHECK(m.regs.esi == 4 * round);
  }
}

TEST_CASE("cpu: code written through a writable alias and run through another mapping is the new code") {
  const auto support = GENERATE(mmu::NoExecute::kUnsupported, mmu::NoExecute::kHonoured);
  CpuMachine m({}, support);
  const Pfn frame = m.map(kData, Rights::kReadOnly);
  const VirtAddr alias = kData + 0x100000;
  m.map_frame(alias, frame, Rights::kReadWrite,
              support == mmu::NoExecute::kHonoured ? uint32_t{mmu::Pte::kNoExecute} : 0u);
  const Bytes code = stub(0);
  std::copy(code.begin(), code.end(), m.bytes(kData));
  // inc byte [alias + 1]; call kData; inc; call; ...: five results in edi..., added up with weights in esi
  Bytes program;
  for (int at = 0; at < 5; ++at) {
    program = program + Bytes{0xfe, 0x05} + le32(alias + 1) + Bytes{0xff, 0xd3, 0xc1, 0xe6, 0x04, 0x09, 0xc6};
  }
  m.code(kCode, program + kInt80);
  m.regs.ebx = kData.value();
  CHECK(m.run().kind == Trap::Kind::kSystemCall);
  CHECK(m.regs.esi == 0x12345);
  // And the alias is still not executable.
  if (support == mmu::NoExecute::kHonoured) {
    m.regs.eip = kCode.value();
    m.code(kCode + 0x800, Bytes{0xff, 0xe3});
    m.regs.eip = kCode.value() + 0x800;
    m.regs.ebx = alias.value();
    const Trap trap = m.run();
    CHECK(trap.kind == Trap::Kind::kPageFault);
    CHECK(trap.access == mmu::Access::kFetch);
  }
}

TEST_CASE("cpu: code that writes to its own frame through a no-execute alias gets on") {
  CpuMachine m({}, mmu::NoExecute::kHonoured);
  const Pfn frame = m.map(kData, Rights::kReadOnly);
  const VirtAddr alias = kData + 0x100000;
  m.map_frame(alias, frame, Rights::kReadWrite, mmu::Pte::kNoExecute);
  // loop: inc byte [alias + 0x10 + 1] (the immediate of the mov below); mov eax, imm; add esi, eax; dec ecx; jnz loop
  const Bytes program =
      Bytes{0xfe, 0x05} + le32(alias + 7) + Bytes{0xb8, 0, 0, 0, 0, 0x01, 0xc6, 0x49, 0x75, 0xf0} + kInt80;
  std::copy(program.begin(), program.end(), m.bytes(kData));
  m.regs.eip = kData.value();
  m.regs.ecx = 10;
  CHECK(m.run(100000).kind == Trap::Kind::kSystemCall);
  CHECK(m.regs.esi == 55);
  CHECK((m.regs.eflags & guest::Eflags::kTrap) == 0);
}

TEST_CASE("cpu: a page that mixes code and data keeps both right") {
  CpuMachine m;
  m.map(kData, Rights::kReadWrite);
  // On one page: loop: inc dword [kData+0x800]; dec ecx; jnz loop; int 0x80
  const Bytes program = Bytes{0xff, 0x05} + le32(kData + 0x800) + Bytes{0x49, 0x75, 0xf7} + kInt80;
  std::copy(program.begin(), program.end(), m.bytes(kData));
  m.regs.eip = kData.value();
  m.regs.ecx = 1000;
  CHECK(m.run().kind == Trap::Kind::kSystemCall);
  CHECK(m.word(kData + 0x800) == 1000);
}

TEST_CASE("cpu: the accessed and dirty bits are the processor's") {
  CpuMachine m;
  m.map(kData, Rights::kReadWrite);
  m.code(kCode, Bytes{0x8b, 0x03} + kInt80 + Bytes{0x89, 0x03} + kInt80);
  m.regs.ebx = kData.value();
  CHECK(m.run().kind == Trap::Kind::kSystemCall);
  CHECK(m.pte(kData).accessed());
  CHECK_FALSE(m.pte(kData).dirty());
  CHECK(m.pte(kCode).accessed());
  CHECK(m.run().kind == Trap::Kind::kSystemCall);
  CHECK(m.pte(kData).dirty());
  // Cleared with a flush, they are set again.
  m.pte(kData) = m.pte(kData).without(mmu::Pte::kAccessed | mmu::Pte::kDirty);
  m.cpu.flush();
  m.regs.eip = kCode.value();
  CHECK(m.run().kind == Trap::Kind::kSystemCall);
  CHECK(m.pte(kData).accessed());
  CHECK_FALSE(m.pte(kData).dirty());
}

TEST_CASE("cpu: the interposed block count agrees with the block hook's") {
  if (!emu::active_interposition().blocks) {
    SKIP("built without interposition");
  }
  const auto count = [](emu::BlockCounting how, uint64_t limit) {
    emu::CpuConfig config;
    config.counting = how;
    CpuMachine m(config);
    // Branches, calls, a rep movs and a fault: call f; dec edx; jnz -8; mov [kData], eax; int 0x80. f: rep movsb; mov
    // cl, 9; ret
    m.code(kCode, Bytes{0xe8, 0x1b, 0, 0, 0, 0x4a, 0x75, 0xf8, 0xa3} + le32(kData) + kInt80);
    m.code(kCode + 0x20, {0xf3, 0xa4, 0xb1, 9, 0xc3});
    m.map(kData + kPageSize, Rights::kReadWrite);
    m.regs.esi = m.regs.edi = kData.value() + kPageSize;
    m.regs.edx = 50;
    std::vector<uint64_t> counts;
    for (int round = 0; round < 1000; ++round) {
      const Trap trap = m.run(limit);
      counts.push_back(m.cpu.blocks());
      if (trap.kind == Trap::Kind::kPageFault) {
        m.map(trap.addr.page(), Rights::kReadWrite);
      } else if (trap.kind == Trap::Kind::kSystemCall) {
        break;
      }
    }
    return counts;
  };
  const uint64_t limit = GENERATE(uint64_t{1}, uint64_t{7}, uint64_t{100}, emu::kNoBlockLimit);
  const std::vector<uint64_t> interposed = count(emu::BlockCounting::kBest, limit);
  CHECK(interposed == count(emu::BlockCounting::kHook, limit));
  CHECK(interposed.back() > 500);
}

TEST_CASE("cpu: a block limit stops after exactly that many blocks and resumes without loss") {
  const auto counting = GENERATE(emu::BlockCounting::kBest, emu::BlockCounting::kHook);
  emu::CpuConfig config;
  config.counting = counting;
  CpuMachine m(config);
  m.code(kCode, Bytes{0x41, 0xeb, 0xfd});  // inc ecx; jmp
  for (uint32_t round = 1; round <= 5; ++round) {
    CHECK(m.run(10).kind == Trap::Kind::kInterrupted);
    CHECK(m.cpu.blocks() == 10 * round);
    CHECK(m.regs.ecx == 10 * round);
  }
}

namespace {
emu::UnicornCpu* g_cpu_to_stop = nullptr;
}

TEST_CASE("cpu: a host signal stops a guest that loops for ever") {
  const auto counting = GENERATE(emu::BlockCounting::kBest, emu::BlockCounting::kHook);
  emu::CpuConfig config;
  config.counting = counting;
  CpuMachine m(config);
  m.code(kCode, {0xeb, 0xfe});
  g_cpu_to_stop = &m.cpu;
  struct sigaction action = {}, old = {};
  action.sa_handler = [](int) { g_cpu_to_stop->request_stop(); };
  sigaction(SIGALRM, &action, &old);
  itimerval timer = {};
  timer.it_value.tv_usec = 20000;
  setitimer(ITIMER_REAL, &timer, nullptr);
  CHECK(m.run().kind == Trap::Kind::kInterrupted);
  CHECK(m.regs.eip == kCode.value());
  sigaction(SIGALRM, &old, nullptr);
  // Asked between two runs: the next one returns at once, the one after it runs.
  m.cpu.request_stop();
  const uint64_t blocks = m.cpu.blocks();
  CHECK(m.run(5).kind == Trap::Kind::kInterrupted);
  CHECK(m.cpu.blocks() == blocks);
  CHECK(m.run(5).kind == Trap::Kind::kInterrupted);
  CHECK(m.cpu.blocks() == blocks + 5);
}

TEST_CASE("cpu: the TLB grows for a program that uses many pages, and stays within its cap") {
  CpuMachine m({}, mmu::NoExecute::kUnsupported, 40000);
  constexpr uint32_t kPages = 32768;
  // All pages map one of a few frames: only the number of pages counts.
  const Pfn frame = m.map(kData, Rights::kReadWrite);
  for (uint32_t at = 0; at < kPages; ++at) {
    m.map_frame(kData + at * kPageSize, frame, Rights::kReadWrite);
  }
  // rounds: mov ebx, kData; mov ecx, kPages/16; loop: add [ebx], ecx; add ebx, 0x1000; dec ecx; jnz; dec edx; jnz
  const auto sweep = [&](uint32_t pages, uint32_t rounds) {
    m.code(kCode, Bytes{0xbb} + le32(kData) + Bytes{0xb9} + le32(pages) +
                      Bytes{0x01, 0x0b, 0x81, 0xc3, 0, 0x10, 0, 0, 0x49, 0x75, 0xf5, 0x4a, 0x75, 0xe8} + kInt80);
    m.regs.eip = kCode.value();
    m.regs.edx = rounds;
    const uint64_t before = m.cpu.statistics().fills;
    CHECK(m.run().kind == Trap::Kind::kSystemCall);
    m.cpu.flush();
    m.regs.eip = kCode.value();
    m.regs.edx = 1;
    m.run(1);
    return m.cpu.statistics().fills - before;
  };
  CHECK(sweep(8192, 40) < 8192 * 14);
  CHECK(m.cpu.statistics().growth_flushes >= 4);
  CHECK(m.cpu.statistics().growth_flushes <= 16);
}

TEST_CASE("cpu: a guest that generates code for ever does not fill the host's memory") {
  emu::CpuConfig config;
  config.code_buffer_bytes = 8u << 20;
  CpuMachine m(config);
  m.map(kData, Rights::kReadWrite);
  // On kData, each round: write a new immediate into a stub of 60 instructions and run it.
  Bytes long_stub;
  for (int at = 0; at < 60; ++at) {
    long_stub = long_stub + Bytes{0x81, 0xc0, 1, 0, 0, 0};
  }
  long_stub.push_back(0xc3);
  std::copy(long_stub.begin(), long_stub.end(), m.bytes(kData));
  // loop: inc dword [kData+2]; call ebx; dec ecx; jnz loop; int 0x80
  m.code(kCode, Bytes{0xff, 0x05} + le32(kData + 2) + Bytes{0xff, 0xd3, 0x49, 0x75, 0xf5} + kInt80);
  m.regs.ebx = kData.value();
  const auto rounds = [&](uint32_t count) {
    m.regs.eip = kCode.value();
    m.regs.ecx = count;
    CHECK(m.run().kind == Trap::Kind::kSystemCall);
    return resident_kib();
  };
  const uint64_t warm = rounds(4000);
  const uint64_t after = rounds(20000);
  CHECK(after < warm + 16 * 1024);
}

TEST_CASE("cpu: interposition is what this build was configured for, and says so") {
  const emu::Interposition active = emu::active_interposition();
  const bool configured = FAULTLINE_INTERPOSE != 0;
  CHECK(active.blocks == configured);
  CHECK(active.access_check == configured);
  CHECK(active.rotates == configured);
  CHECK(active.io == configured);
  CHECK(active.marks == configured);
  CHECK(active.code_watch == configured);
  CHECK((emu::describe_interposition().find("blocks") != std::string::npos) == configured);
}

TEST_CASE("cpu: a processor that is told to keeps the translations it handed out, until a flush is asked for") {
  emu::CpuConfig config;
  config.keep_translations = true;
  CpuMachine m(config);
  m.map(kData, Rights::kReadWrite);
  m.code(kCode, Bytes{0x89, 0x1d} + le32(kData) + Bytes{0x58} + kInt80);  // mov [kData], ebx; pop eax
  m.regs.esp -= 4;
  REQUIRE(m.run().kind == Trap::Kind::kSystemCall);
  std::vector<std::pair<VirtAddr, uint32_t>> pages;
  for (const mmu::CachedTranslation& cached : m.cpu.cached_translations()) {
    CHECK(cached.entry == m.pte(cached.page));
    pages.emplace_back(cached.page, cached.entry.raw() & mmu::Pte::kDirty);
  }
  CHECK(pages ==
        std::vector<std::pair<VirtAddr, uint32_t>>{{kCode, 0}, {kData, mmu::Pte::kDirty}, {kStackTop - kPageSize, 0}});
  m.cpu.flush();
  CHECK(m.cpu.cached_translations().empty());
}
