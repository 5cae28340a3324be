// Which cluster of a swap area comes next.
#include "vm/swap/swap_clusters.hpp"

#include <catch2/catch_test_macros.hpp>
#include <vector>

#include "tests/unit/vm/memory_swap_store.hpp"
#include "tests/unit/vm/vm_machine.hpp"
#include "vm/swap/swap_space.hpp"

namespace fl::vm::test {
namespace {

constexpr uint32_t kSlots = SwapClusters::kSlots;

struct ClusterMachine : Machine {
  explicit ClusterMachine(uint32_t pages) : Machine(512, KernelProfile::compat_6_18()) {
    FL_CHECK(swap().swapon(std::make_shared<MemorySwapStore>(pages), "/swap", std::nullopt));
    swap().set_user(nullptr);  // slots here have no pages
  }
  SwapSpace& swap() { return memory().swap(); }
  uint32_t take() {
    const auto entry = swap().get_swap_page();
    REQUIRE(entry);
    return entry->offset;
  }
  // Gives back what take() gave.
  void give(uint32_t offset) { swap().swapcache_free({0, offset}); }
};

}  // namespace

TEST_CASE("swap clusters: first those with the header and the end of the area, which are not wholly free") {
  ClusterMachine machine(3 * kSlots + 100);
  const auto takes_all = [&machine](uint32_t first, uint32_t end) {
    for (uint32_t offset = first; offset < end; ++offset) {
      REQUIRE(machine.take() == offset);
    }
  };
  takes_all(1, kSlots);
  takes_all(3 * kSlots, 3 * kSlots + 100);
  takes_all(kSlots, 3 * kSlots);
  CHECK(!machine.swap().get_swap_page());
}

TEST_CASE("swap clusters: one with freed slots comes before a free one, and is searched from its start") {
  ClusterMachine machine(4 * kSlots);
  for (uint32_t offset = 1; offset < kSlots; ++offset) {
    machine.take();
  }
  machine.give(300);
  machine.give(20);
  CHECK(machine.take() == 20);
  // Now the search goes on behind it; what is freed before is not seen, and the cluster has been searched in vain.
  machine.give(10);
  CHECK(machine.take() == 300);
  CHECK(machine.take() == kSlots);
}

TEST_CASE("swap clusters: a cluster that is wholly free again goes behind the other free ones") {
  ClusterMachine machine(4 * kSlots);
  for (uint32_t offset = 1; offset < 2 * kSlots; ++offset) {
    machine.take();
  }
  for (uint32_t offset = kSlots; offset < 2 * kSlots; ++offset) {
    machine.give(offset);
  }
  CHECK(machine.take() == 2 * kSlots);
}

TEST_CASE("swap clusters: when no other is left, those searched in vain serve") {
  ClusterMachine machine(2 * kSlots);
  std::vector<uint32_t> taken;
  while (const auto entry = machine.swap().get_swap_page()) {
    taken.push_back(entry->offset);
  }
  CHECK(taken.size() == 2 * kSlots - 1);
  for (const uint32_t offset : {700u, 5u, 600u}) {
    machine.give(offset);
  }
  CHECK(machine.take() == 600);
  CHECK(machine.take() == 700);
  CHECK(machine.take() == 5);
  CHECK(!machine.swap().get_swap_page());
}

}  // namespace fl::vm::test
