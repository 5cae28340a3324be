// Compaction and migration: what moves keeps its content, its users and its place in the page cache; what must not move
// stays.
#include <catch2/catch_test_macros.hpp>

#include "tests/unit/vm/vm_machine.hpp"
#include "vm/compact/compaction.hpp"
#include "vm/compact/migrate.hpp"

namespace fl::vm::test {
namespace {

constexpr uint32_t kBase = 0x10000000;
constexpr int kDontNeed = 4;  // MADV_DONTNEED

// Free blocks of at least this order in all zones.
uint32_t blocks_from(Machine& machine, uint32_t order) {
  uint32_t blocks = 0;
  machine.pages().for_each_zone([&](const Zone& zone) {
    for (uint32_t larger = order; larger <= kMaxOrder; ++larger) {
      blocks += zone.free_area[larger].nr_free;
    }
  });
  return blocks;
}

// Nearly all memory is anonymous pages, each with a number in it; then every other page is given back.
uint32_t scatter(Machine& machine) {
  const uint32_t pages = machine.pages().nr_free_pages() - machine.pages().total_reserve_pages() - 64;
  const VirtAddr base = machine.map_anon(kBase, pages);
  for (uint32_t page = 0; page < pages; ++page) {
    machine.store(base + bytes_of(page), page + 1);
  }
  for (uint32_t page = 1; page < pages; page += 2) {
    REQUIRE(machine.mm().madvise(base + bytes_of(page), kPageSize, kDontNeed, machine.task));
  }
  machine.pages().drain_all_pages();
  return pages;
}

// Pages whose content is not what scatter() left.
uint32_t damaged(Machine& machine, uint32_t pages) {
  uint32_t count = 0;
  for (uint32_t page = 0; page < pages; page += 2) {
    count += machine.load(VirtAddr(kBase) + bytes_of(page)) == page + 1 ? 0 : 1;
  }
  return count;
}

}  // namespace

TEST_CASE("compaction: an allocation of order 9 gets its block out of scattered movable pages") {
  Machine machine(8192);
  const uint32_t pages = scatter(machine);
  REQUIRE(blocks_from(machine, 9) == 0);
  const uint64_t faults = machine.faults();
  const auto block = machine.pages().alloc_pages(kGfpKernel, 9);
  REQUIRE(block);
  CHECK((block->value() & 511) == 0);
  CHECK(machine.problems().empty());
  CHECK(damaged(machine, pages) == 0);
  CHECK(machine.faults() == faults);  // programs see nothing of it
  CHECK(machine.pages().events()[VmEvent::kCompactSuccess] == 1);
  CHECK(machine.pages().events()[VmEvent::kPgmigrateSuccess] > 100);
  machine.pages().free_pages(*block, 9);
  CHECK(machine.problems().empty());
}

TEST_CASE("compaction: without right to reclaim, an allocation does not compact") {
  Machine machine(8192);
  scatter(machine);
  CHECK_FALSE(machine.pages().alloc_pages(kGfpAtomic, 9));
  CHECK(machine.pages().events()[VmEvent::kPgmigrateSuccess] == 0);
}

TEST_CASE("compaction: compact_memory moves all that can be moved to one end of each zone") {
  Machine machine(8192);
  const uint32_t pages = scatter(machine);
  const uint32_t free = machine.pages().free_frames();
  Compaction(machine.memory()).compact_all();
  CHECK(machine.problems().empty());
  CHECK(damaged(machine, pages) == 0);
  CHECK(machine.pages().free_frames() == free);
  CHECK(blocks_from(machine, 9) >= free / 512 / 2);
}

TEST_CASE("migration: a page of a file stays in the cache, mapped and dirty, at its new place") {
  Machine machine(1024);
  const TestFile file = machine.new_file(8);
  const VirtAddr shared = machine.map(kBase, 8, kRw, MapFlag::kShared, file.file);
  const VirtAddr other = machine.map(kBase + 0x100000, 8, kRead, MapFlag::kPrivate, file.file);
  machine.store(shared + bytes_of(3), 77);
  CHECK(machine.load(other + bytes_of(3)) == 77);
  const Pfn from = machine.pte(shared + bytes_of(3)).pfn();
  const Pfn to = *machine.pages().alloc_pages(kGfpHighUserMovable);
  migrate_page(machine.memory(), from, to);
  CHECK(machine.problems().empty());
  CHECK(machine.pte(shared + bytes_of(3)).pfn() == to);
  CHECK(machine.pte(other + bytes_of(3)).pfn() == to);
  CHECK(file.mapping().find(3) == to.value());
  CHECK(file.mapping().is_dirty(3));
  CHECK(machine.load(other + bytes_of(3)) == 77);
  REQUIRE(machine.mm().munmap(shared, bytes_of(8)));
  REQUIRE(machine.mm().munmap(other, bytes_of(8)));
  CHECK(machine.problems().empty());
}

TEST_CASE("migration: a page that nobody maps keeps its place among those that may be dropped") {
  Machine machine(1024);
  const TestFile file = machine.new_file(4);
  const VirtAddr at = machine.map(kBase, 4, kRead, MapFlag::kPrivate, file.file);
  machine.reads(at, 4);
  REQUIRE(machine.mm().munmap(at, bytes_of(4)));
  const Pfn from(file.mapping().find(2));
  const uint64_t inactive = Lru::size(machine.pages().nodes()[0], LruList::kInactiveFile);
  migrate_page(machine.memory(), from, *machine.pages().alloc_pages(kGfpHighUserMovable));
  CHECK(machine.problems().empty());
  CHECK(Lru::size(machine.pages().nodes()[0], LruList::kInactiveFile) == inactive);
}

TEST_CASE("migration: pages of the kernel, tables and pages that somebody holds do not move") {
  Machine machine(1024);
  const VirtAddr at = machine.map_anon(kBase, 1);
  machine.store(at, 1);
  const Pfn page = machine.pte(at).pfn();
  CHECK(is_movable(machine.memory(), page));
  ++machine.memory().page(page).refcount;
  CHECK_FALSE(is_movable(machine.memory(), page));
  --machine.memory().page(page).refcount;
  CHECK_FALSE(is_movable(machine.memory(), machine.mm().tables().directory()));
  CHECK_FALSE(is_movable(machine.memory(), machine.memory().zero_page()));
  const Pfn kernel = *machine.pages().alloc_pages(kGfpKernel);
  CHECK_FALSE(is_movable(machine.memory(), kernel));
  machine.pages().free_pages(kernel);
}

}  // namespace fl::vm::test
