// AnonVmas through splits, merges and moves, and the walk from a page to its entries.
#include "vm/rmap_walk.hpp"

#include <catch2/catch_test_macros.hpp>
#include <functional>
#include <map>
#include <set>
#include <vector>

#include "tests/unit/vm/vm_machine.hpp"
#include "vm/rmap.hpp"

namespace fl::vm::test {
namespace {

constexpr uint32_t kAt = 0x10000000;

std::vector<VirtAddr> mapped_at(Machine& machine, Pfn pfn) {
  std::vector<VirtAddr> found;
  REQUIRE(rmap_walk(machine.memory(), pfn, [&](VmArea& area, VirtAddr va, mmu::Pte& pte) {
    CHECK(area.contains(va));
    CHECK(pte.pfn() == pfn);
    CHECK(&pte == area.mm->tables().find(va));
    found.push_back(va);
    return true;
  }));
  return found;
}

// Every counted entry of the address space is found from its page, and no other.
void check_walks(Machine& machine) {
  std::map<uint32_t, std::set<VirtAddr>> entries;
  for (const VmArea* area = machine.mm().areas().first(); area != nullptr; area = area->next) {
    machine.mm().tables().for_each(area->start, area->end.value(), [&](VirtAddr va, mmu::Pte& pte) {
      if (pte.present() && !pte.special()) {
        entries[pte.pfn().value()].insert(va);
      }
    });
  }
  for (const auto& [frame, expected] : entries) {
    const std::vector<VirtAddr> found = mapped_at(machine, Pfn(frame));
    CHECK(std::set(found.begin(), found.end()) == expected);
    CHECK(found.size() == expected.size());
  }
}

AnonVma* anon_vma_at(Machine& machine, uint32_t address) {
  return machine.mm().areas().lookup(VirtAddr(address))->anon_vma;
}

struct Counts {
  uint32_t areas, anon_vmas, chains;
  bool operator==(const Counts&) const = default;
};
Counts counts(Machine& machine) {
  return {objects_in_use(machine.memory(), "vm_area_struct"), objects_in_use(machine.memory(), "anon_vma"),
          objects_in_use(machine.memory(), "anon_vma_chain")};
}

}  // namespace

TEST_CASE("anon_vma: a split area shares it, and it goes with the last of its areas") {
  Machine machine;
  const Counts before = counts(machine);
  machine.map_anon(kAt, 6);
  machine.writes(VirtAddr(kAt), 6);
  CHECK(counts(machine) == Counts{before.areas + 1, before.anon_vmas + 1, before.chains + 1});
  REQUIRE(machine.mm().munmap(VirtAddr(kAt + bytes_of(2)), bytes_of(1)));
  CHECK(counts(machine) == Counts{before.areas + 2, before.anon_vmas + 1, before.chains + 2});
  CHECK(anon_vma_at(machine, kAt) == anon_vma_at(machine, kAt + bytes_of(3)));
  check_walks(machine);
  REQUIRE(machine.mm().munmap(VirtAddr(kAt), bytes_of(2)));
  CHECK(counts(machine) == Counts{before.areas + 1, before.anon_vmas + 1, before.chains + 1});
  check_walks(machine);
  REQUIRE(machine.mm().munmap(VirtAddr(kAt), bytes_of(6)));
  CHECK(counts(machine) == before);
  CHECK(machine.problems().empty());
}

TEST_CASE("anon_vma: an area written beside one that differs in its rights only takes its neighbour's") {
  Machine machine;
  machine.map_anon(kAt, 4);
  machine.store(VirtAddr(kAt), 1);
  REQUIRE(machine.mm().mprotect(VirtAddr(kAt), bytes_of(2), kRead, machine.task));
  CHECK(anon_vma_at(machine, kAt) == anon_vma_at(machine, kAt + bytes_of(2)));
  // Not compatible: a hole between them.
  machine.map_anon(kAt + bytes_of(5), 1);
  machine.store(VirtAddr(kAt + bytes_of(5)), 1);
  CHECK(anon_vma_at(machine, kAt) != anon_vma_at(machine, kAt + bytes_of(5)));
  CHECK(machine.problems().empty());
}

TEST_CASE("anon_vma: an unwritten area takes it over when it swallows a written one") {
  Machine machine(256, KernelProfile::compat_6_18());
  machine.map_anon(kAt, 2);
  machine.map_anon(kAt + bytes_of(3), 2);
  machine.store(VirtAddr(kAt + bytes_of(3)), 7);
  AnonVma* const anon_vma = anon_vma_at(machine, kAt + bytes_of(3));
  machine.map_anon(kAt + bytes_of(2), 1);
  CHECK(machine.maps().size() == 1);
  CHECK(anon_vma_at(machine, kAt) == anon_vma);
  CHECK(mapped_at(machine, machine.pte(VirtAddr(kAt + bytes_of(3))).pfn()) == std::vector{VirtAddr(kAt + bytes_of(3))});
  CHECK(machine.problems().empty());
}

TEST_CASE("rmap: a moved page is found at its new place") {
  Machine machine;
  machine.map_anon(kAt, 4);
  machine.writes(VirtAddr(kAt), 4);
  const Pfn pfn = machine.pte(VirtAddr(kAt + bytes_of(1))).pfn();
  const auto moved =
      machine.mm().mremap(VirtAddr(kAt), bytes_of(2), bytes_of(8), MremapFlag::kMayMove, {}, machine.task);
  REQUIRE(moved);
  CHECK(mapped_at(machine, pfn) == std::vector{*moved + bytes_of(1)});
  check_walks(machine);
  CHECK(machine.problems().empty());
}

TEST_CASE("rmap: all entries of a file's page are found, but not of its private copies") {
  Machine machine;
  const TestFile file = machine.new_file(4);
  const VirtAddr shared = machine.map(kAt, 4, kRw, MapFlag::kShared, file.file);
  const VirtAddr part = machine.map(kAt + bytes_of(8), 2, kRead, MapFlag::kPrivate, file.file, 2);
  const VirtAddr copied = machine.map(kAt + bytes_of(16), 4, kRw, MapFlag::kPrivate, file.file);
  machine.writes(shared, 4);
  machine.reads(part, 2);
  machine.store(copied + bytes_of(2), 1);
  const Pfn pfn = machine.pte(shared + bytes_of(2)).pfn();
  CHECK(mapped_at(machine, pfn) == std::vector{shared + bytes_of(2), part});
  CHECK(mapped_at(machine, machine.pte(copied + bytes_of(2)).pfn()) == std::vector{copied + bytes_of(2)});
  check_walks(machine);
}

TEST_CASE("rmap: a walk ends when the visitor has seen enough, and frames without entries have none") {
  Machine machine;
  const TestFile file = machine.new_file(1);
  machine.map(kAt, 1, kRead, MapFlag::kPrivate, file.file);
  machine.map(kAt + bytes_of(2), 1, kRead, MapFlag::kShared, file.file);
  machine.load(VirtAddr(kAt));
  machine.load(VirtAddr(kAt + bytes_of(2)));
  int visits = 0;
  CHECK_FALSE(rmap_walk(machine.memory(), machine.pte(VirtAddr(kAt)).pfn(), [&](VmArea&, VirtAddr, mmu::Pte&) {
    ++visits;
    return false;
  }));
  CHECK(visits == 1);
  CHECK(mapped_at(machine, machine.memory().zero_page()).empty());
  CHECK(mapped_at(machine, machine.mm().tables().directory()).empty());
}

TEST_CASE("areas: whichever allocation fails, a call answers ENOMEM and all is as before") {
  struct Case {
    const char* name;
    std::function<Status(Machine&)> call;
  };
  const auto done = [](const Result<VirtAddr>& result) { return result ? Status() : Status(fail(result.error())); };
  const std::vector<Case> cases{
      {"mmap", [&](Machine& m) { return done(m.mmap(kAt + bytes_of(64), 2, kRw, kAnonPrivate)); }},
      {"mmap shared", [&](Machine& m) { return done(m.mmap(kAt + bytes_of(64), 2, kRw, kAnonShared)); }},
      {"munmap in the middle", [](Machine& m) { return m.mm().munmap(VirtAddr(kAt + bytes_of(2)), bytes_of(1)); }},
      {"mprotect in the middle",
       [](Machine& m) { return m.mm().mprotect(VirtAddr(kAt + bytes_of(2)), bytes_of(1), kRead, m.task); }},
      {"madvise in the middle",
       [](Machine& m) { return m.mm().madvise(VirtAddr(kAt + bytes_of(2)), bytes_of(1), /*DONTFORK*/ 10, m.task); }},
      {"mlock in the middle",
       [](Machine& m) { return m.mm().mlock(VirtAddr(kAt + bytes_of(2)), bytes_of(1), m.task); }},
      {"mremap that moves",
       [&](Machine& m) {
         return done(m.mm().mremap(VirtAddr(kAt), bytes_of(6), bytes_of(100), MremapFlag::kMayMove, {}, m.task));
       }},
  };
  for (const Case& test : cases) {
    INFO(test.name);
    int failures = 0;
    for (uint32_t n = 1;; ++n) {
      REQUIRE(n < 50);
      Machine machine;
      machine.map_anon(kAt, 6);
      machine.writes(VirtAddr(kAt), 6);
      // In the way of growing.
      machine.map_anon(kAt + bytes_of(6), 1, kRead);
      const Counts before = counts(machine);
      const std::vector<std::string> maps = machine.maps();
      machine.pages().fail_allocation(n);
      const Status result = test.call(machine);
      machine.pages().fail_allocation(0);
      REQUIRE(machine.problems().empty());
      check_walks(machine);
      if (result) {
        break;
      }
      ++failures;
      CHECK(result.error() == Errno::kENOMEM);
      CHECK(machine.maps() == maps);
      CHECK(counts(machine) == before);
    }
    CHECK(failures > 0);
  }
}

TEST_CASE("fault: whichever allocation fails, the fault is refused and a second try succeeds") {
  for (const bool file_copy : {false, true}) {
    int failures = 0;
    for (uint32_t n = 1;; ++n) {
      REQUIRE(n < 50);
      Machine machine;
      const TestFile file = machine.new_file(100);
      const VirtAddr at =
          file_copy ? machine.map(kAt, 100, kRw, MapFlag::kPrivate, file.file) : machine.map_anon(kAt, 100);
      machine.pages().fail_allocation(n);
      const auto touched = machine.touch(at + bytes_of(70), mmu::Access::kWrite);
      machine.pages().fail_allocation(0);
      REQUIRE(machine.problems().empty());
      if (!touched.refused) {
        break;
      }
      ++failures;
      CHECK(touched.refused == FaultResult::kOom);
      machine.store(at + bytes_of(70), 5);
      CHECK(machine.problems().empty());
    }
    CHECK(failures > 1);
  }
}

TEST_CASE("areas: an address space that ends gives all its objects back") {
  Machine machine;
  const auto total = [&] { return objects_in_use(machine.memory(), ""); };
  machine.new_space({});
  const uint32_t before = total();
  const TestFile file = machine.new_file(200);
  const uint32_t with_file = total();
  machine.map_anon(kAt, 40);
  machine.map(kAt + bytes_of(64), 200, kRw, MapFlag::kShared, file.file);
  machine.map(kAt + bytes_of(300), 8, kRw, kAnonShared);
  for (uint32_t page = 0; page < 40; page += 3) {
    machine.store(VirtAddr(kAt + bytes_of(page)), page);
    REQUIRE(machine.mm().munmap(VirtAddr(kAt + bytes_of(page)), bytes_of(1)));
  }
  machine.writes(VirtAddr(kAt + bytes_of(300)), 8);
  machine.writes(VirtAddr(kAt + bytes_of(100)), 20);
  CHECK(total() > with_file);
  machine.new_space({});
  file.mapping().truncate(0);
  CHECK(total() == with_file);
  CHECK(before < with_file);
}

}  // namespace fl::vm::test
