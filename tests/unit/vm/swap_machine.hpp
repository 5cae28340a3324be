// A small machine with swap areas in host memory, and a swap cache that has nothing in it but what the test says.
#pragma once

#include <catch2/catch_test_macros.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "tests/unit/vm/memory_swap_store.hpp"
#include "tests/unit/vm/vm_machine.hpp"
#include "vm/swap/swap_space.hpp"

namespace fl::vm::test {

class SwapAreaMachine : public Machine {
 public:
  // Nobody uses the areas but the test.
  explicit SwapAreaMachine(uint32_t frames = 1024) : Machine(frames) { memory().swap().set_user(nullptr); }
  SwapSpace& swap() { return memory().swap(); }
  // A new area of so many pages, the header with them.
  uint32_t add(uint32_t pages, std::optional<int> prio = std::nullopt) {
    stores.push_back(std::make_shared<MemorySwapStore>(pages, stores.size() + 1));
    return swap().swapon(stores.back(), "/dev/swap", prio).value();
  }
  SwapEntry take() { return swap().get_swap_page().value(); }
  // As a page that was swapped out: `holders` entries, not in the swap cache.
  SwapEntry take_held(uint32_t holders) {
    const SwapEntry entry = take();
    for (uint32_t i = 0; i < holders; ++i) {
      REQUIRE(swap().swap_duplicate(entry));
    }
    swap().swapcache_free(entry);
    return entry;
  }
  // What is wrong beside that slots are held by a test, and not by entries (invariant 9).
  std::vector<std::string> other_problems() {
    std::vector<std::string> lines = problems();
    std::erase_if(lines, [](const std::string& line) { return line.starts_with("invariant 9:"); });
    return lines;
  }
  std::vector<int> priorities() {
    std::vector<int> all;
    swap().for_each_area([&](const SwapArea& area) { all.push_back(area.prio); });
    return all;
  }

  std::vector<std::shared_ptr<MemorySwapStore>> stores;
};

// A swap cache that has nothing in it but what the test says.
class FakeUser final : public SwapUser {
 public:
  explicit FakeUser(SwapSpace& swap) : swap_(swap) {}
  Status try_to_unuse(uint32_t type) override {
    if (stop) {
      return fail(*stop);
    }
    for (uint32_t offset = swap_.next_used(type, 0); offset != 0 && bring_in; offset = swap_.next_used(type, offset)) {
      const SwapEntry entry{type, offset};
      if (swap_.has_cache(entry)) {
        swap_.swapcache_free(entry);
      }
      while (swap_.swap_count(entry) != 0) {
        swap_.swap_free(entry);
      }
    }
    return {};
  }
  bool try_to_reclaim_swap(SwapEntry entry, SwapReclaim when) override {
    asked.push_back({entry, when});
    if (reclaim) {
      swap_.swapcache_free(entry);
    }
    return reclaim;
  }
  void clear_shadow(SwapEntry) override { ++freed; }

  std::optional<Errno> stop;
  bool bring_in = true;
  bool reclaim = false;
  std::vector<std::pair<SwapEntry, SwapReclaim>> asked;
  uint32_t freed = 0;

 private:
  SwapSpace& swap_;
};

}  // namespace fl::vm::test
