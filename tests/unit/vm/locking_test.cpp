// Locking without faulting in (MLOCK_ONFAULT), locked areas that become writable, holes in shared memory, and strings
// that are read a word at a time.
#include <catch2/catch_test_macros.hpp>

#include "tests/unit/vm/vm_machine.hpp"

namespace fl::vm::test {
namespace {

constexpr int kRemove = 9;

uint64_t gup_faults(const Machine& machine) { return machine.task.by_mode[static_cast<size_t>(FaultMode::kGup)]; }
uint64_t kernel_faults(const Machine& machine) { return machine.task.by_mode[static_cast<size_t>(FaultMode::kKernel)]; }

}  // namespace

TEST_CASE("mlock: on fault locks and faults nothing in; a plain mlock of the same range does") {
  Machine machine;
  AddressSpace& mm = machine.mm();
  const VirtAddr at = machine.map_anon(0x10000000, 4);
  REQUIRE(mm.mlock(at, bytes_of(4), machine.task, LockPages::kOnFault));
  CHECK(gup_faults(machine) == 0);
  CHECK(mm.use().locked_vm == 4);
  CHECK(machine.writes(at, 2) == 2);
  REQUIRE(mm.mlock(at, bytes_of(4), machine.task));
  CHECK(gup_faults(machine) == 2);
  CHECK_FALSE(mm.areas().find(at)->has(VmFlag::kLockOnFault));
  REQUIRE(mm.munlock(at, bytes_of(4)));
  CHECK(mm.use().locked_vm == 0);
  CHECK(machine.problems().empty());
}

TEST_CASE("mlockall: MCL_FUTURE on fault locks later mappings without faulting them in, even with MAP_POPULATE") {
  Machine machine;
  constexpr uint32_t kFuture = 2, kOnFault = 4;
  REQUIRE(machine.mm().mlockall(kFuture | kOnFault, machine.task));
  machine.map_anon(0x10000000, 4);
  machine.map(0x20000000, 4, kRw, kAnonPrivate | MapFlag::kPopulate);
  CHECK(machine.faults() == 0);
  CHECK(machine.mm().use().locked_vm == 8);
  REQUIRE(machine.mm().munlockall());
  machine.map(0x30000000, 4, kRw, kAnonPrivate | MapFlag::kPopulate);
  CHECK(gup_faults(machine) == 4);
}

TEST_CASE("mlock: on fault locks what nobody may read, a plain mlock of it fails") {
  Machine machine;
  const VirtAddr at = machine.map_anon(0x10000000, 4, 0);
  CHECK(machine.mm().mlock(at, bytes_of(2), machine.task, LockPages::kOnFault));
  CHECK(machine.mm().mlock(at + bytes_of(2), bytes_of(2), machine.task).error() == Errno::kENOMEM);
  CHECK(gup_faults(machine) == 0);
  CHECK(machine.mm().use().locked_vm == 4);
}

TEST_CASE("mlockall: on fault faults nothing in but the vDSO, which is never locked") {
  Machine machine;
  constexpr uint32_t kCurrent = 1, kOnFault = 4;
  const SpecialMapping vdso{.name = "[vdso]", .frames = {*machine.pages().alloc_pages(kGfpUser | kGfpZero)}};
  const VirtAddr at = *machine.mm().map_special(VirtAddr(0x10000000), vdso, VmFlag::kRead | VmFlag::kMayRead);
  machine.map_anon(0x20000000, 4);
  REQUIRE(machine.mm().mlockall(kCurrent | kOnFault, machine.task));
  CHECK(gup_faults(machine) == 1);
  CHECK(machine.reads(at, 1) == 0);
  CHECK(machine.mm().use().locked_vm == 4);
}

TEST_CASE("mprotect: a locked area that becomes writable gets its copies at once") {
  Machine machine;
  const TestFile file = machine.new_file(8);
  const VirtAddr at = machine.map(0x10000000, 8, kRead, MapFlag::kPrivate, file.file);
  REQUIRE(machine.mm().mlock(at, bytes_of(8), machine.task));
  const uint64_t locked = gup_faults(machine);
  REQUIRE(machine.mm().mprotect(at, bytes_of(6), kRw, machine.task));
  CHECK(gup_faults(machine) == locked + 6);
  CHECK(machine.writes(at, 6) == 0);
  const VirtAddr shared = machine.map(0x20000000, 4, kRead, kAnonShared);
  REQUIRE(machine.mm().mlock(shared, bytes_of(4), machine.task));
  const uint64_t before = gup_faults(machine);
  REQUIRE(machine.mm().mprotect(shared, bytes_of(4), kRw, machine.task));
  CHECK(gup_faults(machine) == before);
}

TEST_CASE("madvise: REMOVE makes a hole in shared memory that all its mappings see") {
  Machine machine;
  AddressSpace& mm = machine.mm();
  const VirtAddr at = machine.map(0x10000000, 8, kRw, kAnonShared);
  CHECK(machine.writes(at, 8) == 8);
  const auto twin =
      mm.mremap(at, 0, bytes_of(8), MremapFlag::kMayMove | MremapFlag::kFixed, VirtAddr(0x20000000), machine.task);
  REQUIRE(twin);
  CHECK(machine.reads(*twin, 8) == 1);
  const uint32_t free_before = machine.pages().free_frames();
  REQUIRE(mm.madvise(at + bytes_of(2), bytes_of(4), kRemove, machine.task));
  CHECK(machine.pages().free_frames() == free_before + 4);
  CHECK(machine.load(*twin + bytes_of(3)) == 0);
  CHECK(machine.writes(at, 8) == 4);
  CHECK(machine.problems().empty());

  CHECK(mm.madvise(machine.map_anon(0x30000000, 1), bytes_of(1), kRemove, machine.task).error() == Errno::kEINVAL);
  const VirtAddr read_only = machine.map(0x40000000, 1, kRead, kAnonShared);
  CHECK(mm.madvise(read_only, bytes_of(1), kRemove, machine.task).error() == Errno::kEACCES);
  REQUIRE(mm.mlock(at, bytes_of(1), machine.task));
  CHECK(mm.madvise(at, bytes_of(1), kRemove, machine.task).error() == Errno::kEINVAL);
}

TEST_CASE("user access: a string is read a word at a time, so the page behind its end may be touched") {
  struct Case {
    uint32_t bytes_before_page_end;  // where the string "" starts
    uint64_t i386_faults, compat_faults;
  };
  // The word of 4 or 8 bytes from the string's first byte reaches the next page, or not.
  for (const Case& c : {Case{9, 1, 1}, Case{8, 1, 1}, Case{7, 1, 2}, Case{4, 1, 2}, Case{3, 2, 2}, Case{1, 2, 2}}) {
    for (const KernelProfile* profile : {&KernelProfile::i386_6_1(), &KernelProfile::compat_6_18()}) {
      Machine machine(256, *profile);
      const VirtAddr at = machine.map_anon(0x10000000, 2);
      INFO(profile->name << ", " << c.bytes_before_page_end);
      const auto text = machine.user().string(at + (kPageSize - c.bytes_before_page_end), 4096);
      REQUIRE(text);
      CHECK(text->empty());
      CHECK(kernel_faults(machine) == (profile->kernel_pointer_bytes == 4 ? c.i386_faults : c.compat_faults));
    }
  }
}

TEST_CASE("user access: a string that ends where nothing is mapped behind it is read all the same") {
  Machine machine;
  const VirtAddr at = machine.map_anon(0x10000000, 1);
  REQUIRE(machine.user().put(at + (kPageSize - 4), std::array<char, 4>{'a', 'b', 'c', 0}));
  for (uint32_t back = 1; back <= 4; ++back) {
    const auto text = machine.user().string(at + (kPageSize - back), 4096);
    REQUIRE(text);
    CHECK(*text == std::string("abc").substr(4 - back));
  }
  CHECK(machine.user().string(at + (kPageSize - 4), 3).error() == Errno::kENAMETOOLONG);
}

}  // namespace fl::vm::test
