// System V IPC on a machine without a processor: identifiers, rights, limits, what the structures say on each kernel,
// and what missing memory leaves behind. Numbers that are no errno were seen on Linux.
#include <catch2/catch_test_macros.hpp>
#include <functional>
#include <string>
#include <vector>

#include "guest/fs/proc/proc_text.hpp"
#include "guest/ipc/ipc.hpp"
#include "tests/unit/guest/kernel_machine.hpp"
#include "vm/verify/census.hpp"

using namespace fl;
using namespace fl::guest;
using namespace fl::guest::test;

namespace {
constexpr uint32_t kIpc = 117, kSemget = 393, kSemctl = 394, kShmget = 395, kShmctl = 396, kShmat = 397, kShmdt = 398,
                   kMsgget = 399, kMsgsnd = 400, kMsgrcv = 401, kMsgctl = 402, kSemtimedop64 = 420;
constexpr int32_t kEPerm = -1, kE2Big = -7, kEAgain = -11, kENoMem = -12, kEAcces = -13, kEInval = -22, kEFBig = -27,
                  kENoSpc = -28;
constexpr uint32_t kRmid = 0, kStat = 2, kInfo = 3, k64 = 0x100, kSetVal = 16, kGetVal = 12;
constexpr uint32_t kSegment = 0x20000000;  // where the tests attach

struct Op {
  uint16_t number;
  int16_t change, flags;
};

int32_t segment(KernelMachine& machine, uint32_t bytes = kPageSize, uint32_t flags = 0600, uint32_t key = 0) {
  return machine.call(kShmget, {key, bytes, flags});
}
int32_t attach(KernelMachine& machine, int32_t id, uint32_t addr = kSegment, uint32_t flags = 0) {
  return machine.call(kShmat, {static_cast<uint32_t>(id), addr, flags});
}
int32_t shmctl(KernelMachine& machine, int32_t id, uint32_t command, uint32_t buffer = kData) {
  return machine.call(kShmctl, {static_cast<uint32_t>(id), command, buffer});
}
int32_t semop(KernelMachine& machine, int32_t id, Op op) {
  machine.poke_user(kData + 0x100, op);
  return machine.call(kSemtimedop64, {static_cast<uint32_t>(id), kData + 0x100, 1, 0});
}
void become(KernelMachine& machine, uint32_t user, uint32_t group) {
  Credentials& cred = machine.task().cred;
  cred.uid = cred.euid = cred.suid = cred.fsuid = user;
  cred.gid = cred.egid = cred.sgid = cred.fsgid = group;
}
std::string text_of(KernelMachine& machine, std::string_view path) {
  const SystemFile* const file = find_system_file(path);
  REQUIRE(file != nullptr);
  return file->generate(machine.kernel());
}
Status set_text(KernelMachine& machine, std::string_view path, std::string_view text) {
  const SystemFile* const file = find_system_file(path);
  REQUIRE(file != nullptr);
  REQUIRE(file->store != nullptr);
  return file->store(machine.kernel(), text);
}

// Runs `action` with its first allocation failing, then its second, and so on until it works; `undo` takes back what
// worked. How often it failed; each time with ENOMEM and nothing left.
int fail_each(KernelMachine& machine, const std::function<int32_t()>& action,
              const std::function<void(int32_t)>& undo) {
  vm::MemorySystem& memory = machine.kernel().memory();
  undo(action());  // tables and caches that stay
  const auto before = vm::take_census(memory);
  int failed = 0;
  for (uint64_t n = 1; n < 1000; ++n) {
    memory.pages().fail_alloc().fail_nth(n);
    const int32_t result = action();
    const bool met = !memory.pages().fail_alloc().armed();
    memory.pages().fail_alloc().off();
    if (result == kENoMem) {
      ++failed;
    } else {
      undo(result);
    }
    const auto lost = vm::differences_since_boot(before, vm::take_census(memory));
    INFO("allocation " << n << (lost.empty() ? "" : ": " + lost.front()));
    CHECK(lost.empty());
    if (!met) {
      CHECK(result >= 0);
      return failed;
    }
  }
  FAIL("it never worked");
  return failed;
}
}  // namespace

