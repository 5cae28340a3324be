// The tree of areas against std::map, and its searches for holes against trying every place.
#include "vm/mm/vma_tree.hpp"

#include <catch2/catch_test_macros.hpp>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <vector>

#include "vm/profile.hpp"

namespace fl::vm::test {
namespace {

std::unique_ptr<VmArea> make(uint32_t start, uint32_t end, uint32_t flags = 0) {
  return std::make_unique<VmArea>(
      AreaShape{.start = VirtAddr(start << kPageShift), .end = VirtAddr(end << kPageShift), .flags = flags});
}

VirtAddr at(uint32_t page) { return VirtAddr(page << kPageShift); }

// A tree and, beside it, what should be in it: page ranges, and which of them grow down.
class Pair {
 public:
  void insert(uint32_t start, uint32_t end, bool grows = false) {
    auto area = make(start, end, grows ? uint32_t{VmFlag::kGrowsDown} : 0u);
    tree.insert(area.get());
    areas[area.get()] = std::move(area);
    model[start] = {end, grows};
  }
  void remove(uint32_t start) {
    VmArea* const area = tree.lookup(at(start));
    tree.remove(area);
    model.erase(start);
    areas.erase(area);
  }
  bool free(uint32_t start, uint32_t end) const {
    auto next = model.upper_bound(start);
    if (next != model.end() && next->first < end) {
      return false;
    }
    return next == model.begin() || std::prev(next)->second.end <= start;
  }
  // As free, and away from a growing stack above.
  bool usable(uint32_t start, uint32_t end) const {
    if (!free(start, end)) {
      return false;
    }
    const auto next = model.lower_bound(start);
    return next == model.end() || !next->second.grows || end + (kStackGuardGap >> kPageShift) <= next->first;
  }
  void check_same() const {
    auto expected = model.begin();
    const VmArea* prev = nullptr;
    for (const VmArea* area = tree.first(); area != nullptr; area = area->next, ++expected) {
      REQUIRE(expected != model.end());
      REQUIRE(area->start == at(expected->first));
      REQUIRE(area->end == at(expected->second.end));
      REQUIRE(area->prev == prev);
      prev = area;
    }
    REQUIRE(expected == model.end());
    REQUIRE(tree.last() == prev);
    REQUIRE(tree.size() == model.size());
  }
  struct Entry {
    uint32_t end;
    bool grows;
  };
  std::map<const VmArea*, std::unique_ptr<VmArea>> areas;  // the tree owns none
  VmaTree tree;
  std::map<uint32_t, Entry> model;
};

std::optional<uint32_t> found(VmaTree::Hole hole) {
  return hole.found ? std::optional(hole.start.vpn()) : std::nullopt;
}

}  // namespace

TEST_CASE("vma tree: find gives the first area that ends above the address, lookup only one that contains it") {
  Pair pair;
  pair.insert(10, 12);
  pair.insert(20, 25);
  CHECK(pair.tree.find(at(0))->start == at(10));
  CHECK(pair.tree.find(at(11))->start == at(10));
  CHECK(pair.tree.find(at(12))->start == at(20));
  CHECK(pair.tree.find(at(25)) == nullptr);
  CHECK(pair.tree.lookup(at(9)) == nullptr);
  CHECK(pair.tree.lookup(at(12)) == nullptr);
  CHECK(pair.tree.lookup(at(24))->start == at(20));
  CHECK(pair.tree.find_intersection(at(12), at(20)) == nullptr);
  CHECK(pair.tree.find_intersection(at(12), at(21))->start == at(20));
}

TEST_CASE("vma tree: an empty tree is one hole") {
  const VmaTree tree;
  CHECK(tree.find(at(5)) == nullptr);
  CHECK(tree.last() == nullptr);
  CHECK(found(tree.highest_hole((0) << kPageShift, at(1), at(9))) == std::nullopt);
  CHECK(found(tree.highest_hole((3) << kPageShift, at(1), at(9))) == 6);
  CHECK(found(tree.lowest_hole((3) << kPageShift, at(1), at(9))) == 1);
  CHECK(found(tree.lowest_hole((9) << kPageShift, at(1), at(9))) == std::nullopt);
}

TEST_CASE("vma tree: no hole is offered within the guard gap below a growing stack") {
  Pair pair;
  const uint32_t gap = kStackGuardGap >> kPageShift;
  pair.insert(1000, 1010, true);
  CHECK(found(pair.tree.highest_hole((4) << kPageShift, at(1), at(1000))) == 1000 - gap - 4);
  CHECK(found(pair.tree.highest_hole((1000 - gap) << kPageShift, at(0), at(1000))) == 0);
  CHECK(found(pair.tree.highest_hole((1001 - gap) << kPageShift, at(0), at(1000))) == std::nullopt);
  pair.insert(100, 110, true);
  CHECK(found(pair.tree.lowest_hole((1) << kPageShift, at(0), at(1000))) == 110);
}

TEST_CASE("vma tree: random inserts, removals and resizes keep it equal to std::map, and both searches exact") {
  std::mt19937 random(7);
  Pair pair;
  constexpr uint32_t kPages = 900;
  for (int step = 0; step < 6000; ++step) {
    const uint32_t start = random() % kPages;
    const uint32_t end = start + 1 + random() % 12;
    switch (random() % 4) {
      case 0:
      case 1:
        if (pair.free(start, end)) {
          pair.insert(start, end, random() % 16 == 0);
        }
        break;
      case 2:
        if (const VmArea* area = pair.tree.find(at(start)); area != nullptr) {
          pair.remove(area->start.vpn());
        }
        break;
      default:
        if (VmArea* area = pair.tree.find(at(start)); area != nullptr) {
          const uint32_t low = area->prev != nullptr ? area->prev->end.vpn() : 0;
          const uint32_t high = area->next != nullptr ? area->next->start.vpn() : kPages + 20;
          const uint32_t new_start = low + random() % (area->end.vpn() - low);
          const uint32_t new_end = new_start + 1 + random() % (high - new_start);
          const auto old = pair.model.extract(area->start.vpn());
          pair.tree.resize(area, at(new_start), at(new_end));
          pair.model[new_start] = {new_end, old.mapped().grows};
        }
    }
    pair.check_same();
    const uint32_t length = 1 + random() % 40;
    const uint32_t low = random() % kPages;
    const uint32_t high = low + random() % (kPages + 60 - low);
    std::optional<uint32_t> lowest, highest;
    for (uint32_t place = low; place + length <= high; ++place) {
      if (pair.usable(place, place + length)) {
        lowest = lowest ? lowest : place;
        highest = place;
      }
    }
    INFO("step " << step << " length " << length << " in [" << low << ", " << high << ")");
    REQUIRE(found(pair.tree.highest_hole((length) << kPageShift, at(low), at(high))) == highest);
    REQUIRE(found(pair.tree.lowest_hole((length) << kPageShift, at(low), at(high))) == lowest);
  }
}

TEST_CASE("vma tree: a thousand areas inserted in order do not make a list of it") {
  std::vector<std::unique_ptr<VmArea>> areas;
  VmaTree tree;
  for (uint32_t i = 0; i < 1000; ++i) {
    tree.insert(areas.emplace_back(make(i * 2, i * 2 + 1)).get());
  }
  const auto depth = [](auto&& self, const VmArea* node) -> int {
    return node == nullptr ? 0 : 1 + std::max(self(self, node->left), self(self, node->right));
  };
  CHECK(depth(depth, tree.root()) < 50);
}

}  // namespace fl::vm::test
