// Per-CPU lists: refilling, giving back, draining.
#include <catch2/catch_test_macros.hpp>
#include <random>

#include "tests/unit/vm/zone_fixture.hpp"

namespace fl::vm::test {
namespace {

constexpr auto kMovable = MigrateType::kMovable;

struct PcpFixture : ZoneFixture {
  PcpFixture() : ZoneFixture(1024, 4096) {
    zone.pcp.batch = 8;
    zone.pcp.high = 40;
  }
  uint32_t take(uint32_t order = 0, MigrateType type = kMovable) { return pcp.alloc(zone, order, type); }
  void give(uint32_t frame, uint32_t order = 0) { pcp.free(zone, Pfn(frame), order); }
  uint32_t all_free() const { return zone.free_pages() + zone.pcp.count; }
};

}  // namespace

TEST_CASE("pcp: a refill brings a batch, in ascending order, and later pages come from it") {
  PcpFixture frames;
  CHECK(frames.take() == 1024);
  CHECK(frames.zone.pcp.count == 7);
  CHECK(frames.zone.free_pages() == 3072 - 8);
  for (uint32_t i = 1; i < 8; ++i) {
    CHECK(frames.take() == 1024 + i);
  }
  CHECK(frames.zone.pcp.count == 0);
  CHECK(frames.zone.free_pages() == 3072 - 8);
  frames.take();
  CHECK(frames.zone.free_pages() == 3072 - 16);
}

TEST_CASE("pcp: larger orders refill with as many pages, but at least two blocks") {
  PcpFixture frames;
  frames.take(2);
  CHECK(frames.zone.pcp.count == 4);
  frames.take(3);
  CHECK(frames.zone.pcp.count == 4 + 8);
  CHECK(frames.all_free() == 3072 - 12);
}

TEST_CASE("pcp: what was freed last is given first") {
  PcpFixture frames;
  const uint32_t a = frames.take();
  const uint32_t b = frames.take();
  frames.give(a);
  frames.give(b);
  CHECK(frames.take() == b);
  CHECK(frames.take() == a);
}

TEST_CASE("pcp: at the high mark a batch goes back, and more each time when only frees come") {
  PcpFixture frames;
  std::vector<uint32_t> taken;
  for (int i = 0; i < 200; ++i) {
    taken.push_back(frames.take());
  }
  REQUIRE(frames.zone.pcp.count == 0);
  std::vector<uint32_t> returned;
  uint32_t previous = 0;
  for (const uint32_t frame : taken) {
    frames.give(frame);
    if (frames.zone.pcp.count < previous) {
      returned.push_back(previous + 1 - frames.zone.pcp.count);
    }
    previous = frames.zone.pcp.count;
    CHECK(frames.zone.pcp.count < 40);
  }
  CHECK(returned == std::vector<uint32_t>{8, 16, 32, 32, 32, 32, 32});
  CHECK(frames.all_free() == 3072);
}

TEST_CASE("pcp: larger blocks freed in a row do not stay") {
  PcpFixture frames;
  const uint32_t a = frames.take(2);
  const uint32_t b = frames.take(2);
  frames.zone.pcp.free_factor = 1;
  frames.give(a, 2);
  CHECK(frames.zone.pcp.count == 0);
  frames.zone.pcp.free_factor = 0;
  frames.give(b, 2);
  CHECK(frames.zone.pcp.count == 4);
}

TEST_CASE("pcp: pages go back to the type of their page block") {
  PcpFixture frames;
  const uint32_t frame = frames.take(0, MigrateType::kUnmovable);
  CHECK(frames.zone.pageblock(Pfn(frame)) == MigrateType::kUnmovable);
  frames.give(frame);
  CHECK(frames.take(0, kMovable) != frame);
  CHECK(frames.take(0, MigrateType::kUnmovable) == frame);
}

TEST_CASE("pcp: an empty zone gives nothing, and draining brings everything back") {
  PcpFixture frames;
  std::vector<uint32_t> taken;
  for (uint32_t frame = frames.take(); frame != kNoPage; frame = frames.take()) {
    taken.push_back(frame);
  }
  CHECK(taken.size() == 3072);
  for (const uint32_t frame : taken) {
    frames.give(frame);
  }
  frames.pcp.drain(frames.zone);
  CHECK(frames.zone.pcp.count == 0);
  CHECK(frames.blocks() == Blocks{{10, 3}});
}

TEST_CASE("pcp: random use loses nothing") {
  PcpFixture frames;
  std::mt19937 random(3);
  std::vector<std::pair<uint32_t, uint32_t>> taken;
  std::vector<bool> used(4096);
  uint32_t in_use = 0;
  for (int step = 0; step < 100'000; ++step) {
    if (taken.empty() || random() % 2 == 0) {
      const uint32_t order = random() % 8 == 0 ? kPageblockOrder : random() % (kCostlyOrder + 1);
      const uint32_t frame = frames.take(order, static_cast<MigrateType>(random() % kPcpTypes));
      if (frame == kNoPage) {
        continue;
      }
      for (uint32_t i = frame; i < frame + (1u << order); ++i) {
        REQUIRE_FALSE(used[i]);
        used[i] = true;
      }
      in_use += 1u << order;
      taken.emplace_back(frame, order);
    } else {
      std::swap(taken[random() % taken.size()], taken.back());
      const auto [frame, order] = taken.back();
      taken.pop_back();
      std::fill_n(used.begin() + frame, 1u << order, false);
      in_use -= 1u << order;
      frames.give(frame, order);
    }
    REQUIRE(frames.all_free() + in_use == 3072);
  }
  for (const auto& [frame, order] : taken) {
    frames.give(frame, order);
  }
  frames.pcp.drain(frames.zone);
  CHECK(frames.blocks() == Blocks{{10, 3}});
}

}  // namespace fl::vm::test
