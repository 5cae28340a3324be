// Futexes, timers and files that tasks wait for, on a machine without a processor: exact times, and what bad arguments
// and missing memory leave behind.
#include <catch2/catch_test_macros.hpp>

#include "guest/ipc/ipc.hpp"
#include "tests/unit/guest/kernel_machine.hpp"

using namespace fl;
using namespace fl::guest;
using namespace fl::guest::test;

namespace {
constexpr uint32_t kFutex = 240, kRead = 3, kWrite = 4, kClose = 6, kTimerCreate = 259, kTimerSettime = 260,
                   kTimerGettime = 261, kTimerOverrun = 262, kTimerDelete = 263, kNanosleep = 162, kTimerfdCreate = 322,
                   kTimerfdSettime = 325, kEventfd2 = 328, kEpollCreate1 = 329, kEpollCtl = 255, kEpollWait = 256,
                   kSocketpair = 360, kSendmsg = 370, kSendto = 369, kRecvfrom = 371, kRtSigprocmask = 175,
                   kSignalfd4 = 327, kGettid = 224, kSetitimer = 104, kPoll = 168, kRtSigpending = 176;
constexpr int32_t kEAgain = -11, kEFault = -14, kEExist = -17, kEInval = -22, kENosys = -38, kETimedOut = -110;
constexpr uint32_t kPrivate = 128;

// interval, value, in nanoseconds below a second.
void put_its(KernelMachine& machine, uint32_t at, uint32_t interval, uint32_t value) {
  machine.poke_user(at, std::array<uint32_t, 4>{0, interval, 0, value});
}
void sleep_ns(KernelMachine& machine, uint32_t ns) {
  machine.poke_user(kData + 0x800, std::array<uint32_t, 2>{0, ns});
  machine.call(kNanosleep, {kData + 0x800, 0});
}
void block(KernelMachine& machine, int signal) {
  machine.poke_user(kData + 0x800, uint64_t{1} << (signal - 1));
  REQUIRE(machine.call(kRtSigprocmask, {0, kData + 0x800, 0, 8}) == 0);
}
}  // namespace

TEST_CASE("futex: a timeout ends the wait at exactly its time and leaves no waiter") {
  KernelMachine machine;
  machine.poke_user(kData, uint32_t{5});
  machine.poke_user(kData + 8, std::array<uint32_t, 2>{0, 250});
  const uint64_t before = machine.kernel().time().now_ns();
  CHECK(machine.call(kFutex, {kData, kPrivate, 5, kData + 8}) == kETimedOut);
  CHECK(machine.kernel().time().now_ns() - before == 250);
  CHECK(machine.call(kFutex, {kData, 1 | kPrivate, 9}) == 0);
  CHECK_FALSE(machine.task().futex.is_linked());
}

