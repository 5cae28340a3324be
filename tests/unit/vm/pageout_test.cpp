// Pageout: pages that are under writeback, what is asked of the disk together, and what happens when it is done.
#include "tests/unit/vm/slow_swap_machine.hpp"
#include "vm/reclaim/lru.hpp"

namespace fl::vm::test {

TEST_CASE("pageout: a page is under writeback until the disk is done, then it is the next to go") {
  SlowSwapMachine machine;
  const VirtAddr at = machine.filled(3);
  machine.page_out(at, 2);
  machine.wait();
  CHECK(machine.store->writes == 2);
  REQUIRE(machine.under_writeback() == 2);
  // It is found in the swap cache meanwhile; its slot cannot be taken away from it.
  CHECK_FALSE(machine.memory().swap_cache().try_to_free_swap(Pfn(machine.memory().swap_cache().find({0, 1}))));
  const auto rotated = machine.pages().events()[VmEvent::kPgrotated];
  machine.pageout().end_writeback();
  CHECK(machine.under_writeback() == 2);
  machine.clock.now += 1'000'000;
  machine.pageout().end_writeback();
  CHECK(machine.under_writeback() == 0);
  CHECK(machine.pages().events()[VmEvent::kPgrotated] == rotated + 2);
  const PageList& inactive = machine.pages().nodes()[0].lruvec.list(LruList::kInactiveAnon);
  CHECK(machine.memory().swap_cache().find({0, 2}) == inactive.tail);
  CHECK(machine.problems().empty());
}

TEST_CASE("pageout: a page that was used while it was written stays where it is") {
  SlowSwapMachine machine;
  const VirtAddr at = machine.filled(1);
  machine.page_out(at, 1);
  CHECK(machine.load(at) == 1);
  CHECK(machine.log.records.back().cause == FaultCause::kSwapCache);
  CHECK_FALSE(machine.cached(1).has(PageFlag::kReclaim));
  const auto rotated = machine.pages().events()[VmEvent::kPgrotated];
  machine.clock.now += 1'000'000;
  machine.pageout().end_writeback();
  CHECK(machine.pages().events()[VmEvent::kPgrotated] == rotated);
  CHECK(machine.problems().empty());
}

TEST_CASE("pageout: who writes while a readahead has its plug asks the disk for nothing before the end of it") {
  SlowSwapMachine machine;
  const VirtAddr at = machine.filled(40);
  {
    const Pageout::Plug plug(machine.pageout());
    machine.pageout().note_read();
    machine.page_out(at, 40);
    CHECK(machine.memory().disk().backlog_ns() == 0);
    CHECK(machine.under_writeback() == 40);
  }
  // Neighbouring slots are one request: one seek.
  CHECK(machine.memory().disk().backlog_ns() > 100'000);
  CHECK(machine.memory().disk().backlog_ns() < 600'000);
  // Somebody who has to wait does not keep the others waiting.
  const Pfn first(machine.memory().swap_cache().find({0, 1}));
  machine.pageout().wait_on_writeback(first);
  CHECK(machine.under_writeback() == 0);
  CHECK(machine.memory().disk().backlog_ns() == 0);
  CHECK(machine.problems().empty());
}

TEST_CASE("pageout: a frame that is another page when the disk is done is left alone") {
  SlowSwapMachine machine;
  const VirtAddr at = machine.filled(8);
  machine.page_out(at, 8);
  REQUIRE(machine.under_writeback() == 8);
  REQUIRE(machine.mm().munmap(at, bytes_of(8)));
  CHECK(machine.memory().swap_cache().pages() == 0);
  const VirtAddr again = machine.filled(8);
  const auto rotated = machine.pages().events()[VmEvent::kPgrotated];
  machine.clock.now += 10'000'000;
  machine.pageout().end_writeback();
  CHECK(machine.pages().events()[VmEvent::kPgrotated] == rotated);
  CHECK(machine.load(again) == 1);
  CHECK(machine.problems().empty());
}

TEST_CASE("pageout: swapoff waits for what is being written") {
  SlowSwapMachine machine;
  const VirtAddr at = machine.filled(8);
  machine.page_out(at, 8);
  REQUIRE(machine.under_writeback() == 8);
  REQUIRE(machine.memory().swap().swapoff(0));
  CHECK(machine.load(at + bytes_of(7)) == 8);
  CHECK(machine.problems().empty());
}

TEST_CASE("pageout: a machine whose memory is all being written waits, and goes on") {
  SlowSwapMachine machine(160);
  const VirtAddr at = machine.map_anon(SlowSwapMachine::kBase, 400);
  for (uint32_t page = 0; page < 400; ++page) {
    machine.store_word(at, page);
    machine.wait();
  }
  for (uint32_t page = 0; page < 400; ++page) {
    REQUIRE(machine.load(at + bytes_of(page)) == page + 1);
    machine.wait();
  }
  CHECK(machine.problems().empty());
}

}  // namespace fl::vm::test
