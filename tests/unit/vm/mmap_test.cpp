// mmap, munmap, mprotect and brk by their manual pages: results, errors and the areas that are left.
#include <catch2/catch_test_macros.hpp>

#include "mmu/layout.hpp"
#include "tests/unit/vm/vm_machine.hpp"
#include "vm/profile.hpp"

namespace fl::vm::test {
namespace {

using Maps = std::vector<std::string>;

Errno error(const Result<VirtAddr>& result) { return result ? Errno{} : result.error(); }
Errno error(const Status& result) { return result ? Errno{} : result.error(); }

}  // namespace

TEST_CASE("mmap: without an address the first mapping ends at mmap_base, the next stands below and merges") {
  Machine machine;
  CHECK(machine.map_anon(0, 4) == VirtAddr(0xB8000000 - bytes_of(4)));
  CHECK(machine.map_anon(0, 2) == VirtAddr(0xB8000000 - bytes_of(6)));
  CHECK(machine.maps() == Maps{"b7ffa-b8000 rw-p"});
}

TEST_CASE("mmap: a hint is taken where it is free, rounded down, and never below 64 KiB") {
  Machine machine;
  CHECK(*machine.mmap(0x10000123, 1, kRw, kAnonPrivate) == VirtAddr(0x10000000));
  CHECK(*machine.mmap(0x10000000, 1, kRw, kAnonPrivate) == VirtAddr(0xB7FFF000));
  CHECK(*machine.mmap(0x1000, 1, kRw, kAnonPrivate) == VirtAddr(0x10000));
  CHECK(*machine.mmap(0xBFFFF000, 2, kRw, kAnonPrivate) == VirtAddr(0xB7FFD000));
  CHECK(*machine.mmap(0xF0000000, 1, kRw, kAnonPrivate) == VirtAddr(0xB7FFC000));
}

TEST_CASE("mmap: a hint or hole within the guard gap below a stack is not taken") {
  Machine machine;
  REQUIRE(machine.mm().map_stack(VirtAddr(0x20000000), bytes_of(4), VmFlag::kRead | VmFlag::kWrite));
  const uint32_t bottom = 0x20000000 - bytes_of(4);
  CHECK(*machine.mmap(bottom - bytes_of(1), 1, kRw, kAnonPrivate) != VirtAddr(bottom - bytes_of(1)));
  CHECK(*machine.mmap(bottom - kStackGuardGap - bytes_of(1), 1, kRw, kAnonPrivate) ==
        VirtAddr(bottom - kStackGuardGap - bytes_of(1)));
}

TEST_CASE("mmap: MAP_FIXED replaces what stands there, MAP_FIXED_NOREPLACE does not") {
  Machine machine;
  const VirtAddr at = machine.map_anon(0x10000000, 4);
  machine.store(at + bytes_of(1), 7);
  machine.map(0x10001000, 1, kRead, kAnonPrivate);
  CHECK(machine.maps() == Maps{"10000-10001 rw-p", "10001-10002 r--p", "10002-10004 rw-p"});
  CHECK(machine.load(at + bytes_of(1)) == 0);
  CHECK(error(machine.mmap(0x10003000, 2, kRw, kAnonPrivate | MapFlag::kFixedNoReplace)) == Errno::kEEXIST);
  CHECK(*machine.mmap(0x10004000, 2, kRw, kAnonPrivate | MapFlag::kFixedNoReplace) == VirtAddr(0x10004000));
  CHECK(machine.problems().empty());
}

TEST_CASE("mmap: errors come in Linux's order") {
  Machine machine;
  const TestFile file = machine.new_file(4);
  auto read_only = std::make_shared<MappedFile>(*file.file);
  read_only->writable = false;
  auto write_only = std::make_shared<MappedFile>(*file.file);
  write_only->readable = false;
  const uint32_t fixed = kAnonPrivate | MapFlag::kFixed;
  CHECK(error(machine.mmap(0x10000001, 0, kRw, fixed)) == Errno::kEINVAL);
  CHECK(error(machine.mmap(0x10000001, 1, kRw, fixed)) == Errno::kEINVAL);
  CHECK(error(machine.mmap(0xBFFFF000, 2, kRw, fixed)) == Errno::kENOMEM);
  CHECK(error(machine.mmap(0xBFFFF001, 2, kRw, fixed)) == Errno::kENOMEM);
  CHECK(error(machine.mmap(0x1000, 1, kRw, fixed)) == Errno::kEPERM);
  CHECK(error(machine.mmap(0, 0xC0001, kRw, kAnonPrivate)) == Errno::kENOMEM);
  CHECK(error(machine.mmap(0, 1, kRw, MapFlag::kAnonymous)) == Errno::kEINVAL);
  CHECK(error(machine.mmap(0, 1, kRw, MapFlag::kAnonymous | MapFlag::kSharedValidate)) == Errno::kEINVAL);
  CHECK(error(machine.mmap(0, 1, kRw, kAnonShared | MapFlag::kGrowsDown)) == Errno::kEINVAL);
  CHECK(error(machine.mmap(0, 2, kRead, MapFlag::kPrivate, file.file, 0xffffffff)) == Errno::kEOVERFLOW);
  CHECK(error(machine.mmap(0, 1, kRead, 0, file.file)) == Errno::kEINVAL);
  CHECK(error(machine.mmap(0, 1, kRw, MapFlag::kShared, read_only)) == Errno::kEACCES);
  CHECK(error(machine.mmap(0, 1, kRw, MapFlag::kPrivate, read_only)) == Errno{});
  CHECK(error(machine.mmap(0, 1, kRead, MapFlag::kPrivate, write_only)) == Errno::kEACCES);
  CHECK(error(machine.mmap(0, 1, kWrite, MapFlag::kShared, write_only)) == Errno::kEACCES);
  CHECK(error(machine.mmap(0, 1, kRead, MapFlag::kPrivate | MapFlag::kGrowsDown, file.file)) == Errno::kEINVAL);
  CHECK(error(machine.mmap(0, 1, kRead, MapFlag::kSharedValidate | MapFlag::kSync, file.file)) == Errno::kEOPNOTSUPP);
  CHECK(error(machine.mmap(0x10000000, 1, kRead, MapFlag::kSharedValidate | MapFlag::kFixedNoReplace, file.file)) ==
        Errno::kEOPNOTSUPP);
  CHECK(error(machine.mmap(0, 1, kRead, MapFlag::kSharedValidate | 0x40, file.file)) == Errno{});
  CHECK(error(machine.mmap(0, 1, kRead, kAnonPrivate | MapFlag::kHugeTlb)) == Errno::kENOMEM);
  CHECK(machine.problems().empty());
}

TEST_CASE("mmap: a shared mapping of a file opened for reading can never become writable") {
  Machine machine;
  const TestFile file = machine.new_file(4);
  auto read_only = std::make_shared<MappedFile>(*file.file);
  read_only->writable = false;
  const VirtAddr at = machine.map(0, 2, kRead, MapFlag::kShared, read_only);
  CHECK(permissions(*machine.mm().areas().lookup(at)) == "r--s");
  CHECK(error(machine.mm().mprotect(at, bytes_of(1), kRw, machine.task)) == Errno::kEACCES);
}

TEST_CASE("mmap: RLIMIT_AS bounds all mappings, RLIMIT_DATA private writable ones, and replacing costs nothing") {
  Machine machine;
  machine.new_space({.address_space = bytes_of(8), .data = bytes_of(4)});
  machine.map_anon(0x10000000, 4);
  CHECK(error(machine.mmap(0, 1, kRw, kAnonPrivate)) == Errno::kENOMEM);
  CHECK(error(machine.mmap(0x10000000, 4, kRw, kAnonPrivate | MapFlag::kFixed)) == Errno{});
  machine.map_anon(0x20000000, 4, kRead);
  CHECK(error(machine.mmap(0, 1, kRead, kAnonPrivate)) == Errno::kENOMEM);
  machine.mm().set_limits({.data = bytes_of(4)});
  CHECK(error(machine.mm().mprotect(VirtAddr(0x20000000), bytes_of(1), kRw, machine.task)) == Errno::kENOMEM);
  CHECK(machine.mm().use().total_vm == 8);
  CHECK(machine.mm().use().data_vm == 4);
}

TEST_CASE("mmap: PROT_READ implies PROT_EXEC where the personality says so") {
  Machine machine;
  machine.mm().set_read_implies_exec(true);
  machine.map_anon(0x10000000, 1, kRead);
  machine.map_anon(0x10010000, 1, kWrite);
  CHECK(machine.maps() == Maps{"10000-10001 r-xp", "10010-10011 -w-p"});
  REQUIRE(machine.mm().mprotect(VirtAddr(0x10010000), bytes_of(1), kRw, machine.task));
  CHECK(machine.maps() == Maps{"10000-10001 r-xp", "10010-10011 rwxp"});
}

TEST_CASE("mmap: neighbours merge only with equal flags, file and offset") {
  Machine machine;
  const TestFile file = machine.new_file(8);
  machine.map_anon(0x10000000, 2);
  machine.map_anon(0x10002000, 2);
  machine.map_anon(0x10004000, 2, kRead);
  machine.map(0x10006000, 2, kRead, MapFlag::kPrivate, file.file, 0);
  machine.map(0x10008000, 2, kRead, MapFlag::kPrivate, file.file, 2);
  machine.map(0x1000a000, 2, kRead, MapFlag::kPrivate, file.file, 5);
  machine.map(0x1000c000, 1, kRead, MapFlag::kPrivate, std::make_shared<MappedFile>(*file.file), 7);
  CHECK(machine.maps() ==
        Maps{"10000-10004 rw-p", "10004-10006 r--p", "10006-1000a r--p", "1000a-1000c r--p", "1000c-1000d r--p"});
  // The hole between two is filled: all three become one.
  machine.map_anon(0x10020000, 1);
  machine.map_anon(0x10022000, 1);
  machine.map_anon(0x10021000, 1);
  CHECK(machine.maps().back() == "10020-10023 rw-p");
}

TEST_CASE("mmap: areas written separately do not merge later, because each has its own anon_vma") {
  for (const KernelProfile* profile : {&KernelProfile::i386_6_1(), &KernelProfile::compat_6_18()}) {
    Machine machine(256, *profile);
    machine.map_anon(0x10000000, 1);
    machine.map_anon(0x10002000, 1);
    machine.store(VirtAddr(0x10000000), 1);
    machine.store(VirtAddr(0x10002000), 1);
    machine.map_anon(0x10001000, 1);
    // Before 6.16 mmap looks at the area above first.
    CHECK(machine.maps() == (profile->unwritten_area_takes_written ? Maps{"10000-10002 rw-p", "10002-10003 rw-p"}
                                                                   : Maps{"10000-10001 rw-p", "10001-10003 rw-p"}));
  }
}

TEST_CASE("mmap: MAP_LOCKED and MAP_POPULATE make the pages present, MAP_NONBLOCK with it does not") {
  Machine machine;
  const VirtAddr populated = machine.map(0x10000000, 3, kRw, kAnonPrivate | MapFlag::kPopulate);
  CHECK(machine.task.by_mode[static_cast<size_t>(FaultMode::kGup)] == 3);
  CHECK(machine.writes(populated, 3) == 0);
  machine.map(0x10010000, 3, kRw, kAnonPrivate | MapFlag::kPopulate | MapFlag::kNonBlock);
  CHECK(machine.faults() == 3);
  machine.map(0x10020000, 3, kRw, kAnonPrivate | MapFlag::kLocked);
  CHECK(machine.faults() == 6);
  CHECK(machine.mm().use().locked_vm == 3);
  machine.mm().set_limits({.memlock = bytes_of(4)});
  CHECK(error(machine.mmap(0, 2, kRw, kAnonPrivate | MapFlag::kLocked)) == Errno::kEAGAIN);
  machine.mm().set_limits({.memlock = 0});
  CHECK(error(machine.mmap(0, 1, kRw, kAnonPrivate | MapFlag::kLocked)) == Errno::kEPERM);
}

TEST_CASE("munmap: splits what it cuts, passes over holes, frees frames and tables") {
  Machine machine;
  const uint32_t free_before = machine.free_or_slab_frames();
  const VirtAddr at = machine.map_anon(0x103FE000, 8);
  machine.writes(at, 8);
  REQUIRE(machine.mm().munmap(at + bytes_of(1), bytes_of(1)));
  CHECK(machine.maps() == Maps{"103fe-103ff rw-p", "10400-10406 rw-p"});
  CHECK(machine.problems().empty());
  REQUIRE(machine.mm().munmap(VirtAddr(0x10000000), 0x10000000));
  CHECK(machine.maps().empty());
  CHECK(machine.free_or_slab_frames() == free_before);
  CHECK(machine.mm().munmap(VirtAddr(0x10000000), bytes_of(1)));
}

TEST_CASE("munmap: what was read through the TLB is flushed before its frame is free") {
  Machine machine;
  const VirtAddr at = machine.map_anon(0x10000000, 2);
  machine.writes(at, 1);
  const uint32_t flushes = machine.tlb.flushes;
  REQUIRE(machine.mm().munmap(at, bytes_of(2)));
  CHECK(machine.tlb.flushes > flushes);
  CHECK(machine.stale_translations().empty());
}

TEST_CASE("munmap: an unaligned address, no length and a range beyond user space are EINVAL") {
  Machine machine;
  CHECK(error(machine.mm().munmap(VirtAddr(0x10000001), bytes_of(1))) == Errno::kEINVAL);
  CHECK(error(machine.mm().munmap(VirtAddr(0x10000000), 0)) == Errno::kEINVAL);
  CHECK(error(machine.mm().munmap(VirtAddr(0xBFFFF000), bytes_of(2))) == Errno::kEINVAL);
  CHECK(error(machine.mm().munmap(VirtAddr(0xC0000000), bytes_of(1))) == Errno::kEINVAL);
  CHECK(error(machine.mm().munmap(VirtAddr(0x10000000), 0xffffffff)) == Errno::kEINVAL);
}

TEST_CASE("mprotect: splits, and merges again when the rights are equal again") {
  Machine machine;
  const VirtAddr at = machine.map_anon(0x10000000, 6);
  REQUIRE(machine.mm().mprotect(at + bytes_of(2), bytes_of(2), kRead, machine.task));
  CHECK(machine.maps() == Maps{"10000-10002 rw-p", "10002-10004 r--p", "10004-10006 rw-p"});
  CHECK(machine.touch(at + bytes_of(2), mmu::Access::kWrite).refused == FaultResult::kAccErr);
  REQUIRE(machine.mm().mprotect(at + bytes_of(2), bytes_of(2), kRw, machine.task));
  CHECK(machine.maps() == Maps{"10000-10006 rw-p"});
}

TEST_CASE("mprotect: a write right that is taken away is taken from the TLB too") {
  Machine machine;
  const VirtAddr at = machine.map_anon(0x10000000, 1);
  machine.writes(at, 1);
  REQUIRE(machine.mm().mprotect(at, bytes_of(1), kRead, machine.task));
  CHECK(machine.stale_translations().empty());
  CHECK_FALSE(machine.pte(at).writable());
  REQUIRE(machine.mm().mprotect(at, bytes_of(1), 0, machine.task));
  CHECK(machine.pte(at).protnone());
  CHECK(machine.touch(at, mmu::Access::kRead).refused == FaultResult::kAccErr);
  CHECK(machine.problems().empty());
}

TEST_CASE("mprotect: errors, and what was changed before them") {
  Machine machine;
  const VirtAddr at = machine.map_anon(0x10000000, 2);
  machine.map_anon(0x10004000, 2);
  AddressSpace& mm = machine.mm();
  CHECK(error(mm.mprotect(at + 1, bytes_of(1), kRead, machine.task)) == Errno::kEINVAL);
  CHECK(error(mm.mprotect(at, 0, 0xff, machine.task)) == Errno{});
  CHECK(error(mm.mprotect(at, bytes_of(1), 0x10, machine.task)) == Errno::kEINVAL);
  CHECK(error(mm.mprotect(at, bytes_of(1), kRead | Prot::kGrowsDown | Prot::kGrowsUp, machine.task)) == Errno::kEINVAL);
  CHECK(error(mm.mprotect(at, bytes_of(1), kRead | Prot::kGrowsDown, machine.task)) == Errno::kEINVAL);
  CHECK(error(mm.mprotect(VirtAddr(0x10002000), bytes_of(1), kRead, machine.task)) == Errno::kENOMEM);
  CHECK(error(mm.mprotect(VirtAddr(0xFFFFF000), bytes_of(1), 0x10, machine.task)) == Errno::kENOMEM);
  CHECK(error(mm.mprotect(at, bytes_of(5), kRead, machine.task)) == Errno::kENOMEM);
  CHECK(machine.maps() == Maps{"10000-10002 r--p", "10004-10006 rw-p"});
}

TEST_CASE("mprotect: PROT_GROWSDOWN starts at the stack's lowest page") {
  Machine machine;
  REQUIRE(machine.mm().map_stack(VirtAddr(0x20000000), bytes_of(4), VmFlag::kRead | VmFlag::kWrite));
  REQUIRE(machine.mm().mprotect(VirtAddr(0x1FFFF000), bytes_of(1), kRw | kExec | Prot::kGrowsDown, machine.task));
  CHECK(machine.maps() == Maps{"1fffc-20000 rwxp"});
}

TEST_CASE("brk: moves by bytes, maps by pages, and answers the old break when it cannot") {
  Machine machine;
  AddressSpace& mm = machine.mm();
  mm.layout().start_brk = mm.layout().brk = VirtAddr(0x08100000);
  CHECK(mm.brk(VirtAddr(0), machine.task) == VirtAddr(0x08100000));
  CHECK(mm.brk(VirtAddr(0x08100001), machine.task) == VirtAddr(0x08100001));
  CHECK(machine.maps() == Maps{"8100-8101 rw-p"});
  CHECK(mm.brk(VirtAddr(0x08100fff), machine.task) == VirtAddr(0x08100fff));
  CHECK(mm.brk(VirtAddr(0x08105000), machine.task) == VirtAddr(0x08105000));
  CHECK(machine.maps() == Maps{"8100-8105 rw-p"});
  CHECK(machine.faults() == 0);
  CHECK(machine.writes(VirtAddr(0x08100000), 5) == 5);
  CHECK(mm.brk(VirtAddr(0x08102001), machine.task) == VirtAddr(0x08102001));
  CHECK(machine.maps() == Maps{"8100-8103 rw-p"});
  CHECK(mm.brk(VirtAddr(0x080fffff), machine.task) == VirtAddr(0x08102001));
  CHECK(mm.brk(VirtAddr(0xBFFFFFFF), machine.task) == VirtAddr(0x08102001));
  machine.map_anon(0x08106000, 1);
  CHECK(mm.brk(VirtAddr(0x08105001), machine.task) == VirtAddr(0x08102001));
  CHECK(mm.brk(VirtAddr(0x08105000), machine.task) == VirtAddr(0x08105000));
  CHECK(machine.problems().empty());
}

TEST_CASE("brk: RLIMIT_DATA counts heap and data, and a heap that was unmapped does not shrink") {
  Machine machine;
  AddressSpace& mm = machine.mm();
  mm.layout().start_brk = mm.layout().brk = VirtAddr(0x08100000);
  mm.layout().start_data = VirtAddr(0x08000000);
  mm.layout().end_data = VirtAddr(0x08002000);
  mm.set_limits({.data = bytes_of(4)});
  CHECK(mm.brk(VirtAddr(0x08103000), machine.task) == VirtAddr(0x08100000));
  CHECK(mm.brk(VirtAddr(0x08102000), machine.task) == VirtAddr(0x08102000));
  REQUIRE(mm.munmap(VirtAddr(0x08100000), bytes_of(2)));
  CHECK(mm.brk(VirtAddr(0x08100000), machine.task) == VirtAddr(0x08102000));
}

TEST_CASE("loaders' calls: a fixed anonymous area replaces, a special mapping does not") {
  Machine machine;
  AddressSpace& mm = machine.mm();
  machine.map_anon(0x10000000, 4, kRead);
  REQUIRE(mm.map_anonymous_fixed(VirtAddr(0x10001000), 5000, 0));
  CHECK(machine.maps() == Maps{"10000-10001 r--p", "10001-10003 rw-p", "10003-10004 r--p"});
  CHECK(error(mm.map_anonymous_fixed(VirtAddr(0x10001001), 1, 0)) == Errno::kEINVAL);
  CHECK(error(mm.map_anonymous_fixed(VirtAddr(0xBFFFF000), 8192, 0)) == Errno::kENOMEM);
  SpecialMapping special{.name = "[vdso]", .frames = {*machine.pages().alloc_pages(kGfpUser | kGfpZero), Pfn()}};
  CHECK(error(mm.map_special(VirtAddr(0x10003000), special, VmFlag::kRead)) == Errno::kEEXIST);
  CHECK(mm.map_special(VirtAddr(0), special, VmFlag::kRead) == VirtAddr(0xB7FFE000));
  CHECK(error(mm.map_stack(VirtAddr(0x10004000), bytes_of(1), VmFlag::kRead)) == Errno::kENOMEM);
  CHECK(machine.problems().empty());
}

}  // namespace fl::vm::test
