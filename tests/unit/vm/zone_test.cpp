// Which zone an allocation comes from, what each zone keeps back, and what happens when memory is short.
#include <catch2/catch_test_macros.hpp>

#include "tests/unit/vm/phys_machine.hpp"

namespace fl::vm::test {
namespace {

constexpr auto kDma = ZoneType::kDma;
constexpr auto kNormal = ZoneType::kNormal;
constexpr auto kHighmem = ZoneType::kHighmem;

// A reclaimer that gives back pages it was given, a batch a call.
class PagesToReclaim final : public Reclaimer {
 public:
  explicit PagesToReclaim(PageAllocator& allocator) : allocator_(allocator) {}
  uint32_t try_to_free_pages(Gfp, uint32_t, ZoneType) override {
    ++calls;
    uint32_t freed = 0;
    for (; freed < 32 && !pages.empty(); ++freed) {
      allocator_.free_pages(pages.back());
      pages.pop_back();
    }
    return freed;
  }
  void wakeup_kswapd(ZoneType) override { ++woken; }
  std::vector<Pfn> pages;
  int calls = 0;
  int woken = 0;

 private:
  PageAllocator& allocator_;
};

}  // namespace

TEST_CASE("zones: each allocation comes from the highest zone that will do") {
  PhysMachine m(1024);
  const auto zone_of = [&](Gfp gfp) { return m.pages.zone_of(*m.pages.alloc_pages(gfp)).type; };
  CHECK(zone_of(kGfpHighUserMovable) == kHighmem);
  CHECK(zone_of(kGfpHighUser) == kHighmem);
  CHECK(zone_of(kGfpKernel) == kNormal);
  CHECK(zone_of(kGfpUser | kGfpMovable) == kNormal);
  CHECK(zone_of(kGfpKernel | kGfpDma) == kDma);
  CHECK(zone_of(kGfpAtomic) == kNormal);
  CHECK(m.pages.events()[VmEvent::kPgallocHigh] == 2);
  CHECK(m.pages.events()[VmEvent::kPgallocNormal] == 3);
  CHECK(m.pages.events()[VmEvent::kPgallocDma] == 1);
}

TEST_CASE("zones: user pages fall back to lower zones and leave each its reserve, the kernel then its watermark") {
  PhysMachine m(1024);
  const auto left = [&](ZoneType type) { return m.zone(type).free_pages(); };
  const auto min = [&](ZoneType type) { return m.zone(type).watermark.min; };
  const auto reserve = [&](ZoneType type, ZoneType from) { return m.zone(type).lowmem_reserve[index_of(from)]; };

  std::vector<Pfn> user = m.exhaust(kGfpHighUserMovable);
  CHECK(left(kHighmem) == min(kHighmem));
  CHECK(left(kNormal) == min(kNormal) + reserve(kNormal, kHighmem));
  CHECK(left(kDma) == min(kDma) + reserve(kDma, kHighmem));
  CHECK(reserve(kNormal, kHighmem) == 1184);  // 37890 pages of high memory, a 32nd
  CHECK(reserve(kDma, kHighmem) > reserve(kDma, kNormal));

  std::vector<Pfn> kernel = m.exhaust(kGfpKernel);
  CHECK(left(kHighmem) == min(kHighmem));
  CHECK(left(kNormal) == min(kNormal));
  CHECK(left(kDma) == min(kDma) + reserve(kDma, kNormal));

  std::vector<Pfn> dma = m.exhaust(kGfpKernel | kGfpDma);
  CHECK(left(kDma) == min(kDma));

  m.give_back(user);
  m.give_back(kernel);
  m.give_back(dma);
  CHECK(m.pages.free_frames() == m.pages.managed_frames());
  m.pages.drain_all_pages();
  CHECK(m.pages.nr_free_pages() == m.pages.managed_frames());
}

TEST_CASE("zones: an allocation that cannot wait goes below min, one for reclaim takes everything") {
  PhysMachine m(8);
  std::vector<Pfn> taken = m.exhaust(kGfpKernel);
  const uint32_t min = m.zone(kDma).watermark.min;
  REQUIRE(m.zone(kDma).free_pages() == min);
  SECTION("high only: half of what is kept") {
    m.exhaust(kGfpHigh);
    CHECK(m.zone(kDma).free_pages() == min - min / 2);
  }
  SECTION("atomic: half, and a quarter of the rest") {
    m.exhaust(kGfpAtomic);
    const uint32_t half = min - min / 2;
    CHECK(m.zone(kDma).free_pages() == half - half / 4);
  }
  SECTION("atomic without the reserve") {
    m.exhaust(kGfpAtomicBit | kGfpNoMemalloc);
    CHECK(m.zone(kDma).free_pages() == min);
  }
  SECTION("memalloc") {
    m.exhaust(kGfpMemalloc);
    CHECK(m.zone(kDma).free_pages() == 0);
  }
  SECTION("no failing allowed") {
    m.pages.fail_alloc().fail_every(1);
    m.exhaust(kGfpKernel | kGfpNoFail);
    CHECK(m.zone(kDma).free_pages() == 0);
  }
}

TEST_CASE("zones: between low and min nothing is reclaimed, at min direct reclaim works in batches") {
  PhysMachine m(8);
  PagesToReclaim reclaimer(m.pages);
  for (int i = 0; i < 40; ++i) {
    reclaimer.pages.push_back(*m.pages.alloc_pages(kGfpKernel));
  }
  while (m.zone(kDma).free_pages() > m.zone(kDma).watermark.min) {
    REQUIRE(m.pages.alloc_pages(kGfpKernel));
  }
  m.pages.set_reclaimer(&reclaimer);
  CHECK_FALSE(m.pages.alloc_pages(kGfpNoWait));
  CHECK(reclaimer.calls == 0);
  CHECK(reclaimer.woken == 1);
  CHECK(m.pages.alloc_pages(kGfpKernel));
  CHECK(reclaimer.pages.size() == 8);
  CHECK(m.pages.events()[VmEvent::kAllocstallNormal] == 1);
  for (int i = 0; i < 39; ++i) {
    REQUIRE(m.pages.alloc_pages(kGfpKernel));
  }
  CHECK(reclaimer.pages.empty());
  CHECK_FALSE(m.pages.alloc_pages(kGfpKernel));
}

TEST_CASE("zones: large blocks are tried once unless the caller insists, small ones while pages come back") {
  PhysMachine m(8);
  PagesToReclaim reclaimer(m.pages);
  std::vector<Pfn> all = m.exhaust(kGfpMemalloc);
  std::sort(all.begin(), all.end());
  // What comes back is every other page of the second half: no two of them merge.
  for (size_t i = 1; i < 400; i += 2) {
    reclaimer.pages.push_back(all[all.size() - i]);
  }
  m.pages.set_reclaimer(&reclaimer);
  CHECK_FALSE(m.pages.alloc_pages(kGfpKernel | kGfpNoRetry, 1));
  CHECK(reclaimer.pages.size() == 200 - 32);
  CHECK_FALSE(m.pages.alloc_pages(kGfpKernel, kCostlyOrder + 1));
  CHECK(reclaimer.pages.size() == 200 - 64);
  CHECK_FALSE(m.pages.alloc_pages(kGfpKernel | kGfpRetryMayFail, kCostlyOrder + 1));
  CHECK(reclaimer.pages.empty());
}

TEST_CASE("zones: enough scattered pages are no block; then the compactor is asked") {
  class Joiner final : public Compactor {
   public:
    explicit Joiner(PhysMachine& machine) : machine_(machine) {}
    bool compact(uint32_t order, ZoneType highest) override {
      ++calls;
      CHECK(order == 1);
      CHECK(highest == kNormal);
      // As if what was between two free pages had been moved away.
      machine_.pages.free_pages(between);
      return true;
    }
    Pfn between;
    int calls = 0;

   private:
    PhysMachine& machine_;
  };
  PhysMachine m(8);
  std::vector<Pfn> all = m.exhaust(kGfpMemalloc);
  std::sort(all.begin(), all.end());
  for (size_t i = 1; i < all.size(); i += 2) {
    m.pages.free_pages(all[i]);
  }
  CHECK_FALSE(m.pages.alloc_pages(kGfpKernel, 1));
  CHECK(m.pages.alloc_pages(kGfpKernel));
  Joiner joiner(m);
  joiner.between = all[800];
  m.pages.set_compactor(&joiner);
  const auto block = m.pages.alloc_pages(kGfpKernel, 1);
  REQUIRE(block);
  CHECK(block->value() == (all[800].value() & ~1u));
  CHECK(joiner.calls == 1);
  CHECK(m.pages.events()[VmEvent::kCompactStall] == 1);
  CHECK(m.pages.events()[VmEvent::kCompactSuccess] == 1);
}

TEST_CASE("zones: an impossible order is refused at once") {
  PhysMachine m(16);
  CHECK(m.pages.alloc_pages(kGfpKernel, kMaxOrder + 1).error() == Errno::kENOMEM);
  CHECK(m.pages.alloc_pages(kGfpKernel, kMaxOrder));
}

TEST_CASE("zones: writing min_free_kbytes moves the watermarks of all zones") {
  PhysMachine m(128);
  WatermarkSettings settings = m.pages.watermark_settings();
  const Watermarks before = m.zone(kNormal).watermark;
  settings.min_free_kbytes *= 2;
  m.pages.set_watermark_settings(settings);
  CHECK(m.zone(kNormal).watermark.min / 2 == before.min);
  CHECK(m.zone(kNormal).watermark.low > before.low);
  CHECK(m.zone(kNormal).pcp.high == m.zone(kNormal).watermark.low);
  CHECK(m.pages.total_reserve_pages() ==
        m.zone(kDma).watermark.high + m.zone(kDma).lowmem_reserve[index_of(kNormal)] + m.zone(kNormal).watermark.high);
}

TEST_CASE("compound pages: the tails name the head, the head its order, until they are freed") {
  PhysMachine m(32);
  const Pfn head = *m.pages.alloc_pages(kGfpKernel | kGfpComp, 4);
  CHECK(m.map.compound_order(head) == 4);
  CHECK(m.map[head].has(PageFlag::kHead));
  for (uint32_t i = 0; i < 16; ++i) {
    CHECK(m.map.compound_head(head + i) == head);
    CHECK(m.map[head + i].has(PageFlag::kTail) == (i != 0));
  }
  m.pages.free_pages(head, 4);
  for (uint32_t i = 0; i < 16; ++i) {
    CHECK_FALSE(m.map[head + i].has(PageFlag::kHead | PageFlag::kTail));
  }
  const Pfn plain = *m.pages.alloc_pages(kGfpKernel, 2);
  CHECK(m.map.compound_order(plain) == 0);
  CHECK(m.map.compound_head(plain + 1) == plain + 1);
  m.pages.split_page(plain, 2);
  for (uint32_t i = 0; i < 4; ++i) {
    m.pages.free_pages(plain + i);
  }
  CHECK(m.pages.free_frames() == m.pages.managed_frames());
}

TEST_CASE("compaction's hold: a free block is taken as single pages and given back") {
  PhysMachine m(32);
  const Pfn head(m.zone(kNormal).free_area[kMaxOrder].lists[index_of(MigrateType::kMovable)].head);
  CHECK(m.pages.isolate_free_block(head) == kMaxOrder);
  CHECK(m.pages.free_frames() == m.pages.managed_frames() - 1024);
  for (uint32_t i = 0; i < 1024; ++i) {
    REQUIRE(m.map[head + i].refcount == 1);
    m.pages.free_pages(head + i);
  }
  m.pages.drain_all_pages();
  CHECK(m.pages.nr_free_pages() == m.pages.managed_frames());
  CHECK(m.map[head].has(PageFlag::kBuddy));
}

}  // namespace fl::vm::test