TEST_CASE("sysv: identifiers go round in 64 places, and an old one is not another's") {
  KernelMachine machine;
  for (int32_t i = 0; i < 140; ++i) {
    const int32_t id = segment(machine);
    REQUIRE(id == i / 64 * 32768 + i % 64);
    REQUIRE(shmctl(machine, id, kRmid) == 0);
    REQUIRE(shmctl(machine, id, kStat) == kEInval);
  }
  std::vector<int32_t> kept;
  for (int32_t i = 0; i < 100; ++i) {
    kept.push_back(segment(machine));
    REQUIRE(kept.back() == 2 * 32768 + 12 + i);
  }
  CHECK(shmctl(machine, 0, kInfo) == 111);
  for (size_t i = 0; i < kept.size(); i += 2) {
    REQUIRE(shmctl(machine, kept[i], kRmid) == 0);
  }
  for (int32_t i = 0; i < 12; ++i) {
    REQUIRE(segment(machine) == 3 * 32768 + i);
  }
  CHECK(segment(machine) == 3 * 32768 + 12);
  CHECK(segment(machine) == 3 * 32768 + 14);
}

TEST_CASE("sysv: owner, creator, group and others have their three bits") {
  KernelMachine machine;
  become(machine, 1000, 100);
  const int32_t id = segment(machine, kPageSize, 0640 | 01000, 0x77);
  become(machine, 2000, 100);
  CHECK(segment(machine, 1, 0400, 0x77) == id);
  CHECK(segment(machine, 1, 0600, 0x77) == kEAcces);
  CHECK(attach(machine, id) == kEAcces);
  CHECK(attach(machine, id, kSegment, 010000) == static_cast<int32_t>(kSegment));
  CHECK(shmctl(machine, id, kRmid) == kEPerm);
  CHECK(shmctl(machine, id, 11) == kEPerm);
  become(machine, 2000, 200);
  CHECK(shmctl(machine, id, kStat) == kEAcces);
  CHECK(shmctl(machine, id, 15) == id);  // SHM_STAT_ANY
  become(machine, 0, 0);
  CHECK(segment(machine, 1, 0700, 0x77) == id);
  CHECK(shmctl(machine, id, kRmid) == 0);
  CHECK(machine.peek_user<uint32_t>(kData) == 0x77);  // what SHM_STAT_ANY told
}

TEST_CASE("shm: limits can be set and hold") {
  KernelMachine machine;
  CHECK(segment(machine, 0x7fffffff) == kENoMem);  // more than there is
  const int32_t id = segment(machine, 0x7fffffff, 010600);
  REQUIRE(id >= 0);
  CHECK(shmctl(machine, id, kRmid) == 0);
  REQUIRE(set_text(machine, "sys/kernel/shmmax", "8192\n"));
  CHECK(segment(machine, 8193) == kEInval);
  CHECK(segment(machine, 8192) >= 0);
  REQUIRE(set_text(machine, "sys/kernel/shmall", "3\n"));
  CHECK(segment(machine, 8192) == kENoSpc);
  CHECK(segment(machine, 4096) >= 0);
  REQUIRE(set_text(machine, "sys/kernel/shmall", " 0144"));
  REQUIRE(set_text(machine, "sys/kernel/shmmni", "3"));
  CHECK(segment(machine) >= 0);
  CHECK(segment(machine) == kENoSpc);
  CHECK_FALSE(set_text(machine, "sys/kernel/shmmni", "32769"));
  CHECK_FALSE(set_text(machine, "sys/kernel/shmmax", "x"));
  CHECK_FALSE(set_text(machine, "sys/kernel/shmmax", "4294967296"));  // of a 32-bit kernel
  CHECK(text_of(machine, "sys/kernel/shmmax") == "8192\n");
}

TEST_CASE("shm: a segment is promised as a whole, without a reserve page by page") {
  KernelMachine machine;
  vm::Overcommit& overcommit = machine.kernel().memory().overcommit();
  const uint64_t before = overcommit.committed();
  const int32_t whole = segment(machine, 8 * kPageSize);
  CHECK(overcommit.committed() == before + 8);
  CHECK(shmctl(machine, whole, kRmid) == 0);
  CHECK(overcommit.committed() == before);
  const int32_t single = segment(machine, 8 * kPageSize, 010600);  // SHM_NORESERVE
  CHECK(overcommit.committed() == before);
  REQUIRE(attach(machine, single) == static_cast<int32_t>(kSegment));
  machine.poke_user(kSegment, uint32_t{1});
  CHECK(overcommit.committed() == before + 1);
  REQUIRE(machine.call(kShmdt, {kSegment}) == 0);
  CHECK(shmctl(machine, single, kRmid) == 0);
  CHECK(overcommit.committed() == before);
  REQUIRE(set_text(machine, "sys/vm/overcommit_memory", "2"));
  CHECK(segment(machine, 0x40000000, 010600) == kENoMem);
  const int32_t strict = segment(machine, 8 * kPageSize, 010600);
  CHECK(strict >= 0);
  CHECK(overcommit.committed() == before + 8);
}

