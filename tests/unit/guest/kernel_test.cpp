// The kernel's calls that need no files: time, limits, identity, random numbers, exit.
#include <catch2/catch_test_macros.hpp>

#include "tests/unit/guest/kernel_machine.hpp"

using namespace fl;
using namespace fl::guest;
using namespace fl::guest::test;

namespace {
constexpr uint32_t kExitGroup = 252, kNanosleep = 162, kClockGettime64 = 403, kPrlimit64 = 340, kGetrandom = 355,
                   kGetuid32 = 199, kBrk = 45, kSetrlimit = 75, kUgetrlimit = 191, kFutex = 240, kRseq = 386,
                   kUname = 122, kPtrace = 26, kMmap2 = 192, kGetrusage = 77, kMincore = 218;
}

TEST_CASE("kernel: exit_group's low byte is the machine's exit status") {
  KernelMachine machine;
  machine.enter(kExitGroup, {0x1234});
  CHECK(machine.kernel().schedule() == nullptr);
  CHECK(machine.kernel().outcome().kind == Outcome::Kind::kExited);
  CHECK(machine.kernel().outcome().exit_status() == 0x34);
}

TEST_CASE("kernel: an unknown call is ENOSYS and counted") {
  KernelMachine machine;
  CHECK(machine.call(kPtrace) == -38);
  CHECK(machine.call(222) == -38);
  CHECK(machine.call(222) == -38);
  CHECK(machine.call(0xffffffff) == -38);
  CHECK(machine.kernel().unimplemented().at(222) == 2);
  CHECK(machine.kernel().unimplemented().at(0xffffffff) == 1);
}

