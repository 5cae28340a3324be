// The boot allocator: its two lists against a naive model, and where allocations land.
#include "vm/boot/memblock.hpp"

#include <catch2/catch_test_macros.hpp>
#include <random>
#include <vector>

namespace fl::vm::test {
namespace {

using Regions = std::vector<MemblockRegion>;
constexpr uint64_t kMiB = 1u << 20;

struct Machine {
  mmu::Ram ram = *mmu::Ram::create(4096);  // 16 MiB
  Memblock memblock{ram};
  Regions memory() const { return {memblock.memory().regions().begin(), memblock.memory().regions().end()}; }
  Regions reserved() const { return {memblock.reserved().regions().begin(), memblock.reserved().regions().end()}; }
};

}  // namespace

TEST_CASE("memblock: neighbours and overlaps become one region, gaps are kept") {
  Machine m;
  REQUIRE(m.memblock.add(0x1000, 0x1000));
  REQUIRE(m.memblock.add(0x4000, 0x1000));
  CHECK(m.memory() == Regions{{0x1000, 0x1000}, {0x4000, 0x1000}});
  REQUIRE(m.memblock.add(0x2000, 0x1000));
  CHECK(m.memory() == Regions{{0x1000, 0x2000}, {0x4000, 0x1000}});
  REQUIRE(m.memblock.add(0x1800, 0x4000));
  CHECK(m.memory() == Regions{{0x1000, 0x4800}});
  CHECK(m.memblock.memory().total_size() == 0x4800);
  REQUIRE(m.memblock.add(0x1000, 0));
  CHECK(m.memory() == Regions{{0x1000, 0x4800}});
}

TEST_CASE("memblock: nodes are kept apart and can be set for part of a region") {
  Machine m;
  REQUIRE(m.memblock.add(0, 4 * kMiB, 0));
  REQUIRE(m.memblock.add(4 * kMiB, 4 * kMiB, 1));
  CHECK(m.memory() == Regions{{0, 4 * kMiB, 0}, {4 * kMiB, 4 * kMiB, 1}});
  REQUIRE(m.memblock.set_node(2 * kMiB, 2 * kMiB, 1));
  CHECK(m.memory() == Regions{{0, 2 * kMiB, 0}, {2 * kMiB, 6 * kMiB, 1}});
  const uint64_t on_0 = *m.memblock.alloc(kPageSize, kPageSize, 0, kAllocAnywhere, 0);
  CHECK(on_0 == 2 * kMiB - kPageSize);
  CHECK(*m.memblock.alloc(kPageSize, kPageSize, 0, kAllocAnywhere, 1) == 8 * kMiB - kPageSize);
}

TEST_CASE("memblock: removing and freeing cut regions") {
  Machine m;
  REQUIRE(m.memblock.add(0, 0x10000));
  REQUIRE(m.memblock.remove(0x4000, 0x2000));
  CHECK(m.memory() == Regions{{0, 0x4000}, {0x6000, 0xa000}});
  REQUIRE(m.memblock.remove(0x3000, 0x4000));
  CHECK(m.memory() == Regions{{0, 0x3000}, {0x7000, 0x9000}});
  REQUIRE(m.memblock.reserve(0x1000, 0x1000));
  REQUIRE(m.memblock.free(0x1000, 0x1000));
  CHECK(m.reserved().empty());
  CHECK(m.memblock.reserved().total_size() == 0);
}

TEST_CASE("memblock: allocations come from the top, aligned, below the limit, or from the bottom when asked") {
  Machine m;
  REQUIRE(m.memblock.add(0, 16 * kMiB));
  CHECK(*m.memblock.alloc(100, 64) == 16 * kMiB - 128);
  CHECK(*m.memblock.alloc(kPageSize, kPageSize) == 16 * kMiB - 2 * kPageSize);
  m.memblock.set_current_limit(8 * kMiB);
  CHECK(*m.memblock.alloc(kPageSize, kPageSize) == 8 * kMiB - kPageSize);
  CHECK(*m.memblock.alloc(kPageSize, kPageSize, 0, 4 * kMiB) == 4 * kMiB - kPageSize);
  CHECK(m.memblock.alloc(kPageSize, kPageSize, 9 * kMiB).error() == Errno::kENOMEM);
  m.memblock.set_bottom_up(true);
  CHECK(*m.memblock.alloc(kPageSize, kPageSize) == kPageSize);  // never address 0
  CHECK(*m.memblock.alloc(kPageSize, kMiB) == kMiB);
}

TEST_CASE("memblock: a range that does not fit is refused, one that fits exactly is found") {
  Machine m;
  REQUIRE(m.memblock.add(0x10000, 0x4000));
  REQUIRE(m.memblock.reserve(0x11000, 0x1000));
  CHECK(m.memblock.alloc(0x3000, kPageSize).error() == Errno::kENOMEM);
  CHECK(*m.memblock.alloc(0x2000, kPageSize) == 0x12000);
  CHECK(*m.memblock.alloc(0x1000, kPageSize) == 0x10000);
  CHECK(m.memblock.alloc(1, 1).error() == Errno::kENOMEM);
}

TEST_CASE("memblock: a full list is refused until it may grow, and then grows into free memory") {
  Machine m;
  REQUIRE(m.memblock.add(0, 16 * kMiB));
  for (uint32_t i = 0; i < kInitMemblockRegions; ++i) {
    REQUIRE(m.memblock.reserve(kMiB + uint64_t{i} * 0x2000, 0x1000));
  }
  CHECK(m.memblock.reserve(8 * kMiB, 0x1000).error() == Errno::kENOMEM);
  CHECK(m.memblock.alloc(0x1000, 0x1000).error() == Errno::kENOMEM);
  CHECK(m.reserved().size() == kInitMemblockRegions);
  m.memblock.allow_resize();
  REQUIRE(m.memblock.reserve(8 * kMiB, 0x1000));
  CHECK(m.memblock.reserved().capacity() == 2 * kInitMemblockRegions);
  // 129 of ours and the array itself, which stands in RAM and is reserved.
  CHECK(m.reserved().size() == kInitMemblockRegions + 2);
  CHECK(m.reserved().back().end() == 16 * kMiB);
  for (uint32_t i = 0; i < 2 * kInitMemblockRegions; ++i) {
    REQUIRE(m.memblock.reserve(9 * kMiB + uint64_t{i} * 0x2000, 0x1000));
  }
  // The first grown array was given back when the second was made.
  CHECK(m.memblock.reserved().capacity() == 4 * kInitMemblockRegions);
  uint64_t sum = 0;
  for (const MemblockRegion& region : m.reserved()) {
    sum += region.size;
  }
  CHECK(m.memblock.reserved().total_size() == sum);
  CHECK(sum == (3 * kInitMemblockRegions + 1) * uint64_t{0x1000} + page_align_up(512 * sizeof(MemblockRegion)));
}

TEST_CASE("memblock: random calls leave the lists as a bitmap would have them") {
  Machine m;
  m.memblock.set_bottom_up(false);
  std::mt19937 random(7);
  constexpr uint32_t kUnits = 200;
  constexpr uint32_t kUnit = 0x1000;
  std::vector<bool> memory(kUnits + 1), reserved(kUnits + 1);
  for (int step = 0; step < 5000; ++step) {
    const uint32_t first = random() % kUnits;
    const uint32_t count = 1 + random() % std::min(20u, kUnits - first);
    const auto call = random() % 5;
    if (call == 4) {
      const auto at = m.memblock.alloc(uint64_t{count} * kUnit, kUnit);
      if (at) {
        for (uint32_t i = 0; i < count; ++i) {
          const auto unit = static_cast<uint32_t>(*at / kUnit) + i;
          REQUIRE((memory[unit] && !reserved[unit]));
          reserved[unit] = true;
        }
      }
      continue;
    }
    const uint64_t base = uint64_t{first} * kUnit;
    const uint64_t size = uint64_t{count} * kUnit;
    REQUIRE((call == 0   ? m.memblock.add(base, size)
             : call == 1 ? m.memblock.remove(base, size)
             : call == 2 ? m.memblock.reserve(base, size)
                         : m.memblock.free(base, size)));
    std::vector<bool>& list = call < 2 ? memory : reserved;
    std::fill_n(list.begin() + first, count, call == 0 || call == 2);
    const auto ranges = [](const std::vector<bool>& bits) {
      Regions regions;
      for (uint32_t i = 0; i < kUnits; ++i) {
        if (bits[i] && (i == 0 || !bits[i - 1])) {
          regions.push_back({uint64_t{i} * kUnit, 0});
        }
        if (bits[i]) {
          regions.back().size += kUnit;
        }
      }
      return regions;
    };
    REQUIRE(m.memory() == ranges(memory));
    REQUIRE(m.reserved() == ranges(reserved));
    std::vector<bool> both(kUnits + 1);
    m.memblock.for_each_free(kAnyNode, [&](uint64_t start, uint64_t end) {
      for (uint64_t unit = start / kUnit; unit < end / kUnit; ++unit) {
        both[unit] = true;
      }
    });
    for (uint32_t i = 0; i < kUnits; ++i) {
      REQUIRE(both[i] == (memory[i] && !reserved[i]));
    }
  }
}

}  // namespace fl::vm::test
