// The fault handler: rules B to G and section J, case by case; how many faults, of what cause, and what is mapped
// after.
#include <catch2/catch_test_macros.hpp>

#include "tests/unit/vm/vm_machine.hpp"
#include "vm/profile.hpp"

namespace fl::vm::test {
namespace {

using mmu::Access;
using Causes = std::vector<std::string>;

// The causes of the faults since the last call.
Causes causes(Machine& machine) {
  Causes names;
  for (const FaultRecord& record : machine.log.records) {
    names.emplace_back(cause_name(record.cause));
  }
  machine.log.records.clear();
  return names;
}

// "from..to: mapped", in pages relative to `base`.
std::string window(const FaultRecord& record, VirtAddr base) {
  return fmt::format("{}..{}: {}", (record.around.from - base) >> kPageShift, (record.around.to - base) >> kPageShift,
                     record.around.mapped);
}

}  // namespace

TEST_CASE("anonymous: a read maps the zero page read-only, a write after it costs one more fault") {
  Machine machine;
  const VirtAddr at = machine.map_anon(0x10000000, 4);
  CHECK(machine.reads(at, 2) == 2);
  CHECK(machine.pte(at).pfn() == machine.memory().zero_page());
  CHECK(machine.pte(at).special());
  CHECK_FALSE(machine.pte(at).writable());
  CHECK(machine.mm().use().anon_rss == 0);
  CHECK(machine.writes(at, 2) == 2);
  CHECK(machine.writes(at + bytes_of(2), 2) == 2);
  CHECK(machine.reads(at, 4) == 0);
  CHECK(causes(machine) == Causes{"anon_zero", "anon_zero", "zero_cow", "zero_cow", "anon", "anon"});
  CHECK(machine.mm().use().anon_rss == 4);
  CHECK(machine.problems().empty());
}

TEST_CASE("anonymous: PROT_WRITE alone can be read, PROT_EXEC alone too") {
  Machine machine;
  const VirtAddr write_only = machine.map_anon(0x10000000, 1, kWrite);
  const VirtAddr exec_only = machine.map_anon(0x10010000, 1, kExec);
  CHECK(machine.load(write_only) == 0);
  CHECK(machine.writes(write_only, 1) == 1);
  CHECK(machine.load(exec_only) == 0);
}

TEST_CASE("anonymous: a page of an earlier owner is seen as zeros") {
  Machine machine(96);
  for (int round = 0; round < 3; ++round) {
    const VirtAddr at = machine.map_anon(0x10000000, 30);
    for (uint32_t page = 0; page < 30; ++page) {
      REQUIRE(machine.load(at + bytes_of(page) + 16) == 0);
      machine.store(at + bytes_of(page) + 16, 0xdead);
    }
    REQUIRE(machine.mm().munmap(at, bytes_of(30)));
  }
}

TEST_CASE("refused: no mapping, no right, and neither is counted as a fault") {
  Machine machine;
  const VirtAddr read_only = machine.map_anon(0x10000000, 1, kRead);
  const VirtAddr none = machine.map_anon(0x10010000, 1, 0);
  CHECK(machine.touch(VirtAddr(0x20000000), Access::kRead).refused == FaultResult::kMapErr);
  CHECK(machine.touch(VirtAddr(0xC0000000), Access::kRead).refused == FaultResult::kMapErr);
  CHECK(machine.touch(VirtAddr(0xFFFFFFFF), Access::kWrite).refused == FaultResult::kMapErr);
  CHECK(machine.touch(read_only, Access::kWrite).refused == FaultResult::kAccErr);
  CHECK(machine.touch(none, Access::kRead).refused == FaultResult::kAccErr);
  CHECK(machine.faults() == 0);
  CHECK(causes(machine) == Causes{"segv_maperr", "segv_maperr", "segv_maperr", "segv_accerr", "segv_accerr"});
  CHECK(machine.memory().faults().by_cause[static_cast<size_t>(FaultCause::kSegvMapErr)] == 3);
}

TEST_CASE("refused: without no-execute data can be executed; with it the page is mapped first and then refused") {
  Machine old;
  CHECK_FALSE(old.touch(old.map_anon(0x10000000, 1), Access::kFetch).refused);
  Machine fresh(256, KernelProfile::compat_6_18());
  const Machine::Touch touched = fresh.touch(fresh.map_anon(0x10000000, 1), Access::kFetch);
  CHECK(touched.refused == FaultResult::kAccErr);
  CHECK(touched.faults == 1);
  CHECK_FALSE(fresh.touch(fresh.map_anon(0x10010000, 1, kRead | kExec), Access::kFetch).refused);
  CHECK(fresh.problems().empty());
}

TEST_CASE("observer: a record tells area, frame and entry before and after") {
  Machine machine;
  const VirtAddr at = machine.map_anon(0x10000000, 1);
  machine.reads(at + 5, 1);
  machine.writes(at + 5, 1);
  REQUIRE(machine.log.records.size() == 2);
  const FaultRecord& cow = machine.log.records[1];
  CHECK(cow.addr == at + 5);
  CHECK(cow.access == Access::kWrite);
  CHECK(cow.mode == FaultMode::kUser);
  CHECK(cow.counted());
  CHECK_FALSE(cow.major());
  CHECK(cow.pte_before.pfn() == machine.memory().zero_page());
  CHECK(cow.pte_before.accessed());
  CHECK(cow.pte_after.writable());
  CHECK(cow.pfn == machine.pte(at).pfn());
}

TEST_CASE("fault-around: the window is 16 pages, aligned by virtual address") {
  Machine machine(512);
  const TestFile file = machine.new_file(64);
  const VirtAddr at = machine.map(0x10000000, 64, kRead, MapFlag::kPrivate, file.file);
  CHECK(machine.reads(at + bytes_of(21), 1) == 1);
  CHECK(window(machine.log.records[0], at) == "16..31: 16");
  CHECK(machine.reads(at, 64) == 3);
  CHECK(machine.mm().use().file_rss == 64);
  CHECK(machine.problems().empty());
}

TEST_CASE("fault-around: an unaligned area gets a full first window, so 256 pages take 17 faults, aligned ones 16") {
  Machine machine(512);
  const TestFile file = machine.new_file(256);
  const VirtAddr aligned = machine.map(0x10000000, 256, kRead, MapFlag::kPrivate, file.file);
  const VirtAddr unaligned = machine.map(0x20005000, 256, kRead, MapFlag::kPrivate, file.file);
  CHECK(machine.reads(aligned, 256) == 16);
  machine.log.records.clear();
  CHECK(machine.reads(unaligned, 256) == 17);
  CHECK(window(machine.log.records[0], unaligned) == "0..15: 16");
  CHECK(window(machine.log.records[1], unaligned) == "11..26: 11");
}

TEST_CASE("fault-around: the window ends with the area, the file and the page table") {
  Machine machine(512);
  const TestFile file = machine.new_file(40);
  SECTION("area") {
    const VirtAddr at = machine.map(0x10000000, 5, kRead, MapFlag::kPrivate, file.file);
    machine.reads(at + bytes_of(3), 1);
    CHECK(window(machine.log.records[0], at) == "0..4: 5");
  }
  SECTION("file") {
    const VirtAddr at = machine.map(0x10000000, 64, kRead, MapFlag::kPrivate, file.file);
    machine.reads(at + bytes_of(33), 1);
    CHECK(window(machine.log.records[0], at) == "32..47: 8");
    CHECK(machine.touch(at + bytes_of(40), Access::kRead).refused == FaultResult::kBusErr);
  }
  SECTION("4 MiB table of i386") {
    const VirtAddr at = machine.map(0x103F5000, 32, kRead, MapFlag::kPrivate, file.file);
    machine.reads(at, 1);
    CHECK(window(machine.log.records[0], at) == "0..10: 11");
    CHECK(machine.pte(VirtAddr(0x10400000)).none());
  }
  SECTION("2 MiB tables are no border on i386") {
    const VirtAddr at = machine.map(0x101FB000, 32, kRead, MapFlag::kPrivate, file.file);
    machine.reads(at, 1);
    CHECK(window(machine.log.records[0], at) == "0..15: 16");
  }
}

TEST_CASE("fault-around: on the compat kernel a page table ends after 2 MiB") {
  Machine machine(512, KernelProfile::compat_6_18());
  const TestFile file = machine.new_file(40);
  const VirtAddr at = machine.map(0x101FB000, 32, kRead | kExec, MapFlag::kPrivate, file.file);
  machine.reads(at, 1);
  CHECK(window(machine.log.records[0], at) == "0..4: 5");
}

TEST_CASE("fault-around: only empty entries are filled, and MADV_RANDOM does not switch it off") {
  Machine machine;
  const TestFile file = machine.new_file(16);
  const VirtAddr at = machine.map(0x10000000, 16, kRw, MapFlag::kPrivate, file.file);
  REQUIRE(machine.mm().madvise(at, bytes_of(16), /*RANDOM*/ 1, machine.task));
  CHECK(machine.writes(at + bytes_of(4), 2) == 2);
  const Pfn copy = machine.pte(at + bytes_of(4)).pfn();
  CHECK(machine.reads(at, 1) == 1);
  CHECK(window(machine.log.records[2], at) == "0..15: 14");
  CHECK(machine.pte(at + bytes_of(4)).pfn() == copy);
  CHECK(causes(machine) == Causes{"file_cow", "file_cow", "file_read"});
}

TEST_CASE(
    "private file: a write copies one page, a write after a read copies once more, and the file keeps its bytes") {
  Machine machine;
  const TestFile file = machine.new_file(16);
  const VirtAddr at = machine.map(0x10000000, 16, kRw, MapFlag::kPrivate, file.file);
  CHECK(machine.writes(at + bytes_of(2), 1) == 1);
  CHECK(machine.load(at + bytes_of(2)) == 3);
  CHECK(machine.reads(at, 1) == 1);
  CHECK_FALSE(machine.pte(at).writable());
  CHECK(machine.writes(at, 16) == 15);
  machine.store(at, 99);
  CHECK(file.store->word(0) == 1);
  CHECK(machine.load(at) == 99);
  REQUIRE(machine.mm().madvise(at, bytes_of(16), /*DONTNEED*/ 4, machine.task));
  CHECK(machine.reads(at, 16) == 1);
  CHECK(machine.load(at) == 1);
  CHECK(machine.problems().empty());
}

TEST_CASE("private file: a page beyond the end of the file is SIGBUS for reads and writes") {
  Machine machine;
  const TestFile file = machine.new_file(1);
  const VirtAddr at = machine.map(0x10000000, 3, kRw, MapFlag::kPrivate, file.file);
  const uint32_t free_before = machine.free_or_slab_frames();
  CHECK(machine.touch(at + bytes_of(1), Access::kRead).refused == FaultResult::kBusErr);
  CHECK(machine.touch(at + bytes_of(2), Access::kWrite).refused == FaultResult::kBusErr);
  CHECK(machine.faults() == 0);
  CHECK(causes(machine) == Causes{"bus", "bus"});
  CHECK(machine.free_or_slab_frames() == free_before - 1);  // the page table
}

TEST_CASE("file: a page that cannot be read is SIGBUS, and is tried again by the next access") {
  Machine machine;
  const TestFile file = machine.new_file(4);
  const VirtAddr at = machine.map(0x10000000, 4, kRw, MapFlag::kPrivate, file.file);
  file.store->fail_reads = true;
  CHECK(machine.touch(at, Access::kRead).refused == FaultResult::kBusErr);
  CHECK(machine.touch(at, Access::kWrite).refused == FaultResult::kBusErr);
  CHECK(machine.problems().empty());
  file.store->fail_reads = false;
  CHECK(machine.load(at) == 1);
}

TEST_CASE("shared file: reads map 16 read-only, the first write to each page costs one, write first is one") {
  Machine machine;
  const TestFile file = machine.new_file(32);
  const VirtAddr at = machine.map(0x10000000, 32, kRw, MapFlag::kShared, file.file);
  CHECK(machine.reads(at, 16) == 1);
  CHECK(machine.writes(at, 16) == 16);
  CHECK(machine.writes(at + bytes_of(16), 16) == 16);
  const Causes names = causes(machine);
  CHECK(names.front() == "file_read");
  CHECK(std::count(names.begin(), names.end(), "shared_write") == 32);
  CHECK(machine.problems().empty());
}

TEST_CASE("shared file: writing back takes the right to write, so that the next store is seen") {
  Machine machine;
  const TestFile file = machine.new_file(4);
  const VirtAddr at = machine.map(0x10000000, 4, kRw, MapFlag::kShared, file.file);
  machine.store(at, 10);
  machine.store(at + bytes_of(1), 11);
  REQUIRE(machine.mm().msync(at, bytes_of(4), /*MS_SYNC*/ 4));
  CHECK(machine.stale_translations().empty());
  CHECK(file.store->word(0) == 10);
  CHECK(machine.writes(at, 2) == 2);
  machine.store(at, 12);
  REQUIRE(file.mapping().write_back(0, 0));
  CHECK(file.store->word(0) == 12);
  CHECK(machine.problems().empty());
}

TEST_CASE("shared memory: a page's first read allocates it writable, so that a write after it costs nothing") {
  Machine machine;
  const VirtAddr at = machine.map(0x10000000, 32, kRw, kAnonShared);
  CHECK(machine.reads(at, 32) == 32);
  CHECK(machine.writes(at, 32) == 0);
  CHECK(machine.mm().use().shmem_rss == 32);
  REQUIRE(machine.mm().madvise(at, bytes_of(32), /*DONTNEED*/ 4, machine.task));
  machine.log.records.clear();
  CHECK(machine.reads(at, 32) == 2);
  CHECK(machine.writes(at, 32) == 0);
  CHECK(causes(machine) == Causes{"file_read", "file_read"});
  CHECK(machine.problems().empty());
}

TEST_CASE("shared memory: a page that fallocate made has no contents and takes a fault of its own") {
  Machine machine;
  const auto file = std::make_shared<MappedFile>();
  file->mapping = *Mapping::for_shmem(machine.memory(), bytes_of(16));
  file->readable = file->writable = true;
  Mapping& mapping = *file->mapping;
  for (uint64_t index = 0; index < 12; ++index) {
    REQUIRE(mapping.allocate(index));
  }
  REQUIRE(mapping.allocate(8));  // once more: now it is zeros
  CHECK(mapping.exists(3));
  CHECK_FALSE(mapping.holds(3));
  CHECK_FALSE(mapping.in_memory(3));
  CHECK(mapping.next_held(0) == 8u);
  const VirtAddr at = machine.map(0x10000000, 16, kRw, MapFlag::kShared, file);
  CHECK(machine.reads(at + bytes_of(3), 1) == 1);  // and page 8 beside it
  CHECK(machine.reads(at + bytes_of(8), 1) == 0);
  CHECK(machine.writes(at, 12) == 10);
  CHECK(mapping.holds(11));
  CHECK(machine.problems().empty());
}

TEST_CASE("shared memory: read through a read-only area, pages become writable by mprotect without faults") {
  Machine machine;
  const VirtAddr at = machine.map(0x10000000, 8, kRead, kAnonShared);
  CHECK(machine.reads(at, 8) == 8);
  REQUIRE(machine.mm().mprotect(at, bytes_of(8), kRw, machine.task));
  CHECK(machine.writes(at, 8) == 0);
  CHECK(machine.problems().empty());
}

TEST_CASE("mprotect: exclusive anonymous pages become writable at once, zero pages and file pages do not") {
  Machine machine;
  const VirtAddr anon = machine.map_anon(0x10000000, 8);
  machine.writes(anon, 4);
  machine.reads(anon + bytes_of(4), 4);
  const TestFile file = machine.new_file(8);
  const VirtAddr mapped = machine.map(0x10010000, 8, kRead, MapFlag::kPrivate, file.file);
  machine.reads(mapped, 8);
  for (const uint32_t prot : {kRead, 0u}) {
    REQUIRE(machine.mm().mprotect(anon, bytes_of(8), prot, machine.task));
    REQUIRE(machine.mm().mprotect(anon, bytes_of(8), kRw, machine.task));
  }
  REQUIRE(machine.mm().mprotect(mapped, bytes_of(8), kRw, machine.task));
  CHECK(machine.writes(anon, 4) == 0);
  CHECK(machine.writes(anon + bytes_of(4), 4) == 4);
  CHECK(machine.writes(mapped, 8) == 8);
  CHECK(machine.problems().empty());
}

TEST_CASE(
    "mprotect: a page that MADV_FREE made clean becomes writable at once in 6.18, in 6.1 only if it was written "
    "since") {
  constexpr int kFree = 8;
  for (const KernelProfile* profile : {&KernelProfile::i386_6_1(), &KernelProfile::compat_6_18()}) {
    Machine machine(256, *profile);
    const VirtAddr at = machine.map_anon(0x10000000, 8);
    machine.writes(at, 8);
    REQUIRE(machine.mm().madvise(at, bytes_of(8), kFree, machine.task));
    CHECK(machine.writes(at, 3) == 0);
    REQUIRE(machine.mm().mprotect(at, bytes_of(8), kRead, machine.task));
    REQUIRE(machine.mm().mprotect(at, bytes_of(8), kRw, machine.task));
    CHECK(machine.reads(at, 8) == 0);
    CHECK(machine.writes(at, 8) == (profile->mprotect_wants_dirty ? 5 : 0));
    CHECK(machine.problems().empty());
  }
}

TEST_CASE("populate: MAP_POPULATE faults as get_user_pages does, area by kind") {
  Machine machine(512);
  const TestFile file = machine.new_file(32);
  const auto populated = [&](uint32_t prot, uint32_t flags, bool of_file) {
    const uint64_t before = machine.faults();
    const VirtAddr at = machine.map(0x10000000, 32, prot, flags | MapFlag::kPopulate, of_file ? file.file : nullptr);
    const uint64_t in_call = machine.faults() - before;
    const uint32_t reads = machine.reads(at, 32);
    const uint32_t writes = (prot & kWrite) != 0 ? machine.writes(at, 32) : 0;
    return std::tuple(in_call, reads, writes);
  };
  CHECK(populated(kRw, kAnonPrivate, false) == std::tuple(32u, 0u, 0u));
  CHECK(populated(kRead, kAnonPrivate, false) == std::tuple(32u, 0u, 0u));
  REQUIRE(machine.mm().mprotect(VirtAddr(0x10000000), bytes_of(32), kRw, machine.task));
  CHECK(machine.writes(VirtAddr(0x10000000), 32) == 32);
  CHECK(populated(kRw, MapFlag::kPrivate, true) == std::tuple(32u, 0u, 0u));
  CHECK(populated(kRead, MapFlag::kPrivate, true) == std::tuple(2u, 0u, 0u));
  CHECK(populated(kRw, MapFlag::kShared, true) == std::tuple(2u, 0u, 32u));
  CHECK(populated(kRw, kAnonShared, false) == std::tuple(32u, 0u, 0u));
  const auto& by_mode = machine.task.by_mode;
  CHECK(by_mode[static_cast<size_t>(FaultMode::kGup)] == 32 + 32 + 32 + 2 + 2 + 32);
}

TEST_CASE("mlock: of a read-only file takes one fault a window, of zero pages one a page") {
  Machine machine;
  const TestFile file = machine.new_file(32);
  const VirtAddr text = machine.map(0x10000000, 32, kRead, MapFlag::kPrivate, file.file);
  REQUIRE(machine.mm().mlock(text, bytes_of(32), machine.task));
  CHECK(machine.faults() == 2);
  const VirtAddr anon = machine.map_anon(0x10040000, 8);
  machine.reads(anon, 8);
  const uint64_t before = machine.faults();
  REQUIRE(machine.mm().mlock(anon, bytes_of(8), machine.task));
  CHECK(machine.faults() - before == 8);
  CHECK(machine.writes(anon, 8) == 0);
}

TEST_CASE("stack: any access down to the limit grows it by one fault, below the limit it is refused") {
  Machine machine;
  machine.new_space({.stack = bytes_of(64)});
  const VirtAddr top(0x20000000);
  REQUIRE(machine.mm().map_stack(top, bytes_of(4), VmFlag::kRead | VmFlag::kWrite));
  CHECK(machine.reads(top - bytes_of(40), 1) == 1);
  CHECK(machine.maps() == std::vector<std::string>{"1ffd8-20000 rw-p"});
  CHECK(machine.touch(top - bytes_of(64), Access::kWrite).faults == 1);
  CHECK(machine.touch(top - bytes_of(65), Access::kWrite).refused == FaultResult::kMapErr);
  CHECK(causes(machine) == Causes{"stack_grow", "stack_grow", "segv_maperr"});
  CHECK(machine.mm().use().stack_vm == 64);
  CHECK(machine.mm().areas().first()->pgoff == 0x20000 - 64);
  CHECK(machine.problems().empty());
}

TEST_CASE("stack: keeps 256 pages from an accessible mapping below, and RLIMIT_AS") {
  Machine machine;
  const VirtAddr top(0x20000000);
  REQUIRE(machine.mm().map_stack(top, bytes_of(4), VmFlag::kRead | VmFlag::kWrite));
  const VirtAddr below = machine.map_anon(0x1F000000, 1);
  machine.mm().set_limits({.stack = kUnlimited});
  CHECK(machine.touch(below + bytes_of(1) + kStackGuardGap - 1, Access::kRead).refused == FaultResult::kMapErr);
  CHECK_FALSE(machine.touch(below + bytes_of(1) + kStackGuardGap, Access::kRead).refused);
  REQUIRE(machine.mm().mprotect(below, bytes_of(1), 0, machine.task));
  CHECK_FALSE(machine.touch(below + bytes_of(9), Access::kRead).refused);
  machine.mm().set_limits({.stack = kUnlimited, .address_space = bytes_of(machine.mm().use().total_vm)});
  CHECK(machine.touch(below + bytes_of(8), Access::kRead).refused == FaultResult::kMapErr);
  CHECK(machine.problems().empty());
}

TEST_CASE("special mapping: each page one fault, a missing one SIGBUS, and a writable one is copied") {
  Machine machine;
  SpecialMapping vdso{.name = "[vdso]", .frames = {*machine.pages().alloc_pages(kGfpUser | kGfpZero), Pfn()}};
  machine.ram().frame(vdso.frames[0])[0] = std::byte{0x42};
  const uint32_t flags = VmFlag::kRead | VmFlag::kExec | VmFlag::kMayRead | VmFlag::kMayWrite | VmFlag::kMayExec;
  const VirtAddr at = *machine.mm().map_special(VirtAddr(0x10000000), vdso, flags);
  CHECK(machine.load(at) == 0x42);
  CHECK(machine.touch(at + bytes_of(1), Access::kRead).refused == FaultResult::kBusErr);
  CHECK(machine.touch(at, Access::kWrite).refused == FaultResult::kAccErr);
  REQUIRE(machine.mm().mprotect(at, bytes_of(1), kRw | kExec, machine.task));
  machine.store(at, 7);
  CHECK(machine.ram().frame(vdso.frames[0])[0] == std::byte{0x42});
  CHECK(machine.load(at) == 7);
  CHECK(causes(machine) == Causes{"vdso", "bus", "segv_accerr", "vdso"});
  CHECK(machine.problems().empty());
}

TEST_CASE("spurious: a fault that the tables already allow is counted and changes nothing") {
  Machine machine;
  const VirtAddr at = machine.map_anon(0x10000000, 1);
  machine.writes(at, 1);
  const mmu::Pte before = machine.pte(at);
  const FaultResult result =
      handle_page_fault(machine.mm(), at, Access::kWrite,
                        mmu::PageFaultError::kWrite | mmu::PageFaultError::kProtection, FaultMode::kUser, machine.task);
  CHECK(result == FaultResult::kMinor);
  CHECK(machine.pte(at) == before);
  CHECK(causes(machine).back() == "spurious");
}

TEST_CASE("causes: every cause, mode and access has its name, and causes an explanation") {
  for (size_t i = 0; i < kFaultCauses; ++i) {
    CHECK_FALSE(cause_name(static_cast<FaultCause>(i)).empty());
    CHECK(cause_explanation(static_cast<FaultCause>(i)).size() > 10);
  }
  CHECK(mode_name(FaultMode::kGup) == "gup");
  CHECK(access_name(Access::kFetch) == "exec");
}

TEST_CASE("anon_vma: an area has one once a private page was written, a merged area as a whole") {
  Machine machine;
  const VirtAddr alone = machine.map_anon(0x10000000, 1);
  machine.reads(alone, 1);
  CHECK_FALSE(machine.mm().areas().lookup(alone)->has_anon_vma());
  machine.writes(alone, 1);
  CHECK(machine.mm().areas().lookup(alone)->has_anon_vma());
  machine.map_anon(0x10001000, 4);
  CHECK(machine.mm().areas().lookup(VirtAddr(0x10004000))->has_anon_vma());
}

}  // namespace fl::vm::test
