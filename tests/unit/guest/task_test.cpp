// Tasks without a processor: fork, threads, exec, exit and wait, stops, orphans, slices; and that nothing stays behind.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>

#include "guest/signal/send.hpp"
#include "tests/unit/guest/kernel_machine.hpp"

namespace fl::guest::test {
namespace {

constexpr uint32_t kExit = 1, kFork = 2, kWaitpid = 7, kExecve = 11, kGetpid = 20, kKill = 37, kSetpgid = 57,
                   kGetppid = 64, kSetsid = 66, kSigaction = 67, kWait4 = 114, kClone = 120, kSchedYield = 158,
                   kVfork = 190, kExitGroup = 252, kWaitid = 284;
constexpr uint32_t kNoHang = 1, kUntraced = 2, kContinued = 8;
constexpr uint32_t kThreadFlags =
    CloneFlag::kVm | CloneFlag::kFs | CloneFlag::kFiles | CloneFlag::kSigHand | CloneFlag::kThread;
constexpr int32_t kEchild = -10, kEnoent = -2, kEinval = -22, kEacces = -13, kEperm = -1;

class Tasks : public KernelMachine {
 public:
  // Whoever's turn it is makes a call; who comes next.
  Task* enter_as(Task& who, uint32_t number, std::array<uint32_t, 6> args = {}) {
    trap_call(kernel(), who, number, args);
    return kernel().schedule();
  }
  // The parent has called; the child that was made has its turn when the parent gives way.
  Task& run_child(Task& parent) {
    Task* const next = enter_as(parent, kSchedYield);
    REQUIRE(next != nullptr);
    REQUIRE(next != &parent);
    return *next;
  }
  Task& fork() {
    REQUIRE(enter_as(task(), kFork) == &task());
    const uint32_t child = task().regs.eax;
    Task& made = run_child(task());
    REQUIRE(made.tid == child);
    REQUIRE(made.regs.eax == 0);
    return made;
  }
  static int32_t result(const Task& who) { return static_cast<int32_t>(who.regs.eax); }
};

}  // namespace

TEST_CASE("task: fork makes a second process with its own memory") {
  Tasks machine;
  machine.poke_user(kData, 1u);
  Task& child = machine.fork();
  CHECK(child.tgid == child.tid);
  CHECK(child.group->parent == machine.task().group.get());
  CHECK(child.user().put(VirtAddr(kData), 2u));
  CHECK(machine.peek_user<uint32_t>(kData) == 1);
  CHECK(machine.enter_as(child, kGetppid) == &child);
  CHECK(Tasks::result(child) == static_cast<int32_t>(machine.task().tid));
}

TEST_CASE("task: wait4 sleeps until the child ends, gives its status and use, and the zombie is gone") {
  Tasks machine;
  Task& child = machine.fork();
  const uint32_t pid = child.tid;
  machine.kernel().yield(child);
  REQUIRE(machine.kernel().schedule() == &machine.task());
  REQUIRE(machine.enter_as(machine.task(), kWait4, {~0u, kData, 0, kData + 8}) == &child);
  REQUIRE(machine.enter_as(child, kExitGroup, {7}) == &machine.task());
  CHECK(Tasks::result(machine.task()) == static_cast<int32_t>(pid));
  CHECK(machine.peek_user<uint32_t>(kData) == 7 << 8);
  CHECK(machine.kernel().find_task(pid) == nullptr);
  CHECK(machine.call(kWait4, {~0u, 0, 0, 0}) == kEchild);
}

TEST_CASE("task: waiting without children, without end, and for others") {
  Tasks machine;
  CHECK(machine.call(kWait4, {~0u, 0, 0, 0}) == kEchild);
  Task& child = machine.fork();
  machine.kernel().yield(child);
  REQUIRE(machine.kernel().schedule() == &machine.task());
  CHECK(machine.call(kWait4, {~0u, 0, kNoHang, 0}) == 0);
  CHECK(machine.call(kWait4, {child.tid + 1, 0, kNoHang, 0}) == kEchild);
  CHECK(machine.call(kWait4, {~0u, 0, 0x100, 0}) == kEinval);
  CHECK(machine.call(kWaitid, {0, 0, 0, 0, 0}) == kEinval);
  CHECK(machine.call(kWaitid, {3, 5, 0, 4, 0}) == -9);
}

TEST_CASE("task: a child outlives its parent and belongs to the outside then") {
  Tasks machine;
  Task& child = machine.fork();
  Task* grandchild = machine.enter_as(child, kFork);
  REQUIRE(grandchild == &child);
  const uint32_t tid = child.regs.eax;
  const uint32_t child_tid = child.tid;
  machine.enter_as(child, kExitGroup, {0});
  grandchild = machine.kernel().find_task(tid);
  REQUIRE(grandchild != nullptr);
  CHECK(grandchild->group->parent == nullptr);
  CHECK(grandchild->group->parent_id() == 1);
  CHECK(!machine.kernel().find_task(child_tid)->alive());
}

TEST_CASE("task: the machine works until its last process has ended; the status is the first one's") {
  Tasks machine;
  Task& child = machine.fork();
  machine.kernel().yield(child);
  REQUIRE(machine.kernel().schedule() == &machine.task());
  CHECK(machine.enter_as(machine.task(), kExitGroup, {3}) == &child);
  CHECK(machine.enter_as(child, kExitGroup, {9}) == nullptr);
  CHECK(machine.kernel().outcome().kind == Outcome::Kind::kExited);
  CHECK(machine.kernel().outcome().exit_status() == 3);
}

TEST_CASE("task: a thread shares memory and group; its end clears its word and wakes nobody else's wait4") {
  Tasks machine;
  machine.poke_user(kData, 99u);
  REQUIRE(machine.enter_as(machine.task(), kClone,
                           {kThreadFlags | CloneFlag::kChildClearTid | CloneFlag::kParentSetTid, kData + 0x800,
                            kData + 4, 0, kData}) == &machine.task());
  const auto tid = machine.peek_user<uint32_t>(kData + 4);
  CHECK(Tasks::result(machine.task()) == static_cast<int32_t>(tid));
  Task& thread = machine.run_child(machine.task());
  CHECK(thread.tid == tid);
  CHECK(thread.tgid == machine.task().tgid);
  CHECK(thread.mm == machine.task().mm);
  CHECK(thread.regs.esp == kData + 0x800);
  CHECK(machine.enter_as(thread, kGetpid) == &thread);
  CHECK(Tasks::result(thread) == static_cast<int32_t>(machine.task().tgid));
  REQUIRE(machine.enter_as(thread, kExit, {0}) == &machine.task());
  CHECK(machine.peek_user<uint32_t>(kData) == 0);
  CHECK(machine.kernel().find_task(tid) == nullptr);
  CHECK(machine.call(kWait4, {~0u, 0, 0, 0}) == kEchild);
}

TEST_CASE("task: exit_group by one thread ends all, exit by the leader leaves a zombie until the last") {
  Tasks machine;
  Task& child = machine.fork();
  REQUIRE(machine.enter_as(child, kClone, {kThreadFlags, kData + 0x800}) == &child);
  Task* const thread = machine.kernel().find_task(child.regs.eax);
  REQUIRE(thread != nullptr);
  Task* next = machine.enter_as(child, kExit, {1});
  CHECK(!child.alive());
  CHECK(machine.call(kWait4, {child.tid, 0, kNoHang, 0}) == 0);  // a thread lives
  while (next != thread) {
    next = machine.enter_as(*next, kSchedYield);
  }
  machine.enter_as(*thread, kExitGroup, {5});
  CHECK(machine.call(kWait4, {child.tid, kData, 0, 0}) > 0);
  CHECK(machine.peek_user<uint32_t>(kData) == 5 << 8);
}

TEST_CASE("task: contradicting clone flags are EINVAL, and nothing is left") {
  Tasks machine;
  const size_t before = machine.kernel().tasks().size();
  CHECK(machine.call(kClone, {CloneFlag::kThread, 0}) == kEinval);
  CHECK(machine.call(kClone, {CloneFlag::kSigHand, 0}) == kEinval);
  CHECK(machine.call(kClone, {CloneFlag::kNewPid, 0}) == kEinval);
  CHECK(machine.call(kClone, {CloneFlag::kParent, 0}) == kEinval);  // the first process has no parent here
  CHECK(machine.kernel().tasks().size() == before);
}

TEST_CASE("task: the parent of a vfork sleeps until the child executes or ends") {
  Tasks machine;
  Task* const child = machine.enter_as(machine.task(), kVfork);
  REQUIRE(child != &machine.task());
  CHECK(child->mm == machine.task().mm);
  CHECK(machine.task().state == Task::State::kSleeping);
  SECTION("end") { REQUIRE(machine.enter_as(*child, kExit, {0}) == &machine.task()); }
  SECTION("exec") {
    const char path[] = "/program";
    REQUIRE(child->user().put(VirtAddr(kData), path));
    REQUIRE(machine.enter_as(*child, kExecve, {kData, 0, 0}) == child);
    CHECK(child->mm != machine.task().mm);
    CHECK(machine.task().runnable());
    machine.kernel().yield(*child);
    REQUIRE(machine.kernel().schedule() == &machine.task());
  }
  CHECK(Tasks::result(machine.task()) > 0);
}

TEST_CASE("task: exec that fails changes nothing; one that succeeds keeps pid and faults, not handlers") {
  Tasks machine;
  const char missing[] = "/missing", path[] = "/program";
  const auto before = machine.task().mm;
  machine.poke_user(kData, missing);
  CHECK(machine.call(kExecve, {kData, 0, 0}) == kEnoent);
  CHECK(machine.task().mm == before);
  (*machine.task().handlers)[Signal::kUsr1].handler = 0x1234;
  (*machine.task().handlers)[Signal::kUsr2].handler = kSigIgn;
  machine.poke_user(kData, path);
  const uint64_t faults = machine.task().faults.minor;
  REQUIRE(machine.call(kExecve, {kData, 0, 0}) == 0);
  CHECK(machine.task().mm != before);
  CHECK(machine.task().regs.eip == kCode + kInt80Offset);
  CHECK(machine.task().faults.minor > faults);
  CHECK((*machine.task().handlers)[Signal::kUsr1].handler == kSigDfl);
  CHECK((*machine.task().handlers)[Signal::kUsr2].handler == kSigIgn);
}

TEST_CASE("task: a thread that executes goes on under the leader's number, alone") {
  Tasks machine;
  const char path[] = "/program";
  machine.poke_user(kData, path);
  REQUIRE(machine.enter_as(machine.task(), kClone, {kThreadFlags, kData + 0x800}) == &machine.task());
  const uint32_t leader = machine.task().tgid;
  Task& thread = machine.run_child(machine.task());
  Task* const next = machine.enter_as(thread, kExecve, {kData, 0, 0});
  REQUIRE(next == &thread);
  CHECK(thread.tid == leader);
  CHECK(thread.group->leader == &thread);
  CHECK(machine.kernel().tasks().size() == 1);
}

TEST_CASE("task: stopped by a signal, seen by wait4, continued") {
  Tasks machine;
  Task& child = machine.fork();
  machine.kernel().yield(child);
  REQUIRE(machine.kernel().schedule() == &machine.task());
  REQUIRE(machine.call(kKill, {child.tid, Signal::kStop}) == 0);
  CHECK(machine.enter_as(machine.task(), kSchedYield) == &machine.task());  // the child took its turn to stop
  CHECK(child.group->stop_signal == Signal::kStop);
  CHECK(machine.call(kWait4, {~0u, kData, kUntraced, 0}) == static_cast<int32_t>(child.tid));
  CHECK(machine.peek_user<uint32_t>(kData) == (uint32_t{Signal::kStop} << 8 | 0x7f));
  CHECK(machine.call(kWait4, {~0u, kData, kUntraced | kNoHang, 0}) == 0);  // told once
  REQUIRE(machine.call(kKill, {child.tid, Signal::kCont}) == 0);
  CHECK(machine.call(kWait4, {~0u, kData, kContinued, 0}) == static_cast<int32_t>(child.tid));
  CHECK(machine.peek_user<uint32_t>(kData) == 0xffff);
  CHECK(machine.enter_as(machine.task(), kSchedYield) == &child);
}

TEST_CASE("task: a child of a parent that ignores SIGCHLD leaves no zombie") {
  Tasks machine;
  (*machine.task().handlers)[Signal::kChld].handler = kSigIgn;
  Task& child = machine.fork();
  const uint32_t tid = child.tid;
  machine.enter_as(child, kExitGroup, {0});
  CHECK(machine.kernel().find_task(tid) == nullptr);
  CHECK(machine.call(kWait4, {~0u, 0, 0, 0}) == kEchild);
}

TEST_CASE("task: process groups and sessions") {
  Tasks machine;
  CHECK(machine.call(kSetsid) == kEperm);  // it leads one
  Task& child = machine.fork();
  machine.kernel().yield(child);
  REQUIRE(machine.kernel().schedule() == &machine.task());
  CHECK(machine.call(kSetpgid, {child.tid, 0}) == 0);
  CHECK(child.group->pgid == child.tid);
  CHECK(machine.call(kSetpgid, {child.tid, 4242}) == kEperm);
  CHECK(machine.call(kSetpgid, {machine.task().tid, child.tid}) == kEperm);
  child.group->executed = true;
  CHECK(machine.call(kSetpgid, {child.tid, 0}) == kEacces);
}

TEST_CASE("task: a task that computes gives way after its slice, if others can run") {
  Tasks machine;
  Task& child = machine.fork();
  const Trap tick{};
  machine.work.blocks += Scheduler::kSliceNs / VirtualClock::kNsPerBlock / 2;
  machine.kernel().on_trap(child, tick);
  CHECK(machine.kernel().schedule() == &child);
  machine.work.blocks += Scheduler::kSliceNs / VirtualClock::kNsPerBlock / 2 + 1;
  machine.kernel().on_trap(child, tick);
  CHECK(machine.kernel().schedule() == &machine.task());
  CHECK(child.involuntary_switches == 1);
}

TEST_CASE("task: RLIMIT_NPROC bounds an ordinary user's tasks") {
  Tasks machine;
  machine.task().group->limits[Rlimit::kNproc].current = 2;
  CHECK(machine.call(kFork) > 0);
  CHECK(machine.call(kFork) == -11);
}

TEST_CASE("task: when its allocations fail in turn, fork leaves nothing behind") {
  for (uint32_t nth = 1; nth < 60; ++nth) {
    Tasks machine;
    machine.poke_user(kData, 1u);
    const auto objects = [&machine] {
      uint32_t used = 0;
      for (const vm::SlabInfo& info : machine.kernel().memory().slab().slabinfo()) {
        used += info.used_objs;
      }
      return used;
    };
    const uint32_t before = objects();
    REQUIRE(machine.kernel().memory().pages().fail_alloc().configure(fmt::format("nth={}", nth), 0));
    const int32_t result = machine.call(kFork);
    if (result > 0) {
      CHECK(nth > 8);
      return;
    }
    CHECK(result == -12);
    CHECK(objects() == before);
    CHECK(machine.kernel().tasks().size() == 1);
  }
  FAIL("fork never succeeded");
}

}  // namespace fl::guest::test