TEST_CASE("kernel: sleeping moves virtual time by exactly what was asked") {
  KernelMachine machine;
  const uint64_t before = machine.kernel().time().now_ns();
  machine.poke_user(kData, std::array<uint32_t, 2>{3, 7});
  REQUIRE(machine.call(kNanosleep, {kData, 0}) == 0);
  CHECK(machine.kernel().time().now_ns() - before == 3'000'000'007);
  CHECK(machine.kernel().time().cpu_ns() == 0);
  machine.poke_user(kData, std::array<uint32_t, 2>{0, 1'000'000'000});
  CHECK(machine.call(kNanosleep, {kData, 0}) == -22);
}

TEST_CASE("kernel: clocks count executed blocks") {
  KernelMachine machine;
  machine.work.blocks = 12345;
  REQUIRE(machine.call(kClockGettime64, {1, kData}) == 0);
  CHECK(machine.peek_user<uint64_t>(kData) == 0);
  CHECK(machine.peek_user<uint32_t>(kData + 8) == 12345 * VirtualClock::kNsPerBlock);
  REQUIRE(machine.call(kClockGettime64, {0, kData}) == 0);
  CHECK(machine.peek_user<uint64_t>(kData) == VirtualClock::kWallStartNs / kNsPerSecond);
  CHECK(machine.call(kClockGettime64, {99, kData}) == -22);
  CHECK(machine.call(kClockGettime64, {1, 0}) == -14);
}

TEST_CASE("kernel: limits are kept, checked and enforced") {
  KernelMachine machine;
  machine.poke_user(kData, std::array<uint32_t, 2>{1 << 20, 1 << 20});
  REQUIRE(machine.call(kSetrlimit, {Rlimit::kAs, kData}) == 0);
  REQUIRE(machine.call(kUgetrlimit, {Rlimit::kAs, kData}) == 0);
  CHECK(machine.peek_user<uint32_t>(kData) == 1 << 20);
  // private anonymous, 16 MiB: more than the limit
  CHECK(machine.call(kMmap2, {0, 16 << 20, 3, 0x22, ~0u, 0}) == -12);
  machine.poke_user(kData, std::array<uint64_t, 2>{1 << 20, 1 << 21});
  CHECK(machine.call(kPrlimit64, {0, Rlimit::kAs, kData, 0}) == -1);  // EPERM: the maximum may not rise
  machine.poke_user(kData, std::array<uint64_t, 2>{2, 1});
  CHECK(machine.call(kPrlimit64, {0, Rlimit::kAs, kData, 0}) == -22);
  CHECK(machine.call(kPrlimit64, {0, 16, 0, kData}) == -22);
  REQUIRE(machine.call(kUgetrlimit, {Rlimit::kCpu, kData}) == 0);
  CHECK(machine.peek_user<uint32_t>(kData) == 0xffffffff);
}

TEST_CASE("kernel: getrandom is the same in every run and stops at memory that is not there") {
  std::array<uint64_t, 2> first{};
  for (int i = 0; i < 2; ++i) {
    KernelMachine machine;
    REQUIRE(machine.call(kGetrandom, {kData, 8, 0}) == 8);
    first[static_cast<size_t>(i)] = machine.peek_user<uint64_t>(kData);
    CHECK(machine.call(kGetrandom, {kData + 0xff0, 64, 0}) == 16);
    CHECK(machine.call(kGetrandom, {0x1000, 4, 0}) == -14);
    CHECK(machine.call(kGetrandom, {kData, 4, 8}) == -22);
  }
  CHECK(first[0] == first[1]);
  CHECK(first[0] != 0);
}

TEST_CASE("kernel: identity, names and break") {
  KernelMachine machine;
  CHECK(machine.call(kGetuid32) == 1000);
  REQUIRE(machine.call(kUname, {kData}) == 0);
  CHECK(machine.peek_user<std::array<char, 5>>(kData) == std::array{'L', 'i', 'n', 'u', 'x'});
  CHECK(machine.peek_user<std::array<char, 4>>(kData + 4 * 65) == std::array{'i', '6', '8', '6'});
  const auto brk = static_cast<uint32_t>(machine.call(kBrk, {0}));
  CHECK(static_cast<uint32_t>(machine.call(kBrk, {brk + 0x3000})) == brk + 0x3000);
  CHECK(static_cast<uint32_t>(machine.call(kBrk, {0xc0000000})) == brk + 0x3000);
}

TEST_CASE("kernel: a futex wait with another value is EAGAIN, one that nobody can wake a deadlock") {
  KernelMachine machine;
  machine.poke_user(kData, uint32_t{5});
  CHECK(machine.call(kFutex, {kData, 128, 6, 0}) == -11);
  CHECK(machine.call(kFutex, {kData, 129, 1}) == 0);
  machine.poke_user(kData + 8, std::array<uint32_t, 2>{1, 0});
  const uint64_t before = machine.kernel().time().now_ns();
  CHECK(machine.call(kFutex, {kData, 128, 5, kData + 8}) == -110);
  CHECK(machine.kernel().time().now_ns() - before == kNsPerSecond);
  machine.enter(kFutex, {kData, 128, 5, 0});
  CHECK(machine.kernel().schedule() == nullptr);
  CHECK(machine.kernel().outcome().kind == Outcome::Kind::kDeadlock);
}

TEST_CASE("kernel: rseq writes the processor number before the registering call returns") {
  KernelMachine machine;
  machine.poke_user(kData + 32, std::array<uint32_t, 8>{~0u, ~0u, 0, 0, 0, ~0u, ~0u, 0});
  REQUIRE(machine.call(kRseq, {kData + 32, 32, 0, 0x53053053}) == 0);
  CHECK(machine.peek_user<uint64_t>(kData + 32) == 0);
  CHECK(machine.call(kRseq, {kData + 32, 32, 0, 0x53053053}) == -16);
  CHECK(machine.call(kRseq, {kData + 32, 32, 0, 1}) == -1);
  CHECK(machine.call(kRseq, {kData + 64, 32, 0, 0x53053053}) == -22);
  CHECK(machine.call(kRseq, {kData + 32, 32, 1, 0x53053053}) == 0);
  CHECK(machine.peek_user<uint32_t>(kData + 36) == ~0u);
}

TEST_CASE("kernel: getrusage tells the faults that were counted") {
  KernelMachine machine;
  machine.poke_user(kData, uint32_t{0});
  const uint64_t counted = machine.task().faults.minor;
  REQUIRE(machine.call(kGetrusage, {0, kData}) == 0);
  CHECK(machine.peek_user<uint32_t>(kData + 32) == counted);
  CHECK(counted > 0);
}

TEST_CASE("kernel: mincore tells which pages are there") {
  KernelMachine machine;
  const auto area = static_cast<uint32_t>(machine.call(kMmap2, {0, 0x4000, 3, 0x22, ~0u, 0}));
  machine.poke_user(area + 0x2000, uint32_t{1});
  REQUIRE(machine.call(kMincore, {area, 0x4000, kData}) == 0);
  CHECK(machine.peek_user<std::array<uint8_t, 4>>(kData) == std::array<uint8_t, 4>{0, 0, 1, 0});
  CHECK(machine.call(kMincore, {area + 1, 0x1000, kData}) == -22);
  CHECK(machine.call(kMincore, {area, 0x4000, 0x1000}) == -14);
}
