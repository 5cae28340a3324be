// The buddy system of one zone: splitting, merging, migrate types, against a naive model.
#include <catch2/catch_test_macros.hpp>
#include <random>

#include "tests/unit/vm/dies.hpp"
#include "tests/unit/vm/zone_fixture.hpp"

namespace fl::vm::test {
namespace {

constexpr auto kUnmovable = MigrateType::kUnmovable;
constexpr auto kMovable = MigrateType::kMovable;
constexpr auto kReclaimable = MigrateType::kReclaimable;

// Which frames are free, and nothing else: the blocks follow from it, because free halves are always merged.
class NaiveModel {
 public:
  NaiveModel(uint32_t first, uint32_t frames) : free_(frames, false) {
    std::fill(free_.begin() + first, free_.end(), true);
  }
  void take(uint32_t first, uint32_t order) { set(first, order, false); }
  void give(uint32_t first, uint32_t order) { set(first, order, true); }
  Blocks blocks() const {
    Blocks counts;
    for (uint32_t at = 0; at < free_.size();) {
      uint32_t order = 0;
      while (order <= kMaxOrder && all_free(at, order)) {
        ++order;
      }
      if (order > 0) {
        ++counts[order - 1];
      }
      at += order > 0 ? 1u << (order - 1) : 1;
    }
    return counts;
  }
  bool has_block(uint32_t order) const {
    for (uint32_t at = 0; at < free_.size(); at += 1u << order) {
      if (all_free(at, order)) {
        return true;
      }
    }
    return false;
  }

 private:
  bool all_free(uint32_t first, uint32_t order) const {
    const uint32_t end = first + (1u << order);
    return (first & ((1u << order) - 1)) == 0 && end <= free_.size() &&
           std::all_of(free_.begin() + first, free_.begin() + end, [](bool free) { return free; });
  }
  void set(uint32_t first, uint32_t order, bool value) {
    for (uint32_t at = first; at < first + (1u << order); ++at) {
      if (free_[at] == value) {
        wrong = true;
      }
      free_[at] = value;
    }
  }
  std::vector<bool> free_;