TEST_CASE("shm: each kernel has its largest segment") {
  KernelMachine old, compat(vm::KernelProfile::compat_6_18());
  CHECK(text_of(old, "sys/kernel/shmmax") == "4278190079\n");
  CHECK(text_of(compat, "sys/kernel/shmmax") == "18446744073692774399\n");
  REQUIRE(old.call(kShmctl, {0, kInfo, kData}) == 0);
  REQUIRE(compat.call(kShmctl, {0, kInfo, kData}) == 0);
  CHECK(old.peek_user<uint32_t>(kData) == 0xfeffffff);
  CHECK(compat.peek_user<uint32_t>(kData) == 0x7fffffff);
  REQUIRE(old.call(kIpc, {24, 0, kInfo, 0, kData, 0}) == 0);
  CHECK(old.peek_user<uint32_t>(kData) == 0x7fffffff);
  // A sum that wraps is seen by the 32-bit kernel only; the other leaves it to mmap.
  CHECK(attach(old, segment(old, 0x2000), 0xfffff000) == kEInval);
  CHECK(attach(compat, segment(compat, 0x2000), 0xfffff000) == kENoMem);
}

TEST_CASE("shm: present pages are mapped one by one") {
  KernelMachine machine;
  const int32_t id = segment(machine, 4 * kPageSize);
  REQUIRE(attach(machine, id) == static_cast<int32_t>(kSegment));
  for (uint32_t page = 0; page < 4; ++page) {
    machine.poke_user(kSegment + page * kPageSize, page + 1);
  }
  const uint32_t second = kSegment + 0x100000;
  REQUIRE(attach(machine, id, second) == static_cast<int32_t>(second));
  const uint64_t before = machine.task().faults.minor;
  CHECK(machine.peek_user<uint32_t>(second + kPageSize) == 2);
  CHECK(machine.task().faults.minor == before + 1);
  const mmu::Pte* const next = machine.task().mm->tables().find(VirtAddr(second + 2 * kPageSize));
  CHECK((next == nullptr || next->none()));
  CHECK(machine.peek_user<uint32_t>(second + 2 * kPageSize) == 3);
  CHECK(machine.task().faults.minor == before + 2);
}

TEST_CASE("shm: a removed segment lives until its last detach") {
  KernelMachine machine;
  const int32_t id = segment(machine);
  REQUIRE(attach(machine, id) == static_cast<int32_t>(kSegment));
  machine.poke_user(kSegment, uint32_t{7});
  REQUIRE(shmctl(machine, id, kRmid) == 0);
  REQUIRE(attach(machine, id, kSegment, 040000) == static_cast<int32_t>(kSegment));  // over the only one
  CHECK(machine.peek_user<uint32_t>(kSegment) == 7);
  CHECK(machine.kernel().ipc().sysv.shm.total_pages() == 1);
  CHECK(machine.call(kShmdt, {kSegment}) == 0);
  CHECK(machine.call(kShmdt, {kSegment}) == kEInval);
  CHECK(machine.kernel().ipc().sysv.shm.total_pages() == 0);
  CHECK(attach(machine, id) == kEInval);
}

TEST_CASE("sysv: /proc/sysvipc has a line for each object") {
  KernelMachine machine;
  become(machine, 1000, 100);
  const int32_t shm = segment(machine, 5000, 01640, 0x10);
  REQUIRE(attach(machine, shm) == static_cast<int32_t>(kSegment));
  machine.poke_user(kSegment, uint32_t{1});
  REQUIRE(machine.call(kSemget, {0, 3, 0600}) == 0);
  REQUIRE(machine.call(kMsgget, {0, 0604}) == 0);
  machine.poke_user(kData, std::array<uint32_t, 2>{1, 0});
  REQUIRE(machine.call(kMsgsnd, {0, kData, 4, 0}) == 0);
  CHECK(text_of(machine, "sysvipc/shm") ==
        "       key      shmid perms       size  cpid  lpid nattch   uid   gid  cuid  cgid      atime      dtime      "
        "ctime "
        "       rss       swap\n"
        "        16          0   640       5000  1000  1000      1  1000   100  1000   100 1704067200          0 "
        "1704067200 "
        "      4096          0\n");
  CHECK(text_of(machine, "sysvipc/sem") ==
        "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n"
        "         0          0   600          3  1000   100  1000   100          0 1704067200\n");
  CHECK(text_of(machine, "sysvipc/msg") ==
        "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid      stime      rtime  "
        "    "
        "ctime\n"
        "         0          0   604           4          1  1000     0  1000   100  1000   100 1704067200          0 "
        "1704067200\n");
}