TEST_CASE("futex: the timeout is looked at first, then the address, then the value") {
  KernelMachine machine;
  machine.poke_user(kData, uint32_t{5});
  machine.poke_user(kData + 8, std::array<uint32_t, 2>{0, 1'000'000'000});
  CHECK(machine.call(kFutex, {kData + 1, 0, 6, 16}) == kEFault);
  CHECK(machine.call(kFutex, {kData + 1, 0, 6, kData + 8}) == kEInval);
  CHECK(machine.call(kFutex, {16, 0, 6, 0}) == kEFault);
  CHECK(machine.call(kFutex, {kData, 0, 6, 0}) == kEAgain);
  CHECK(machine.call(kFutex, {kData, 1 | 256, 6, 0}) == kENosys);
  CHECK(machine.call(kFutex, {kData, 11 | kPrivate, 6, 0}) == kENosys);
}

TEST_CASE("futex: a lock with priority inheritance is the task's until it is given back") {
  KernelMachine machine;
  const auto tid = static_cast<uint32_t>(machine.call(kGettid));
  machine.poke_user(kData, uint32_t{0});
  CHECK(machine.call(kFutex, {kData, 6 | kPrivate}) == 0);
  CHECK(machine.peek_user<uint32_t>(kData) == tid);
  CHECK(machine.call(kFutex, {kData, 6 | kPrivate}) == -35);
  CHECK(machine.call(kFutex, {kData, 7 | kPrivate}) == 0);
  CHECK(machine.peek_user<uint32_t>(kData) == 0);
  CHECK(machine.call(kFutex, {kData, 7 | kPrivate}) == -1);
  machine.poke_user(kData, uint32_t{0x1234});  // no such task
  CHECK(machine.call(kFutex, {kData, 6 | kPrivate}) == -3);
  CHECK(machine.peek_user<uint32_t>(kData) == 0x1234);
}

TEST_CASE("timers: what a blocked signal missed is its overrun, to the number") {
  KernelMachine machine;
  block(machine, 10);
  machine.poke_user(kData, std::array<uint32_t, 16>{77, 10, 0, 0});
  REQUIRE(machine.call(kTimerCreate, {1, kData, kData + 0x100}) == 0);
  const auto id = machine.peek_user<uint32_t>(kData + 0x100);
  put_its(machine, kData + 0x200, 1'000, 10'000);
  REQUIRE(machine.call(kTimerSettime, {id, 0, kData + 0x200, 0}) == 0);
  sleep_ns(machine, 10'500);
  sleep_ns(machine, 4'000);
  // Taken by a signalfd: expired at 10000, then 4 intervals went by.
  machine.poke_user(kData + 0x300, uint64_t{1} << 9);
  const int32_t fd = machine.call(kSignalfd4, {~0u, kData + 0x300, 8, 0});
  REQUIRE(fd >= 0);
  REQUIRE(machine.call(kRead, {static_cast<uint32_t>(fd), kData + 0x400, 128}) == 128);
  CHECK(machine.peek_user<uint32_t>(kData + 0x400) == 10);
  CHECK(machine.peek_user<int32_t>(kData + 0x408) == SiCode::kTimer);
  CHECK(machine.peek_user<uint32_t>(kData + 0x420) == 4);  // ssi_overrun
  CHECK(machine.call(kTimerOverrun, {id}) == 4);
  REQUIRE(machine.call(kTimerGettime, {id, kData + 0x200}) == 0);
  CHECK(machine.peek_user<uint32_t>(kData + 0x20c) == 500);
  CHECK(machine.call(kTimerDelete, {id}) == 0);
  CHECK(machine.call(kTimerDelete, {id}) == kEInval);
}

TEST_CASE("timers: one that is set anew or deleted takes its signal back") {
  KernelMachine machine;
  block(machine, 14);
  REQUIRE(machine.call(kTimerCreate, {1, 0, kData + 0x100}) == 0);
  const auto id = machine.peek_user<uint32_t>(kData + 0x100);
  put_its(machine, kData + 0x200, 0, 100);
  REQUIRE(machine.call(kTimerSettime, {id, 0, kData + 0x200, 0}) == 0);
  sleep_ns(machine, 200);
  REQUIRE(machine.call(kRtSigpending, {kData, 8}) == 0);
  CHECK(machine.peek_user<uint64_t>(kData) == uint64_t{1} << 13);
  const uint32_t queued = machine.kernel().user_use(1000).signals;
  CHECK(queued == 2);  // the timer's place, and the signal
  CHECK(machine.call(kTimerDelete, {id}) == 0);
  REQUIRE(machine.call(kRtSigpending, {kData, 8}) == 0);
  CHECK(machine.peek_user<uint64_t>(kData) == 0);
  CHECK(machine.kernel().user_use(1000).signals == 0);
}

TEST_CASE("timers: a timerfd counts what it missed") {
  KernelMachine machine;
  const auto fd = static_cast<uint32_t>(machine.call(kTimerfdCreate, {1, 04000}));
  put_its(machine, kData, 100, 1'000);
  REQUIRE(machine.call(kTimerfdSettime, {fd, 0, kData, 0}) == 0);
  CHECK(machine.call(kRead, {fd, kData + 0x100, 8}) == kEAgain);
  sleep_ns(machine, 1'350);
  CHECK(machine.call(kRead, {fd, kData + 0x100, 8}) == 8);
  CHECK(machine.peek_user<uint64_t>(kData + 0x100) == 4);
  CHECK(machine.call(kRead, {fd, kData + 0x100, 8}) == kEAgain);
}

TEST_CASE("timers: ITIMER_PROF counts the processor's work and expires at a tick") {
  KernelMachine machine;
  block(machine, 27);
  machine.poke_user(kData, std::array<uint32_t, 4>{0, 0, 0, 10'000});
  REQUIRE(machine.call(kSetitimer, {2, kData, 0}) == 0);
  sleep_ns(machine, 500'000'000);
  REQUIRE(machine.call(kRtSigpending, {kData, 8}) == 0);
  CHECK(machine.peek_user<uint64_t>(kData) == 0);
  machine.work.blocks += 12'000'000 / VirtualClock::kNsPerBlock;
  machine.call(kGettid);
  REQUIRE(machine.call(kRtSigpending, {kData, 8}) == 0);
  CHECK(machine.peek_user<uint64_t>(kData) == uint64_t{1} << 26);
}

TEST_CASE("epoll: closing the last descriptor of a file removes it, a duplicate keeps it") {
  KernelMachine machine;
  const auto ep = static_cast<uint32_t>(machine.call(kEpollCreate1, {0}));
  const auto event = static_cast<uint32_t>(machine.call(kEventfd2, {1, 0}));
  machine.poke_user(kData, std::array<uint32_t, 3>{1, 42, 0});
  CHECK(machine.call(kEpollCtl, {ep, 1, event, kData}) == 0);
  CHECK(machine.call(kEpollCtl, {ep, 1, event, kData}) == kEExist);
  CHECK(machine.call(kEpollWait, {ep, kData + 0x100, 4, 0}) == 1);
  CHECK(machine.peek_user<uint32_t>(kData + 0x104) == 42);
  const auto copy = static_cast<uint32_t>(machine.call(41, {event}));
  CHECK(machine.call(kClose, {event}) == 0);
  CHECK(machine.call(kEpollWait, {ep, kData + 0x100, 4, 0}) == 1);
  CHECK(machine.call(kClose, {copy}) == 0);
  CHECK(machine.call(kEpollWait, {ep, kData + 0x100, 4, 0}) == 0);
}

TEST_CASE("epoll: epolls that watch each other are refused, and so are long chains") {
  KernelMachine machine;
  std::array<uint32_t, 6> ep{};
  for (uint32_t& each : ep) {
    each = static_cast<uint32_t>(machine.call(kEpollCreate1, {0}));
  }
  machine.poke_user(kData, std::array<uint32_t, 3>{1, 0, 0});
  // From the inner ones out: the chain is as long either way.
  for (size_t i = 4; i > 0; --i) {
    CHECK(machine.call(kEpollCtl, {ep[i], 1, ep[i + 1], kData}) == 0);
  }
  CHECK(machine.call(kEpollCtl, {ep[0], 1, ep[1], kData}) == -40);
  CHECK(machine.call(kEpollCtl, {ep[5], 1, ep[1], kData}) == -40);
  CHECK(machine.call(kEpollCtl, {ep[1], 1, ep[1], kData}) == kEInval);
}

TEST_CASE(
    "sockets: a sender's buffer is full after as many bytes as on Linux, and files go back when nobody takes them") {
  KernelMachine machine;
  const auto open_files = [&] {
    vm::MemorySystem& memory = machine.kernel().memory();
    return memory.slab().info(memory.caches().filp.cache()).used_objs;
  };
  const uint32_t files_before = open_files();
  REQUIRE(machine.call(kSocketpair, {1, 1 | 04000, 0, kData}) == 0);
  const auto a = machine.peek_user<uint32_t>(kData), b = machine.peek_user<uint32_t>(kData + 4);
  int sent = 0;
  while (machine.call(kSendto, {a, kData, 1, 0, 0, 0}) == 1) {
    ++sent;
  }
  CHECK(sent == 278);
  CHECK(machine.call(kRecvfrom, {b, kData + 0x100, 400, 0, 0, 0}) == 278);
  // An eventfd in a message that is never read.
  const auto event = static_cast<uint32_t>(machine.call(kEventfd2, {0, 0}));
  machine.poke_user(kData + 0x200, std::array<uint32_t, 4>{16, 1, 1, event});
  machine.poke_user(kData + 0x220, std::array<uint32_t, 2>{kData, 1});
  machine.poke_user(kData + 0x240, std::array<uint32_t, 7>{0, 0, kData + 0x220, 1, kData + 0x200, 16, 0});
  CHECK(machine.call(kSendmsg, {a, kData + 0x240, 0}) == 1);
  CHECK(machine.call(kClose, {event}) == 0);
  CHECK(machine.call(kClose, {a}) == 0);
  CHECK(open_files() == files_before + 2);
  CHECK(machine.call(kClose, {b}) == 0);
  CHECK(open_files() == files_before);
}

TEST_CASE("sockets: those that are only in each other's queues are found and freed") {
  KernelMachine machine;
  const auto pair_in_flight = [&] {
    REQUIRE(machine.call(kSocketpair, {1, 1, 0, kData}) == 0);
    const auto a = machine.peek_user<uint32_t>(kData), b = machine.peek_user<uint32_t>(kData + 4);
    for (const auto& [through, passed] : {std::pair(a, b), std::pair(b, a)}) {
      machine.poke_user(kData + 0x200, std::array<uint32_t, 4>{16, 1, 1, passed});
      machine.poke_user(kData + 0x220, std::array<uint32_t, 2>{kData, 1});
      machine.poke_user(kData + 0x240, std::array<uint32_t, 7>{0, 0, kData + 0x220, 1, kData + 0x200, 16, 0});
      CHECK(machine.call(kSendmsg, {through, kData + 0x240, 0}) == 1);
    }
    CHECK(machine.call(kClose, {a}) == 0);
    CHECK(machine.call(kClose, {b}) == 0);
  };
  const auto sockets = [&] {
    return machine.kernel().memory().slab().info(machine.kernel().ipc().unix_socket.cache()).used_objs;
  };
  pair_in_flight();
  CHECK(sockets() == 2);
  // The end of any other socket.
  REQUIRE(machine.call(kSocketpair, {1, 1, 0, kData}) == 0);
  CHECK(machine.call(kClose, {machine.peek_user<uint32_t>(kData)}) == 0);
  CHECK(sockets() == 2);  // that one and its peer
  pair_in_flight();
  machine.kernel().release_tasks();
  CHECK(sockets() == 0);
}

TEST_CASE("poll: a wait without a timeout that nobody ends is a deadlock; one with a timeout is exact") {
  KernelMachine machine;
  const auto event = static_cast<uint32_t>(machine.call(kEventfd2, {0, 0}));
  machine.poke_user(kData, std::array<uint32_t, 2>{event, 1});
  const uint64_t before = machine.kernel().time().now_ns();
  CHECK(machine.call(kPoll, {kData, 1, 7}) == 0);
  CHECK(machine.kernel().time().now_ns() - before == 7'000'000);
  machine.enter(kPoll, {kData, 1, ~0u});
  CHECK(machine.kernel().schedule() == nullptr);
  CHECK(machine.kernel().outcome().kind == Outcome::Kind::kDeadlock);
}