 public:
  bool wrong = false;  // a frame was given twice or taken back twice
};

}  // namespace

TEST_CASE("buddy: a range becomes the largest aligned blocks that fit") {
  CHECK(ZoneFixture(16, 32).blocks() == Blocks{{4, 1}});
  CHECK(ZoneFixture(17, 32).blocks() == Blocks{{0, 1}, {1, 1}, {2, 1}, {3, 1}});
  CHECK(ZoneFixture(24, 57).blocks() == Blocks{{0, 1}, {3, 2}, {4, 1}});
  CHECK(ZoneFixture(1024, 4096).blocks() == Blocks{{10, 3}});
}

TEST_CASE("buddy: low addresses are given first when fresh") {
  ZoneFixture frames(16, 64);
  CHECK(frames.alloc(0) == 16);
  CHECK(frames.alloc(0) == 17);
  CHECK(frames.alloc(1) == 18);
  CHECK(frames.alloc(4) == 32);
}

TEST_CASE("buddy: a block is split down to the size asked for") {
  ZoneFixture frames(16, 32);
  CHECK(frames.alloc(1) == 16);
  CHECK(frames.blocks() == Blocks{{1, 1}, {2, 1}, {3, 1}});
  CHECK(frames.zone.free_pages() == 14);
}

TEST_CASE("buddy: freeing both halves merges them") {
  ZoneFixture frames(16, 32);
  const Pfn lower(frames.alloc(3));
  const Pfn upper(frames.alloc(3));
  CHECK(frames.blocks().empty());
  frames.buddy.free(frames.zone, upper, 3);
  CHECK(frames.blocks() == Blocks{{3, 1}});
  frames.buddy.free(frames.zone, lower, 3);
  CHECK(frames.blocks() == Blocks{{4, 1}});
}

TEST_CASE("buddy: neighbours that are not halves of one block stay apart") {
  ZoneFixture frames(16, 32);
  for (int i = 0; i < 16; ++i) {
    frames.alloc(0);
  }
  frames.free(17, 0);
  frames.free(18, 0);
  CHECK(frames.blocks() == Blocks{{0, 2}});
}

TEST_CASE("buddy: merging stops at the largest order and at the end of memory") {
  ZoneFixture frames(1024, 3072 + 512);
  CHECK(frames.blocks() == Blocks{{9, 1}, {10, 2}});
  const Pfn block(frames.alloc(10));
  frames.buddy.free(frames.zone, block, 10);
  CHECK(frames.blocks() == Blocks{{9, 1}, {10, 2}});
  const Pfn last(frames.alloc(9));
  CHECK(last == Pfn(3072));
  frames.buddy.free(frames.zone, last, 9);
  CHECK(frames.blocks() == Blocks{{9, 1}, {10, 2}});
}

TEST_CASE("buddy: an order without blocks gives nothing and loses nothing") {
  ZoneFixture frames(16, 32);
  CHECK(frames.alloc(5) == kNoPage);
  CHECK(frames.alloc(kMaxOrder) == kNoPage);
  CHECK(frames.zone.free_pages() == 16);
}

TEST_CASE("buddy: a head that is freed again, or an unaligned block, is an internal error") {
  ZoneFixture frames(16, 32);
  const Pfn block(frames.alloc(0));
  CHECK_FALSE(fl::test::message_of_death([&] {
                frames.buddy.free(frames.zone, block, 0);
                frames.alloc(4);
                frames.buddy.free(frames.zone, block, 4);
                frames.buddy.free(frames.zone, block, 4);
              }).empty());
  CHECK_FALSE(fl::test::message_of_death([&] { frames.buddy.free(frames.zone, block + 1, 1); }).empty());
  CHECK_FALSE(fl::test::message_of_death([&] { frames.free(16, kMaxOrder + 1); }).empty());
}

TEST_CASE("buddy: a block whose neighbour above is free goes to the end of its list, to be merged rather than used") {
  ZoneFixture frames(16, 32);
  std::vector<uint32_t> taken;
  for (int i = 0; i < 16; ++i) {
    taken.push_back(frames.alloc(0));
  }
  frames.free(30, 1);
  frames.free(28, 0);  // 29 is in use, 30-31 are free: if 29 comes back, all four merge
  frames.free(16, 0);
  CHECK(frames.alloc(0) == 16);
  CHECK(frames.alloc(0) == 28);
  frames.free(28, 0);
  frames.free(16, 0);
  frames.free(20, 0);
  CHECK(frames.alloc(0) == 20);
  CHECK(frames.alloc(0) == 16);
}

TEST_CASE("buddy: a million random operations leave the blocks that a naive model has") {
  std::mt19937 random(42);
  ZoneFixture frames(37, 3000);
  NaiveModel model(37, 3000);
  const Blocks before = frames.blocks();
  CHECK(before == model.blocks());
  std::vector<std::pair<uint32_t, uint32_t>> taken;
  uint32_t free_frames = 3000 - 37;
  constexpr MigrateType kTypes[] = {kUnmovable, kMovable, kReclaimable};
  bool good = true;
  for (int step = 0; step < 1'000'000; ++step) {
    // Phases of filling up and emptying, so that both ends are reached.
    const bool filling = (step / 5000) % 2 == 0;
    if (taken.empty() || random() % 100 < (filling ? 60u : 40u)) {
      const uint32_t order = std::min({random() % 11, random() % 11, random() % 11});
      const uint32_t frame = frames.alloc(order, kTypes[random() % 3]);
      if (frame == kNoPage) {
        good = good && (step % 64 != 0 || !model.has_block(order));
        continue;
      }
      good = good && frame % (1u << order) == 0;
      model.take(frame, order);
      free_frames -= 1u << order;
      taken.emplace_back(frame, order);
    } else {
      std::swap(taken[random() % taken.size()], taken.back());
      const auto [first, order] = taken.back();
      taken.pop_back();
      model.give(first, order);
      free_frames += 1u << order;
      frames.free(first, order);
    }
    good = good && !model.wrong && frames.zone.free_pages() == free_frames;
    if (step % 1000 == 0) {
      REQUIRE(frames.blocks() == model.blocks());
    }
  }
  CHECK(good);
  for (const auto& [first, order] : taken) {
    frames.free(first, order);
  }
  CHECK(frames.blocks() == before);
  CHECK(frames.blocks() == [&] {
    Blocks sum;
    for (uint32_t type = 0; type < kMigrateTypes; ++type) {
      for (const auto& [order, count] : frames.blocks(static_cast<MigrateType>(type))) {
        sum[order] += count;
      }
    }
    return sum;
  }());
}

TEST_CASE("migrate types: a type without blocks takes a whole page block, and keeps it") {
  ZoneFixture frames(1024, 4096);
  CHECK(frames.blocks(kMovable) == Blocks{{10, 3}});
  const uint32_t first = frames.alloc(0, kUnmovable);
  CHECK(first == 1024);
  CHECK(frames.zone.pageblock(Pfn(1024)) == kUnmovable);
  CHECK(frames.blocks(kMovable) == Blocks{{10, 2}});
  // The rest of it serves the next ones; movable allocations stay away.
  CHECK(frames.alloc(0, kUnmovable) == 1025);
  CHECK(frames.alloc(0, kMovable) == 2048);
  frames.free(1024, 0);
  frames.free(1025, 0);
  CHECK(frames.blocks(kUnmovable) == Blocks{{10, 1}});
}

TEST_CASE("migrate types: reclaimable and unmovable pages fall back to each other first") {
  ZoneFixture frames(1024, 4096);
  frames.alloc(10, kMovable);
  frames.alloc(0, kReclaimable);
  CHECK(frames.zone.pageblock(Pfn(2048)) == kReclaimable);
  // There is a whole movable block, but the largest free one decides, and of one order the reclaimable list comes
  // first.
  frames.alloc(9, kReclaimable);
  frames.alloc(10, kMovable);
  const uint32_t frame = frames.alloc(0, kUnmovable);
  CHECK((frame > 2048 && frame < 3072));
}

TEST_CASE("migrate types: a page block that is half free is taken over whole, a busier one only lends a block") {
  ZoneFixture frames(1024, 2048);
  const uint32_t used = frames.alloc(8, kMovable);
  REQUIRE(used == 1024);
  for (uint32_t i = 0; i < 256; ++i) {
    frames.map[Pfn(used + i)].set(PageFlag::kAnon);
  }
  SECTION("768 of 1024 are free") {
    frames.alloc(0, kUnmovable);
    CHECK(frames.zone.pageblock(Pfn(1024)) == kUnmovable);
    CHECK(frames.blocks(kMovable).empty());
  }
  SECTION("256 of 1024 are free, the rest is movable") {
    const uint32_t half = frames.alloc(9, kMovable);
    for (uint32_t i = 0; i < 512; ++i) {
      frames.map[Pfn(half + i)].set(PageFlag::kAnon);
    }
    frames.alloc(0, kUnmovable);
    CHECK(frames.zone.pageblock(Pfn(1024)) == kMovable);
    // What is freed goes to the page block's type.
    frames.free(1024, 8);
    CHECK(frames.blocks(kMovable) == Blocks{{8, 1}});
  }
  SECTION("256 of 1024 are free, the rest is not movable either: it is alike") {
    frames.alloc(9, kMovable);
    frames.alloc(0, kUnmovable);
    CHECK(frames.zone.pageblock(Pfn(1024)) == kUnmovable);
  }
}

TEST_CASE("migrate types: movable pages take the smallest block that will do from others") {
  ZoneFixture frames(1024, 2048);
  frames.alloc(0, kUnmovable);  // takes the whole page block
  frames.alloc(9, kUnmovable);
  frames.alloc(8, kUnmovable);
  frames.alloc(7, kUnmovable);
  frames.alloc(6, kUnmovable);
  frames.alloc(5, kUnmovable);
  REQUIRE(frames.blocks() == Blocks{{0, 1}, {1, 1}, {2, 1}, {3, 1}, {4, 1}});
  CHECK(frames.alloc(0, kMovable) == 1025);
  CHECK(frames.zone.pageblock(Pfn(1024)) == kUnmovable);
  CHECK(frames.alloc(1, kMovable) == 1026);
  CHECK(frames.blocks() == Blocks{{2, 1}, {3, 1}, {4, 1}});
}

TEST_CASE("migrate types: a page block that leaves the zone lends blocks only") {
  // The zone ends in the middle of its page block.
  ZoneFixture frames(1024, 1024 + 512);
  frames.alloc(0, kUnmovable);
  CHECK(frames.zone.pageblock(Pfn(1024)) == kMovable);
  CHECK(frames.zone.free_pages() == 511);
}

TEST_CASE("migrate types: without grouping every page block becomes an unmovable one") {
  ZoneFixture frames(1024, 4096);
  frames.buddy.set_mobility_grouping(false);
  frames.buddy.set_pageblock(frames.zone, Pfn(1024), kMovable);
  CHECK(frames.zone.pageblock(Pfn(1024)) == kUnmovable);
  frames.buddy.set_pageblock(frames.zone, Pfn(1024), MigrateType::kIsolate);
  CHECK(frames.zone.pageblock(Pfn(1024)) == MigrateType::kIsolate);
}

TEST_CASE("buddy: a free block can be taken by its head, wherever it stands on its list") {
  ZoneFixture frames(16, 64);
  REQUIRE(frames.blocks() == Blocks{{4, 1}, {5, 1}});
  frames.buddy.take(frames.zone, Pfn(32));
  CHECK(frames.blocks() == Blocks{{4, 1}});
  CHECK(frames.zone.free_pages() == 16);
  CHECK_FALSE(fl::test::message_of_death([&] { frames.buddy.take(frames.zone, Pfn(32)); }).empty());
}

}  // namespace fl::vm::test