TEST_CASE("sem: limits, and a timeout that ends at exactly its time") {
  KernelMachine machine;
  REQUIRE(set_text(machine, "sys/kernel/sem", "5 7 2 2"));
  CHECK(machine.call(kSemget, {0, 6, 0600}) == kEInval);
  const int32_t id = machine.call(kSemget, {0, 5, 0600});
  REQUIRE(id == 0);
  CHECK(machine.call(kSemget, {0, 3, 0600}) == kENoSpc);
  CHECK(machine.call(kSemget, {0, 2, 0600}) == 1);
  CHECK(machine.call(kSemget, {0, 1, 0600}) == kENoSpc);
  CHECK(machine.call(kSemtimedop64, {0, kData, 3, 0}) == kE2Big);
  CHECK(semop(machine, id, {5, 1, 0}) == kEFBig);
  machine.poke_user(kData, std::array<uint32_t, 4>{0, 0, 250, 0});
  machine.poke_user(kData + 0x100, Op{0, -1, 0});
  const uint64_t before = machine.kernel().time().now_ns();
  CHECK(machine.call(kSemtimedop64, {0, kData + 0x100, 1, kData}) == kEAgain);
  CHECK(machine.kernel().time().now_ns() - before == 250);
  CHECK_FALSE(machine.task().sem_waiter.is_linked());
  CHECK(machine.call(kSemctl, {0, 0, 14, 0}) == 0);  // GETNCNT
  CHECK_FALSE(set_text(machine, "sys/kernel/sem", "5 7 2 32769"));
  CHECK(text_of(machine, "sys/kernel/sem") == "5\t7\t2\t2\n");
}

TEST_CASE("sem: the version bit is for ipc, and for a 64-bit kernel") {
  KernelMachine old, compat(vm::KernelProfile::compat_6_18());
  for (KernelMachine* const machine : {&old, &compat}) {
    REQUIRE(machine->call(kSemget, {0, 1, 0600}) == 0);
    machine->poke_user(kData, kData + 0x100);
    CHECK(machine->call(kIpc, {3, 0, 0, kStat | k64, kData, 0}) == 0);
    CHECK(machine->peek_user<uint32_t>(kData + 0x100 + 52) == 1);  // sem_nsems
    CHECK(machine->call(kIpc, {3, 0, 0, kStat, kData, 0}) == 0);
    CHECK(machine->peek_user<uint16_t>(kData + 0x100 + 40) == 1);
  }
  CHECK(old.call(kSemctl, {0, 0, kStat | k64, kData}) == kEInval);
  CHECK(compat.call(kSemctl, {0, 0, kStat | k64, kData}) == 0);
}

TEST_CASE("sem: an undo value that has no room is refused and nothing changes") {
  KernelMachine machine;
  const int32_t id = machine.call(kSemget, {0, 1, 0600});
  CHECK(semop(machine, id, {0, 32767, 0x1000}) == 0);
  CHECK(semop(machine, id, {0, -32767, 0}) == 0);
  CHECK(semop(machine, id, {0, 1, 0x1000}) == 0);  // -32768 is kept for it
  CHECK(semop(machine, id, {0, 1, 0x1000}) == -34);
  CHECK(machine.call(kSemctl, {0, 0, kGetVal, 0}) == 1);
  CHECK(machine.call(kSemctl, {0, 0, kSetVal, 5}) == 0);  // forgets it
  CHECK(semop(machine, id, {0, 1, 0x1000}) == 0);
}

