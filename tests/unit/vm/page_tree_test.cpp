// The tree of cached pages against std::map, its marks, and making it without memory.
#include "vm/cache/page_tree.hpp"

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <map>
#include <random>

#include "tests/unit/vm/dies.hpp"
#include "tests/unit/vm/vm_machine.hpp"

namespace fl::vm::test {
namespace {

constexpr std::array kTags{PageTag::kDirty, PageTag::kWriteback};

// A tree and what should be in it.
class TreePair {
 public:
  explicit TreePair(Machine& machine) : tree(machine.memory()) {}
  ~TreePair() {
    while (!model.empty()) {
      erase(model.begin()->first);
    }
  }

  bool insert(uint32_t index, uint32_t frame) {
    const bool done = tree.insert(index, Pfn(frame)).has_value();
    if (done) {
      model[index] = {.frame = frame, .tags = {}};
    }
    return done;
  }
  void erase(uint32_t index) {
    REQUIRE(tree.erase(index) == Pfn(model.at(index).frame));
    model.erase(index);
  }
  void set_tag(uint32_t index, PageTag tag, bool on) {
    on ? tree.set_tag(index, tag) : tree.clear_tag(index, tag);
    model.at(index).tags[static_cast<size_t>(tag)] = on;
  }

  void check_same() const {
    REQUIRE(tree.size() == model.size());
    auto expected = model.begin();
    for (auto found = tree.next(0); found; found = tree.next(uint64_t{found->index} + 1), ++expected) {
      REQUIRE(expected != model.end());
      REQUIRE(found->index == expected->first);
      REQUIRE(found->pfn == Pfn(expected->second.frame));
      REQUIRE(tree.find(found->index) == expected->second.frame);
    }
    REQUIRE(expected == model.end());
    for (const PageTag tag : kTags) {
      uint32_t tagged = 0;
      uint64_t from = 0;
      for (const auto& [index, entry] : model) {
        REQUIRE(tree.has_tag(index, tag) == entry.tags[static_cast<size_t>(tag)]);
        if (entry.tags[static_cast<size_t>(tag)]) {
          const auto found = tree.next_tagged(from, tag);
          REQUIRE(found);
          REQUIRE(found->index == index);
          from = uint64_t{index} + 1;
          ++tagged;
        }
      }
      REQUIRE_FALSE(tree.next_tagged(from, tag));
      REQUIRE(tree.tagged(tag) == tagged);
    }
  }

  struct Entry {
    uint32_t frame;
    std::array<bool, kPageTags> tags;
  };
  PageTree tree;
  std::map<uint32_t, Entry> model;
};

uint32_t nodes_in_use(Machine& machine) { return objects_in_use(machine.memory(), "radix_tree_node"); }

}  // namespace

TEST_CASE("page tree: random insertions, removals and marks agree with std::map") {
  Machine machine;
  std::mt19937 random(7);
  TreePair pair(machine);
  for (int step = 0; step < 20000; ++step) {
    // Dense, sparse and the very ends of the range of indexes.
    const uint32_t spread = random() % 3;
    const uint32_t index = spread == 0   ? random() % 200
                           : spread == 1 ? random() % 64 * 0x1003001u
                                         : 0xffffffffu - random() % 70;
    const auto at = pair.model.find(index);
    switch (random() % 4) {
      case 0:
      case 1:
        if (at == pair.model.end()) {
          REQUIRE(pair.insert(index, random() % 1000));
        } else if (random() % 2 == 0) {
          pair.erase(index);
        }
        break;
      case 2:
        if (at != pair.model.end()) {
          pair.set_tag(index, kTags[random() % 2], random() % 3 != 0);
        }
        break;
      default:
        if (at != pair.model.end()) {
          at->second.frame = random() % 1000;
          pair.tree.replace(index, Pfn(at->second.frame));
        } else {
          REQUIRE(pair.tree.find(index) == kNoPage);
        }
    }
    if (step % 100 == 0) {
      pair.check_same();
    }
  }
  pair.check_same();
}

TEST_CASE("page tree: a single first page needs no node, and an emptied tree has none") {
  Machine machine;
  const uint32_t before = nodes_in_use(machine);
  TreePair pair(machine);
  REQUIRE(pair.insert(0, 5));
  pair.set_tag(0, PageTag::kDirty, true);
  CHECK(nodes_in_use(machine) == before);
  REQUIRE(pair.insert(63, 6));
  CHECK(nodes_in_use(machine) == before + 1);
  REQUIRE(pair.insert(64, 7));
  CHECK(nodes_in_use(machine) == before + 3);
  REQUIRE(pair.insert(0xffffffffu, 8));
  pair.check_same();
  pair.erase(0xffffffffu);
  CHECK(nodes_in_use(machine) == before + 3);
  pair.erase(64);
  pair.erase(63);
  CHECK(nodes_in_use(machine) == before);
  CHECK(pair.tree.has_tag(0, PageTag::kDirty));
  pair.erase(0);
  CHECK(nodes_in_use(machine) == before);
  // An index that was high leaves nothing behind.
  REQUIRE(pair.insert(1000, 9));
  pair.erase(1000);
  CHECK(nodes_in_use(machine) == before);
}

TEST_CASE("page tree: whichever node cannot be made, an insertion changes nothing") {
  Machine machine;
  TreePair pair(machine);
  REQUIRE(pair.insert(3, 1));
  pair.set_tag(3, PageTag::kWriteback, true);
  const uint32_t before = nodes_in_use(machine);
  int failures = 0;
  for (uint32_t n = 1;; ++n) {
    REQUIRE(n < 50);
    machine.pages().fail_allocation(n);
    const bool done = pair.insert(0x80000000u, 2);
    machine.pages().fail_allocation(0);
    pair.check_same();
    if (done) {
      break;
    }
    ++failures;
    CHECK(nodes_in_use(machine) == before);
  }
  CHECK(failures > 0);
  CHECK(pair.tree.insert(uint64_t{1} << 32, Pfn(1)).error() == Errno::kEFBIG);
}

TEST_CASE("page tree: storing a page twice, or losing one that is not there, is an internal error") {
  Machine machine;
  TreePair pair(machine);
  REQUIRE(pair.insert(70, 1));
  CHECK(fl::test::message_of_death([&] { (void)pair.tree.insert(70, Pfn(2)); }).find("there already") !=
        std::string::npos);
  CHECK(fl::test::message_of_death([&] { pair.tree.erase(71); }).find("not in the tree") != std::string::npos);
}

}  // namespace fl::vm::test
