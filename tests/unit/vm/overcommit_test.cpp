// What programs are promised, and when no more is.
#include <catch2/catch_test_macros.hpp>

#include "tests/unit/vm/vm_machine.hpp"

namespace fl::vm::test {
namespace {

// Mode kNever with room for `pages` more, and no reserves.
void allow(Machine& machine, uint64_t pages) {
  OvercommitSettings settings;
  settings.mode = OvercommitMode::kNever;
  // What is promised must stay below the limit.
  settings.kbytes = static_cast<uint32_t>((machine.memory().overcommit().committed() + pages + 1) << 2);
  machine.memory().overcommit().set_settings(settings);
}

}  // namespace

TEST_CASE("overcommit: private writable and shared memory is promised, read-only and unreserved memory is not") {
  Machine machine;
  Overcommit& overcommit = machine.memory().overcommit();
  CHECK(overcommit.committed() == 0);
  machine.map_anon(0x10000000, 4);
  CHECK(overcommit.committed() == 4);
  machine.map_anon(0x10100000, 4, kRead);
  CHECK(overcommit.committed() == 4);
  REQUIRE(machine.mm().mprotect(VirtAddr(0x10100000), bytes_of(1), kRw, machine.task));
  CHECK(overcommit.committed() == 5);
  machine.map(0x10200000, 8, kRw, kAnonPrivate | MapFlag::kNoReserve);
  CHECK(overcommit.committed() == 5);
  machine.map(0x10300000, 8, kRw, kAnonShared);
  CHECK(overcommit.committed() == 13);
  const VirtAddr unreserved = machine.map(0x10400000, 8, kRw, kAnonShared | MapFlag::kNoReserve);
  CHECK(overcommit.committed() == 13);
  machine.writes(unreserved, 3);
  CHECK(overcommit.committed() == 16);
  {
    const auto child = machine.fork();
    CHECK(overcommit.committed() == 21);
  }
  CHECK(overcommit.committed() == 16);
  REQUIRE(machine.mm().mremap(VirtAddr(0x10000000), bytes_of(4), bytes_of(6), 0, VirtAddr(0), machine.task));
  CHECK(overcommit.committed() == 18);
  CHECK(machine.problems().empty());
  machine.drop_space();
  CHECK(overcommit.committed() == 0);
}

TEST_CASE("overcommit: in mode 2 what is beyond the limit is refused, and nothing is promised for it") {
  Machine machine;
  machine.map_anon(0x10000000, 4);
  allow(machine, 4);
  const uint64_t before = machine.memory().overcommit().committed();
  CHECK(machine.mmap(0, 5, kRw, kAnonPrivate).error() == Errno::kENOMEM);
  // MAP_NORESERVE has no say in this mode.
  CHECK(machine.mmap(0, 5, kRw, kAnonPrivate | MapFlag::kNoReserve).error() == Errno::kENOMEM);
  CHECK(machine.mmap(0, 5, kRw, kAnonShared).error() == Errno::kENOMEM);
  CHECK(machine.mm()
            .mremap(VirtAddr(0x10000000), bytes_of(4), bytes_of(9), MremapFlag::kMayMove, VirtAddr(0), machine.task)
            .error() == Errno::kENOMEM);
  CHECK(machine.memory().overcommit().committed() == before);
  CHECK(machine.mmap(0x10100000, 1, kRw, kAnonPrivate).has_value());
  CHECK(machine.mm().fork().error() == Errno::kENOMEM);
  CHECK(machine.memory().overcommit().committed() == before + 1);
  CHECK(machine.mmap(0, 100, kRead, kAnonPrivate).has_value());
  CHECK(machine.problems().empty());
}

TEST_CASE("overcommit: mode 0 refuses only more than all RAM, mode 1 nothing") {
  Machine machine;
  machine.memory().overcommit().set_settings({.mode = OvercommitMode::kGuess});
  const uint32_t all = machine.memory().mem_map().size();
  CHECK(machine.mmap(0, all + 1, kRw, kAnonPrivate).error() == Errno::kENOMEM);
  CHECK(machine.mmap(0, all / 2, kRw, kAnonPrivate).has_value());
  CHECK(machine.mmap(0, all / 2, kRw, kAnonPrivate).has_value());
  machine.memory().overcommit().set_settings({.mode = OvercommitMode::kAlways});
  CHECK(machine.mmap(0, all + 1, kRw, kAnonPrivate).has_value());
}

}  // namespace fl::vm::test
