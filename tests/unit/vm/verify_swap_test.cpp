// Invariant 9: swap slots, those who hold them, and the swap cache.
#include <catch2/catch_test_macros.hpp>

#include "tests/unit/vm/memory_swap_store.hpp"
#include "tests/unit/vm/verify_machine.hpp"
#include "vm/swap/swap_cache.hpp"
#include "vm/swap/swap_space.hpp"

namespace fl::vm::test {

TEST_CASE("verify 9: slots whose counts or pages are wrong are noticed") {
  Busy busy;
  SwapSpace& swap = busy.machine.memory().swap();
  REQUIRE(swap.swapon(std::make_shared<MemorySwapStore>(64), "/swap", std::nullopt));
  REQUIRE(busy.machine.mm().madvise(busy.anon, bytes_of(4), /*PAGEOUT*/ 21, busy.machine.task));
  REQUIRE(busy.machine.pte(busy.anon).swap());
  REQUIRE(busy.complaint(9).empty());
  const SwapEntry entry = pte_to_swp_entry(busy.machine.pte(busy.anon));
  SECTION("a holder that is not counted") {
    busy.entry(busy.anon + bytes_of(1)) = busy.machine.pte(busy.anon);
    CHECK(has(busy.complaint(9), "has count 1, 2 hold it"));
    CHECK(has(busy.complaint(9), "has count 1, 0 hold it"));
  }
  SECTION("a count without a holder") {
    REQUIRE(swap.swap_duplicate(entry));
    CHECK(has(busy.complaint(9), "has count 2, 1 hold it"));
    swap.swap_free(entry);
  }
  SECTION("a slot that nobody has") {
    busy.entry(busy.anon) = swp_entry_to_pte({0, 60});
    CHECK(has(busy.complaint(9), "in a slot that nobody has"));
  }
  SECTION("a page of the swap cache that names another slot") {
    busy.page(Pfn(busy.machine.memory().swap_cache().find(entry))).private_ = SwapEntry{0, 50}.raw();
    CHECK(has(busy.complaint(9), "and names"));
  }
}

}  // namespace fl::vm::test
