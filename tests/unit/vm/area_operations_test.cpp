// Files that hear of the areas that map them, and files without fault-around: as many areas as were told of, whatever
// memory calls did; and one page a fault.
#include <catch2/catch_test_macros.hpp>

#include "tests/unit/vm/vm_machine.hpp"

using namespace fl;
using namespace fl::vm;
using namespace fl::vm::test;

namespace {

struct Counter final : AreaOperations {
  int areas = 0, opened = 0;
  void open() override {
    ++areas;
    ++opened;
  }
  void close() override { --areas; }
};

constexpr uint32_t kAt = 0x10000000;
VirtAddr page(uint32_t index) { return VirtAddr(kAt + (index << kPageShift)); }

}  // namespace

TEST_CASE("area operations: every area is told of, and nothing is merged away") {
  Counter counter;
  Machine machine;
  const TestFile file = machine.new_file(16);
  file.file->area_operations = &counter;
  const auto bytes = [](uint32_t pages) { return pages << kPageShift; };
  machine.map(kAt, 16, kRw, MapFlag::kShared, file.file);
  CHECK(counter.areas == 1);
  REQUIRE(machine.mm().mprotect(page(4), bytes(4), kRead, machine.task));
  CHECK(counter.areas == 3);
  REQUIRE(machine.mm().mprotect(page(4), bytes(4), kRw, machine.task));
  CHECK(counter.areas == 3);
  // Beside it, where another file's area would be stretched.
  machine.map(kAt + bytes(16), 4, kRw, MapFlag::kShared, file.file, 16);
  CHECK(counter.areas == 4);
  REQUIRE(machine.mm().munmap(page(10), bytes(2)));
  CHECK(counter.areas == 5);
  REQUIRE(machine.mm().mremap(page(0), bytes(4), bytes(4), MremapFlag::kMayMove | MremapFlag::kFixed, page(40),
                              machine.task));
  CHECK(counter.areas == 5);
  CHECK(counter.opened == 7);
  REQUIRE(machine.mm().mremap(page(40), 0, bytes(2), MremapFlag::kMayMove, VirtAddr(0), machine.task));
  CHECK(counter.areas == 6);
  {
    const AddressSpace::Ptr child = machine.fork();
    CHECK(counter.areas == 12);
  }
  CHECK(counter.areas == 6);
  REQUIRE(machine.mm().munmap(page(0), bytes(20)));
  CHECK(counter.areas == 2);
  machine.drop_space();
  CHECK(counter.areas == 0);
}

TEST_CASE("area operations: a fork that finds no memory closes what it opened") {
  Counter counter;
  Machine machine;
  const TestFile file = machine.new_file(4);
  file.file->area_operations = &counter;
  for (uint32_t i = 0; i < 8; ++i) {
    machine.map(kAt + (i * 8 << kPageShift), 4, kRw, MapFlag::kShared, file.file);
  }
  bool failed = false;
  for (uint64_t n = 1; n < 100; ++n) {
    machine.pages().fail_alloc().fail_nth(n);
    const bool made = machine.mm().fork().has_value();
    const bool met = !machine.pages().fail_alloc().armed();
    machine.pages().fail_alloc().off();
    CHECK(counter.areas == 8);
    failed = failed || !made;
    if (!met) {
      break;
    }
  }
  CHECK(failed);
}

TEST_CASE("fault-around: a file without it is mapped page by page") {
  Machine machine;
  const TestFile around = machine.new_file(16), single = machine.new_file(16);
  single.file->fault_around = false;
  const VirtAddr with = machine.map(kAt, 16, kRead, MapFlag::kShared, around.file);
  const VirtAddr without = machine.map(kAt + 0x100000, 16, kRead, MapFlag::kShared, single.file);
  CHECK(machine.reads(with, 16) == 1);
  CHECK(machine.log.records.back().around.mapped == 16);
  CHECK(machine.reads(without, 16) == 16);
  CHECK(machine.log.records.back().around.mapped == 0);
  CHECK(machine.reads(without, 16) == 0);
  CHECK(machine.load(without + (5u << kPageShift)) == 6);
}
