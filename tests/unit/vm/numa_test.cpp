// Nodes: the order of falling back, policies, and the counters that tell of them.
#include <catch2/catch_test_macros.hpp>

#include "tests/unit/vm/phys_machine.hpp"
#include "vm/phys/mempolicy.hpp"

namespace fl::vm::test {
namespace {

constexpr auto kNormal = ZoneType::kNormal;

int64_t numa(PhysMachine& m, uint32_t node, NumaStat item) { return m.zone(kNormal, node).numa[item]; }
MemPolicy policy(PolicyMode mode, NodeMask nodes) { return *MemPolicy::create(mode, nodes, 0b1111); }

}  // namespace

TEST_CASE("nodes: the nearest come first, then the next by number, and first choices are spread") {
  std::array<uint32_t, kMaxNodes> load{};
  const auto order = [&](uint32_t local) {
    const auto all = node_order(local, 4, load);
    return std::vector<uint32_t>(all.begin(), all.begin() + 4);
  };
  using Order = std::vector<uint32_t>;
  CHECK(order(0) == Order{0, 1, 2, 3});
  CHECK(order(1) == Order{1, 2, 3, 0});
  CHECK(order(2) == Order{2, 3, 1, 0});  // node 0 has the CPU
  CHECK(order(3) == Order{3, 1, 2, 0});  // 1 and 2 were each somebody's first choice
}

TEST_CASE("nodes: the local node is used first, then the others, and each miss is counted") {
  PhysMachine m(128, {.nodes = 2});
  const auto node_of = [&](Pfn pfn) { return m.map[pfn].node(); };
  CHECK(node_of(*m.pages.alloc_pages(kGfpUser)) == 0);
  CHECK(numa(m, 0, NumaStat::kNumaHit) == 1);
  CHECK(numa(m, 0, NumaStat::kNumaLocal) == 1);
  CHECK(node_of(*m.pages.alloc_pages_node(kGfpUser, 0, 1)) == 1);
  CHECK(numa(m, 1, NumaStat::kNumaHit) == 1);
  CHECK(numa(m, 1, NumaStat::kNumaOther) == 1);

  Pfn last;
  while (node_of(last = *m.pages.alloc_pages(kGfpUser)) == 0) {
  }
  CHECK(node_of(last) == 1);
  CHECK(numa(m, 1, NumaStat::kNumaMiss) == 1);
  CHECK(numa(m, 0, NumaStat::kNumaForeign) == 1);
  // The low zones of the local node come before those of another one.
  CHECK(m.zone(ZoneType::kDma).free_pages() <
        m.zone(ZoneType::kDma).watermark.low + m.zone(ZoneType::kDma).lowmem_reserve[index_of(kNormal)] + 8);
  // Nobody else's memory will do. Nodes fill to their low watermark first, then each to min.
  std::vector<Pfn> taken = m.exhaust(kGfpUser | kGfpThisNode);
  for (const Pfn pfn : taken) {
    REQUIRE(node_of(pfn) == 0);
  }
  CHECK(m.zone(kNormal, 1).free_pages() > m.zone(kNormal, 1).watermark.low);
}

TEST_CASE("policies: what the calls accept") {
  constexpr NodeMask kOnline = 0b11;
  using Mode = PolicyMode;
  CHECK(MemPolicy::create(Mode::kDefault, 0, kOnline) == MemPolicy{Mode::kDefault, 0});
  CHECK(MemPolicy::create(Mode::kDefault, 1, kOnline).error() == Errno::kEINVAL);
  CHECK(MemPolicy::create(Mode::kLocal, 1, kOnline).error() == Errno::kEINVAL);
  CHECK(MemPolicy::create(Mode::kPreferred, 0, kOnline) == MemPolicy{Mode::kLocal, 0});
  CHECK(MemPolicy::create(Mode::kPreferred, 0b110, kOnline) == MemPolicy{Mode::kPreferred, 0b10});
  CHECK(MemPolicy::create(Mode::kBind, 0, kOnline).error() == Errno::kEINVAL);
  CHECK(MemPolicy::create(Mode::kBind, 0b100, kOnline).error() == Errno::kEINVAL);
  CHECK(MemPolicy::create(Mode::kBind, 0b111, kOnline) == MemPolicy{Mode::kBind, 0b11});
  CHECK(MemPolicy::create(Mode::kInterleave, 0, kOnline).error() == Errno::kEINVAL);
  CHECK(MemPolicy::create(static_cast<Mode>(9), 1, kOnline).error() == Errno::kEINVAL);
}

TEST_CASE("policies: interleave goes round the nodes by index, and counts its hits") {
  PhysMachine m(256, {.nodes = 4});
  const MemPolicy two = policy(PolicyMode::kInterleave, 0b1010);
  for (uint64_t index = 0; index < 10; ++index) {
    const Pfn pfn = *alloc_pages_policy(m.pages, kGfpUser, 0, two, index);
    CHECK(m.map[pfn].node() == (index % 2 == 0 ? 1u : 3u));
  }
  CHECK(numa(m, 1, NumaStat::kNumaInterleave) == 5);
  CHECK(numa(m, 3, NumaStat::kNumaInterleave) == 5);
  CHECK(numa(m, 0, NumaStat::kNumaInterleave) == 0);
  CHECK(interleave_node(policy(PolicyMode::kInterleave, 0b1111), 6) == 2);
}

TEST_CASE("policies: preferred falls back, bind does not") {
  PhysMachine m(256, {.nodes = 4});
  const MemPolicy preferred = policy(PolicyMode::kPreferred, 0b0100);
  const MemPolicy bind = policy(PolicyMode::kBind, 0b0100);
  CHECK(m.map[*alloc_pages_policy(m.pages, kGfpHighUserMovable, 0, preferred, 0)].node() == 2);
  uint32_t bound = 0;
  while (const auto pfn = alloc_pages_policy(m.pages, kGfpHighUserMovable, 0, bind, 0)) {
    REQUIRE(m.map[*pfn].node() == 2);
    ++bound;
  }
  const Zone& zone = m.zone(kNormal, 2);
  CHECK(zone.free_pages() == zone.watermark.min);
  CHECK(bound == zone.managed - 1 - zone.watermark.min);
  CHECK(m.map[*alloc_pages_policy(m.pages, kGfpHighUserMovable, 0, preferred, 0)].node() == 3);
  CHECK(m.map[*alloc_pages_policy(m.pages, kGfpHighUserMovable, 0, {}, 0)].node() == 0);
}

TEST_CASE("policies: bind holds for the highest zone of the machine only") {
  PhysMachine m(1024, {.nodes = 2});
  REQUIRE(m.zone(ZoneType::kHighmem, 1).managed != 0);
  const MemPolicy bind = policy(PolicyMode::kBind, 0b0010);
  CHECK(m.map[*alloc_pages_policy(m.pages, kGfpHighUserMovable, 0, bind, 0)].node() == 1);
  CHECK(m.map[*alloc_pages_policy(m.pages, kGfpKernel, 0, bind, 0)].node() == 0);
}

}  // namespace fl::vm::test
