// HeldPages: what a task holds while it waits for the disk.
#include "vm/reclaim/held_pages.hpp"

#include "tests/unit/vm/slow_swap_machine.hpp"

namespace fl::vm::test {
namespace {

// The task waits with what it has just faulted in; others go on.
void hold_faulted(SlowSwapMachine& machine, HeldPages& held) {
  held.hold(machine.memory());
  machine.memory().faulted_pages().clear();
}

void check_free_when_let_go(SlowSwapMachine& machine, HeldPages& held) {
  CHECK(machine.problems().empty());
  const auto without = machine.pages().free_frames();
  held.clear();
  CHECK(machine.pages().free_frames() == without + 1);
  CHECK(machine.problems().empty());
}

}  // namespace

TEST_CASE("held pages: reclaim leaves them where they are until they are let go") {
  SlowSwapMachine machine;
  const VirtAddr at = machine.map_anon(SlowSwapMachine::kBase, 4);
  machine.store_word(at, 0);
  HeldPages held;
  CHECK(held.empty());
  held.hold(machine.memory());
  CHECK_FALSE(held.empty());
  machine.memory().faulted_pages().clear();
  machine.store_word(at, 1);
  machine.memory().faulted_pages().clear();
  machine.page_out(at, 2);
  machine.wait();
  CHECK(machine.store->writes == 1);
  CHECK(machine.problems().empty());
  // Its instruction faults again: the pages are spared, but not held.
  held.release_to(machine.memory().faulted_pages());
  CHECK(held.empty());
  machine.page_out(at, 1);
  CHECK(machine.store->writes == 1);
  machine.memory().faulted_pages().clear();
  machine.page_out(at, 1);
  machine.wait();
  CHECK(machine.store->writes == 2);
  CHECK(machine.problems().empty());
}

TEST_CASE("held pages: one that everybody has given up is free when it is let go") {
  SlowSwapMachine machine;
  const VirtAddr at = machine.map_anon(SlowSwapMachine::kBase, 2);
  machine.store_word(at, 0);
  HeldPages held;
  hold_faulted(machine, held);
  REQUIRE(machine.mm().munmap(at, bytes_of(2)));
  CHECK(machine.problems().empty());
  // Reclaim meets it on its list.
  machine.memory().reclaim().try_to_free_pages(kGfpHighUserMovable, 0, ZoneType::kMovable);
  machine.wait();
  check_free_when_let_go(machine, held);
}

TEST_CASE("held pages: one whose slot is freed when everybody has given it up") {
  SlowSwapMachine machine;
  const VirtAddr at = machine.filled(2);
  machine.page_out(at, 1);
  machine.wait();
  machine.clock.now += 1'000'000;
  machine.pageout().end_writeback();
  CHECK(machine.load(at) == 1);  // from the swap cache
  HeldPages held;
  hold_faulted(machine, held);
  const Pfn pfn(machine.memory().swap_cache().find({0, 1}));
  REQUIRE(machine.mm().munmap(at, bytes_of(2)));
  CHECK(machine.problems().empty());
  machine.memory().swap_cache().try_to_free_swap(pfn);
  CHECK_FALSE(machine.memory().page(pfn).has(PageFlag::kSwapCache));
  CHECK(machine.problems().empty());
  held.clear();
  CHECK(machine.problems().empty());
  CHECK(machine.memory().swap().free_swap_pages() == machine.memory().swap().total_swap_pages());
}

TEST_CASE("held pages: one of shared memory whose file is gone") {
  SlowSwapMachine machine;
  const VirtAddr at = machine.map(SlowSwapMachine::kBase, 2, kRw, kAnonShared);
  machine.store_word(at, 0);
  HeldPages held;
  hold_faulted(machine, held);
  REQUIRE(machine.mm().munmap(at, bytes_of(2)));
  CHECK(machine.memory().cache().cached_pages() == 0);
  check_free_when_let_go(machine, held);
}

TEST_CASE("held pages: only what is mapped is held") {
  SlowSwapMachine machine;
  const VirtAddr at = machine.map_anon(SlowSwapMachine::kBase, 2);
  CHECK(machine.load(at) == 0);  // the zero page
  HeldPages held;
  held.hold(machine.memory());
  CHECK(held.empty());
}

}  // namespace fl::vm::test
