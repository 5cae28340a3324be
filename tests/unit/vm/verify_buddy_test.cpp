// Invariant 2 broken on purpose: free lists and per-CPU lists.
#include <catch2/catch_test_macros.hpp>

#include "tests/unit/vm/verify_machine.hpp"

namespace fl::vm::test {

TEST_CASE("verify 2: broken free lists are noticed") {
  Busy busy;
  const Pfn head = free_block(busy.machine.pages());
  Page& page = busy.page(head);
  const uint32_t order = page.private_;
  SECTION("a head without its mark") {
    page.clear(PageFlag::kBuddy);
    CHECK(has(busy.complaint(2), "free block"));
  }
  SECTION("a wrong order") {
    page.private_ = order + 1;
    CHECK(has(busy.complaint(2), "free block"));
  }
  SECTION("a list in a circle") {
    page.lru_next = head.value();
    CHECK(has(busy.complaint(2, 1), "in a circle"));
  }
  SECTION("a list that leaves RAM") {
    page.lru_next = 0x123456;
    CHECK(has(busy.complaint(2, 1), "outside RAM"));
  }
  SECTION("a frame in use that claims to be free") {
    busy.page(busy.anon).set(PageFlag::kBuddy);
    CHECK(has(busy.complaint(2), "no list has it"));
  }
  SECTION("a list that ends elsewhere") {
    busy.machine.pages().nodes()[0].zone(ZoneType::kDma).free_area[order].lists[page.index].tail = 1;
    CHECK(has(busy.complaint(2), "its tail says 0x1"));
  }
  SECTION("a block cut off its list") {
    busy.machine.pages().nodes()[0].zone(ZoneType::kDma).free_area[order].lists[page.index] = {};
    CHECK(has(busy.complaint(2, 1), "the counter says"));
  }
  SECTION("a block on the list of another type") {
    page.index = (page.index + 1) % kMigrateTypes;
    CHECK(has(busy.complaint(2), "free block"));
  }
  SECTION("a miscounted zone") {
    busy.machine.pages().nodes()[0].zone(ZoneType::kDma).stat.add(ZoneStat::kNrFreePages, 1);
    CHECK(has(busy.complaint(2), "are free, the counter says"));
  }
}

TEST_CASE("verify 1: a frame that claims to be in another zone or node is noticed") {
  Busy busy;
  Page& page = busy.page(busy.anon);
  page.set_place(0, index_of(ZoneType::kHighmem));
  CHECK(has(busy.complaint(1, 11), "claims to be in zone 2 of node 0"));
  page.set_place(5, 0);
  CHECK(has(busy.complaint(1, 11), "claims to be in zone 0 of node 5"));
}

TEST_CASE("verify 2: broken per-CPU lists are noticed") {
  Busy busy;
  PageAllocator& pages = busy.machine.pages();
  Zone& zone = pages.nodes()[0].zone(ZoneType::kDma);
  const Pfn frame = *pages.alloc_pages(kGfpUser);
  pages.free_pages(frame);
  REQUIRE(busy.page(frame).has(PageFlag::kPcp));
  SECTION("a page without its mark") {
    busy.page(frame).clear(PageFlag::kPcp);
    CHECK(has(busy.complaint(2), "free block"));
  }
  SECTION("a page in use that claims to be on one") {
    busy.page(busy.anon).set(PageFlag::kPcp);
    CHECK(has(busy.complaint(2), "no list has it"));
  }
  SECTION("a miscounted list") {
    ++zone.pcp.count;
    CHECK(has(busy.complaint(2), "on per-CPU lists, the counter says"));
  }
  SECTION("a page of the wrong order") {
    busy.page(frame).private_ = 2;
    CHECK(has(busy.complaint(2), "free block"));
  }
}

TEST_CASE("verify 2: two free halves that were not merged are noticed") {
  Machine machine;
  // Two adjacent blocks of order 0, freed by hand: the first is made to look like a larger one while its buddy comes
  // back.
  PageAllocator& pages = machine.pages();
  const Pfn first = *pages.alloc_pages(kGfpUser, 1);
  machine.memory().page(first + 1).refcount = 1;
  pages.free_pages(first);
  pages.drain_all_pages();
  machine.memory().page(first).private_ = 1;
  pages.free_pages(first + 1);
  pages.drain_all_pages();
  machine.memory().page(first).private_ = 0;
  const auto lines = verify(machine.memory());
  REQUIRE(lines.size() == 1);
  CHECK(has(lines[0], "invariant 2: free blocks"));
  CHECK(has(lines[0], "are not merged"));
}

}  // namespace fl::vm::test
