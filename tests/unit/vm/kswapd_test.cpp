// Kswapd: when it is woken, when it waits for the disk, when it gives up.
#include "tests/unit/vm/slow_swap_machine.hpp"

namespace fl::vm::test {
namespace {

// Touches pages of an area, in order, until a kswapd can run; the next page.
uint32_t touch_until_woken(SlowSwapMachine& machine, VirtAddr at, uint32_t page, uint32_t end) {
  while (page < end && !machine.memory().reclaim().kswapd_runnable()) {
    machine.store_word(at, page++);
    machine.wait();
  }
  machine.memory().faulted_pages().clear();
  return page;
}

bool reached_high(const Zone& zone) { return zone.free_pages() >= zone.watermark.high; }

}  // namespace

TEST_CASE("kswapd: is woken below the low watermark and works until a zone is above its high one") {
  SlowSwapMachine machine(1024);
  PageReclaim& reclaim = machine.memory().reclaim();
  const Zone& zone = machine.pages().nodes()[0].zone(ZoneType::kDma);
  CHECK_FALSE(reclaim.kswapd_runnable());
  // With enough free nobody is woken.
  reclaim.wakeup_kswapd(ZoneType::kMovable);
  CHECK_FALSE(reclaim.kswapd_runnable());
  const VirtAddr at = machine.map_anon(SlowSwapMachine::kBase, 1500);
  uint32_t runs = 0;
  for (uint32_t page = 0; (page = touch_until_woken(machine, at, page, 1500)) < 1500; ++runs) {
    CHECK(zone.free_pages() < zone.watermark.low);
    reclaim.run_kswapds();
    machine.wait();
    CHECK(reached_high(zone));
  }
  CHECK(runs > 3);
  CHECK(machine.pages().events()[VmEvent::kPageoutrun] >= runs);
  CHECK(machine.pages().events()[VmEvent::kPgstealDirect] == 0);
  for (uint32_t page = 0; page < 1500; ++page) {
    REQUIRE(machine.load(at + bytes_of(page)) == page + 1);
    machine.wait();
  }
  CHECK(machine.problems().empty());
}

TEST_CASE("kswapd: sleeps while all that it meets is being written, and goes on from there") {
  SlowSwapMachine machine(1024);
  machine.memory().disk().start(DiskModel::hdd(), &machine.clock);
  PageReclaim& reclaim = machine.memory().reclaim();
  const Zone& zone = machine.pages().nodes()[0].zone(ZoneType::kDma);
  const VirtAddr at = machine.map_anon(SlowSwapMachine::kBase, 1500);
  uint32_t page = touch_until_woken(machine, at, 0, 1500);
  const std::optional<uint64_t> waits = reclaim.run_kswapd(0);
  machine.wait();  // what it worked
  REQUIRE(waits);
  CHECK(*waits > machine.clock.now);
  CHECK(*waits <= machine.clock.now + 100'000'000);
  CHECK_FALSE(reached_high(zone));
  // The machine goes on without it, and nobody can wake it.
  CHECK_FALSE(reclaim.kswapd_runnable());
  machine.store_word(at, page++);
  CHECK_FALSE(reclaim.kswapd_runnable());
  // When it is over some pages are free at once.
  machine.clock.now = *waits;
  reclaim.end_kswapd_wait(0);
  REQUIRE(reclaim.kswapd_runnable());
  const auto stolen = machine.pages().events()[VmEvent::kPgstealKswapd];
  reclaim.run_kswapds();
  machine.wait();
  CHECK(machine.pages().events()[VmEvent::kPgstealKswapd] > stolen);
  CHECK(reached_high(zone));
  CHECK(machine.problems().empty());
}

TEST_CASE("kswapd: gives up after it found nothing 16 times, until somebody finds something") {
  SlowSwapMachine machine(512);
  PageReclaim& reclaim = machine.memory().reclaim();
  const Zone& zone = machine.pages().nodes()[0].zone(ZoneType::kDma);
  REQUIRE(machine.memory().swap().swapoff(0));
  const VirtAddr at = machine.map_anon(SlowSwapMachine::kBase, 600);
  uint32_t page = touch_until_woken(machine, at, 0, 600);
  reclaim.run_kswapds();
  reclaim.wakeup_kswapd(ZoneType::kMovable);
  CHECK_FALSE(reached_high(zone));
  REQUIRE_FALSE(reclaim.kswapd_runnable());
  // The first runs may find free slabs.
  const auto runs = machine.pages().events()[VmEvent::kPageoutrun];
  CHECK(runs >= 16);
  CHECK(runs < 40);
  // With somewhere to go direct reclaim finds pages.
  REQUIRE(machine.memory().swap().swapon(machine.store, "/swap", std::nullopt));
  reclaim.wakeup_kswapd(ZoneType::kMovable);
  CHECK_FALSE(reclaim.kswapd_runnable());
  CHECK(reclaim.try_to_free_pages(kGfpHighUserMovable, 0, ZoneType::kMovable) != 0);
  machine.wait();
  page = touch_until_woken(machine, at, page, 600);
  CHECK(page < 600);
  reclaim.run_kswapds();
  machine.wait();
  CHECK(reached_high(zone));
  CHECK(machine.problems().empty());
}

}  // namespace fl::vm::test