TEST_CASE("sysv: without memory a call answers ENOMEM and leaves nothing") {
  KernelMachine machine;
  const auto remove = [&machine](uint32_t call, std::array<uint32_t, 3> args) {
    REQUIRE(machine.call(call, {args[0], args[1], args[2]}) == 0);
  };
  SECTION("shmget") {
    CHECK(fail_each(
              machine, [&] { return segment(machine); },
              [&](int32_t id) {
                remove(kShmctl, {static_cast<uint32_t>(id), kRmid, 0});
              }) > 1);
  }
  SECTION("shmat") {
    const int32_t id = segment(machine, 2 * kPageSize);
    CHECK(fail_each(
              machine, [&] { return attach(machine, id); },
              [&](int32_t addr) {
                remove(kShmdt, {static_cast<uint32_t>(addr), 0, 0});
              }) > 1);
    REQUIRE(shmctl(machine, id, kStat) == 0);
    CHECK(machine.peek_user<uint32_t>(kData + 72) == 0);  // shm_nattch
  }
  SECTION("semget, of many") {
    CHECK(fail_each(
              machine,
              [&] {
                return machine.call(kSemget, {0, 1000, 0600});
              },
              [&](int32_t id) {
                remove(kSemctl, {static_cast<uint32_t>(id), 0, kRmid});
              }) > 0);
  }
  SECTION("semop with undo") {
    // The list of the task stays when the set is gone.
    REQUIRE(semop(machine, machine.call(kSemget, {0, 1, 0600}), {0, 1, 0x1000}) == 0);
    int32_t id = -1;
    const auto failed = fail_each(
        machine,
        [&] {
          id = machine.call(kSemget, {0, 9000, 0600});
          const int32_t done = id < 0 ? id : semop(machine, id, {8999, 1, 0x1000});
          if (id >= 0 && done < 0) {
            remove(kSemctl, {static_cast<uint32_t>(id), 0, kRmid});
          }
          return done;
        },
        [&](int32_t) {
          remove(kSemctl, {static_cast<uint32_t>(id), 0, kRmid});
        });
    CHECK(failed > 1);
  }
  SECTION("msgsnd") {
    const auto id = static_cast<uint32_t>(machine.call(kMsgget, {0, 0600}));
    machine.poke_user(kData, uint32_t{1});
    const auto sent = [&] { return machine.call(kMsgsnd, {id, kData, 3000, 0}); };
    CHECK(fail_each(machine, sent, [&](int32_t) {
            REQUIRE(machine.call(kMsgrcv, {id, kData, 3000, 0, 0}) == 3000);
          }) > 1);
    CHECK(machine.kernel().ipc().sysv.msg.total_messages() == 0);
  }
}

TEST_CASE("sysv: what a machine leaves is taken away at its end") {
  KernelMachine machine;
  vm::MemorySystem& memory = machine.kernel().memory();
  // What the program's own memory takes: its data, and the tables of the place to attach at.
  machine.poke_user(kData, uint32_t{1});
  const int32_t first = segment(machine);
  REQUIRE(attach(machine, first) == static_cast<int32_t>(kSegment));
  machine.poke_user(kSegment, uint32_t{1});
  REQUIRE(machine.call(kShmdt, {kSegment}) == 0);
  REQUIRE(shmctl(machine, first, kRmid) == 0);
  const auto before = vm::take_census(memory);
  const int32_t shm = segment(machine);
  REQUIRE(attach(machine, shm) == static_cast<int32_t>(kSegment));
  machine.poke_user(kSegment, uint32_t{1});
  const int32_t sem = machine.call(kSemget, {0, 100, 0600});
  REQUIRE(semop(machine, sem, {0, 1, 0x1000}) == 0);
  const int32_t msg = machine.call(kMsgget, {0, 0600});
  machine.poke_user(kData, uint32_t{1});
  REQUIRE(machine.call(kMsgsnd, {static_cast<uint32_t>(msg), kData, 100, 0}) == 0);
  REQUIRE(machine.call(kShmdt, {kSegment}) == 0);
  CHECK_FALSE(vm::differences_since_boot(before, vm::take_census(memory)).empty());
  machine.kernel().ipc().sysv.sem.exit_sem(machine.task());
  machine.kernel().empty_ipc();
  const auto lost = vm::differences_since_boot(before, vm::take_census(memory));
  INFO((lost.empty() ? "" : lost.front()));
  CHECK(lost.empty());
  CHECK(machine.call(kMsgctl, {static_cast<uint32_t>(msg), kStat, kData}) == kEInval);
}
