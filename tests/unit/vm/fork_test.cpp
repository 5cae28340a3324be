// fork: what is copied, what is protected, who reuses and who copies (rules H1 to H3), merging afterwards (F4, H2), and
// that nothing is left behind.
#include <catch2/catch_test_macros.hpp>

#include "tests/unit/vm/vm_machine.hpp"
#include "vm/mm/anon_vma.hpp"
#include "vm/phys/page.hpp"
#include "vm/rmap_walk.hpp"

namespace fl::vm::test {
namespace {

constexpr VirtAddr kAt(0x10000000);
constexpr uint32_t kPages = 8;

uint32_t mappers(Machine& machine, Pfn pfn) {
  uint32_t found = 0;
  rmap_walk(machine.memory(), pfn, [&found](VmArea&, VirtAddr, mmu::Pte&) {
    ++found;
    return true;
  });
  return found;
}

void check_clean(Machine& machine) { CHECK(machine.problems() == std::vector<std::string>{}); }

}  // namespace

TEST_CASE("fork: written areas keep all their entries, others none") {
  Machine machine;
  const TestFile file = machine.new_file(4);
  machine.map_anon(kAt.value(), kPages);
  machine.store(kAt, 7);
  machine.load(kAt + kPageSize);  // the zero page
  const VirtAddr only_read = machine.map_anon(0x20000000, 2);
  machine.reads(only_read, 2);
  const VirtAddr clean = machine.map(0x30000000, 4, kRw, MapFlag::kPrivate, file.file);
  machine.reads(clean, 4);
  const VirtAddr dirty = machine.map(0x40000000, 4, kRw, MapFlag::kPrivate, file.file);
  machine.reads(dirty, 4);
  machine.store(dirty, 9);
  const VirtAddr shared = machine.map(0x50000000, 2, kRw, kAnonShared);
  machine.writes(shared, 2);

  auto parent = machine.switch_to(machine.fork());
  check_clean(machine);
  CHECK(machine.load(kAt) == 7);
  CHECK(machine.reads(kAt, 2) == 0);
  CHECK(machine.reads(only_read, 2) == 2);
  CHECK(machine.reads(clean, 4) == 1);  // a window again
  CHECK(machine.load(dirty) == 9);
  CHECK(machine.reads(dirty, 4) == 0);  // clean file pages of a written area are there too
  CHECK(machine.reads(shared, 2) == 1);
  CHECK(machine.pte(kAt + kPageSize).special());
  check_clean(machine);
}

TEST_CASE("fork: each process takes one fault for its first write to each page, copy or reuse") {
  Machine machine;
  machine.map_anon(kAt.value(), kPages);
  machine.writes(kAt, kPages);
  const Pfn first = machine.pte(kAt).pfn();

  auto parent = machine.switch_to(machine.fork());
  CHECK(mappers(machine, first) == 2);
  CHECK(!machine.page_at(kAt).has(PageFlag::kAnonExclusive));
  CHECK(machine.writes(kAt, kPages) == kPages);
  CHECK(machine.log.records.back().cause == FaultCause::kCowCopy);
  CHECK(machine.pte(kAt).pfn() != first);
  CHECK(mappers(machine, first) == 1);
  check_clean(machine);

  auto child = machine.switch_to(std::move(parent));
  CHECK(machine.writes(kAt, kPages) == kPages);
  CHECK(machine.log.records.back().cause == FaultCause::kCowReuse);
  CHECK(machine.pte(kAt).pfn() == first);
  CHECK(machine.writes(kAt, kPages) == 0);
  check_clean(machine);
}

TEST_CASE("fork: a child that reuses its dead parent's page owns it in the rmap") {
  Machine machine;
  machine.map_anon(kAt.value(), 1);
  machine.store(kAt, 3);
  const Pfn page = machine.pte(kAt).pfn();
  auto parent = machine.switch_to(machine.fork());
  parent.reset();
  CHECK(machine.load(kAt) == 3);
  machine.store(kAt, 4);
  CHECK(machine.pte(kAt).pfn() == page);
  CHECK(machine.page_at(kAt).has(PageFlag::kAnonExclusive));
  CHECK(mappers(machine, page) == 1);
  check_clean(machine);
}

TEST_CASE("fork: mprotect makes a page once shared not writable, even if the child is gone") {
  Machine machine;
  machine.map_anon(kAt.value(), kPages);
  machine.writes(kAt, kPages);
  machine.fork().reset();
  REQUIRE(machine.mm().mprotect(kAt, bytes_of(kPages), kRead, machine.task));
  REQUIRE(machine.mm().mprotect(kAt, bytes_of(kPages), kRw, machine.task));
  CHECK(machine.writes(kAt, kPages) == kPages);
  REQUIRE(machine.mm().mprotect(kAt, bytes_of(kPages), kRead, machine.task));
  REQUIRE(machine.mm().mprotect(kAt, bytes_of(kPages), kRw, machine.task));
  CHECK(machine.writes(kAt, kPages) == 0);
}

TEST_CASE("fork: the parent's stores after it do not reach the child through a stale translation") {
  Machine machine;
  machine.map_anon(kAt.value(), 1);
  machine.store(kAt, 1);
  const uint32_t flushes = machine.tlb.flushes;
  const auto child = machine.fork();
  CHECK(machine.tlb.flushes > flushes);
  CHECK(machine.stale_translations().empty());
}

TEST_CASE("fork: MADV_DONTFORK areas are missing, MADV_WIPEONFORK ones are empty, locks are not inherited") {
  Machine machine;
  constexpr int kDontFork = 10, kWipeOnFork = 18;
  const VirtAddr missing = machine.map_anon(0x20000000, 1);
  const VirtAddr wiped = machine.map_anon(0x30000000, 1);
  const VirtAddr locked = machine.map_anon(0x40000000, 1);
  machine.store(missing, 1);
  machine.store(wiped, 1);
  REQUIRE(machine.mm().madvise(missing, kPageSize, kDontFork, machine.task));
  REQUIRE(machine.mm().madvise(wiped, kPageSize, kWipeOnFork, machine.task));
  REQUIRE(machine.mm().mlock(locked, kPageSize, machine.task));
  auto parent = machine.switch_to(machine.fork());
  CHECK(machine.touch(missing, mmu::Access::kRead).refused == FaultResult::kMapErr);
  CHECK(machine.load(wiped) == 0);
  CHECK(machine.mm().use().locked_vm == 0);
  CHECK(parent->use().locked_vm == 1);
  check_clean(machine);
}

TEST_CASE("fork: areas that become alike by it stay apart, as on Linux") {
  Machine machine;
  const VirtAddr at = machine.map_anon(kAt.value(), 2, kRead);
  REQUIRE(machine.mm().mlock(at, kPageSize, machine.task, LockPages::kOnFault));
  auto parent = machine.switch_to(machine.fork());
  CHECK(machine.maps() == std::vector<std::string>{"10000-10001 r--p", "10001-10002 r--p"});
  check_clean(machine);
}

TEST_CASE("fork: an area that came by fork is not stretched by a new mapping; the parent's is") {
  Machine machine;
  machine.map_anon(kAt.value(), 1);
  machine.store(kAt, 1);
  auto parent = machine.switch_to(machine.fork());
  machine.map_anon(kAt.value() + kPageSize, 1);
  CHECK(machine.maps().size() == 2);
  auto child = machine.switch_to(std::move(parent));
  machine.map_anon(kAt.value() + kPageSize, 1);
  CHECK(machine.maps().size() == 1);
  check_clean(machine);
}

TEST_CASE("mprotect: whether an unwritten area takes its written neighbour depends on the kernel") {
  for (const KernelProfile* profile : {&KernelProfile::i386_6_1(), &KernelProfile::compat_6_18()}) {
    Machine machine(256, *profile);
    machine.map_anon(kAt.value(), 1);
    machine.map_anon(kAt.value() + kPageSize, 1, kRead | kWrite | kExec);
    machine.store(kAt + kPageSize, 1);
    REQUIRE(machine.mm().mprotect(kAt + kPageSize, kPageSize, kRw, machine.task));
    CHECK(machine.maps().size() == (profile->unwritten_area_takes_written ? 1u : 2u));
    check_clean(machine);
  }
}

TEST_CASE("mmap: whether an area that fills a gap joins an unwritten and a written one depends on the kernel") {
  for (const KernelProfile* profile : {&KernelProfile::i386_6_1(), &KernelProfile::compat_6_18()}) {
    Machine machine(256, *profile);
    const VirtAddr unwritten = kAt, gap = kAt + kPageSize, written = gap + kPageSize;
    machine.map_anon(unwritten.value(), 1);
    machine.map_anon(written.value(), 1);
    machine.store(written, 1);
    machine.map_anon(gap.value(), 1);
    CHECK(machine.maps().size() == (profile->unwritten_area_takes_written ? 1u : 2u));
    // On the old kernel it is the written one that has grown: the child of a fork gets its zero pages.
    machine.load(gap);
    machine.load(unwritten);
    auto parent = machine.switch_to(machine.fork());
    CHECK(machine.pte(gap).present());
    CHECK(machine.pte(unwritten).present() == profile->unwritten_area_takes_written);
    // The other way round both kernels make one area.
    const VirtAddr other = kAt + 16 * kPageSize;
    machine.map_anon(other.value(), 1);
    machine.map_anon((other + 2 * kPageSize).value(), 1);
    machine.store(other, 1);
    const size_t before = machine.maps().size();
    machine.map_anon((other + kPageSize).value(), 1);
    CHECK(machine.maps().size() == before - 1);
    check_clean(machine);
  }
}

TEST_CASE("fork: a long chain of forks and exits leaves nothing behind") {
  Machine machine(512);
  machine.map_anon(kAt.value(), kPages);
  machine.writes(kAt, kPages);
  const uint32_t anon_vmas = objects_in_use(machine.memory(), "anon_vma");
  for (uint32_t generation = 0; generation < 50; ++generation) {
    machine.switch_to(machine.fork()).reset();
    machine.store(kAt + bytes_of(generation % kPages), generation);
    check_clean(machine);
  }
  // A childless dead ancestor's AnonVma is used again.
  CHECK(objects_in_use(machine.memory(), "anon_vma") <= anon_vmas + 2);
  machine.drop_space();
  CHECK(objects_in_use(machine.memory(), "anon_vma") == 0);
  CHECK(objects_in_use(machine.memory(), "anon_vma_chain") == 0);
  CHECK(objects_in_use(machine.memory(), "vm_area_struct") == 0);
  CHECK(objects_in_use(machine.memory(), "mm_struct") == 0);
  check_clean(machine);
}

TEST_CASE("fork: without memory for one of its steps nothing is half done") {
  for (uint32_t nth = 1; nth < 60; ++nth) {
    Machine machine;
    machine.map_anon(kAt.value(), 2);
    machine.map_anon(0x20000000, 2);
    machine.writes(kAt, 2);
    machine.writes(VirtAddr(0x20000000), 2);
    const uint32_t objects = objects_in_use(machine.memory(), "");
    REQUIRE(machine.pages().fail_alloc().configure(fmt::format("nth={}", nth), 0));
    const auto child = machine.mm().fork();
    if (child) {
      CHECK(nth > 5);
      return;
    }
    CHECK(child.error() == Errno::kENOMEM);
    CHECK(objects_in_use(machine.memory(), "") == objects);
    check_clean(machine);
  }
  FAIL("fork never succeeded");
}

}  // namespace fl::vm::test
