// Swap slots: entries, who holds a slot, the order in which they are given out, and a naive model.
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <map>
#include <random>

#include "tests/unit/vm/dies.hpp"
#include "tests/unit/vm/swap_machine.hpp"

namespace fl::vm::test {

TEST_CASE("swap entry: in a page-table entry it is neither empty nor present, and comes back whole") {
  for (const uint32_t type : {0u, 1u, kMaxSwapFiles - 1}) {
    for (const uint32_t offset : {1u, 2u, 0x1234u, kMaxSwapFilePages - 1}) {
      const SwapEntry entry{type, offset};
      const mmu::Pte pte = swp_entry_to_pte(entry);
      CHECK(pte.swap());
      CHECK(pte_to_swp_entry(pte) == entry);
      CHECK_FALSE(pte_swp_exclusive(pte));
      const mmu::Pte exclusive = pte_swp_mkexclusive(pte);
      CHECK(exclusive.swap());
      CHECK(pte_swp_exclusive(exclusive));
      CHECK(pte_to_swp_entry(exclusive) == entry);
      CHECK(pte_swp_clear_exclusive(exclusive) == pte);
      CHECK(SwapEntry::from_raw(entry.raw()) == entry);
      CHECK(entry.raw() < 1u << 31);
    }
  }
  // Bits 1-5 and from 9 on.
  CHECK(swp_entry_to_pte({3, 5}).raw() == (5u << 9 | 3u << 1));
}

TEST_CASE("swap: slots go out in order, are counted, and come back with their last holder") {
  SwapAreaMachine machine;
  SwapSpace& swap = machine.swap();
  CHECK(swap.total_swap_pages() == 0);
  CHECK(swap.get_swap_page().error() == Errno::kENOSPC);
  machine.add(101);
  CHECK(swap.total_swap_pages() == 100);
  CHECK(swap.nr_swap_pages() == 100);
  const SwapEntry first = machine.take();
  CHECK(first == SwapEntry{0, 1});
  CHECK(machine.take() == SwapEntry{0, 2});
  CHECK(swap.nr_swap_pages() == 98);
  CHECK(swap.has_cache(first));
  CHECK(swap.swap_count(first) == 0);
  CHECK(swap.swap_duplicate(first));
  CHECK(swap.swap_duplicate(first));
  CHECK(swap.swap_count(first) == 2);
  CHECK(swap.swapcache_prepare(first).error() == Errno::kEEXIST);
  swap.swapcache_free(first);
  CHECK(swap.swap_count(first) == 2);
  swap.swap_free(first);
  CHECK(swap.swapcache_prepare(first));
  swap.swap_free(first);
  CHECK(swap.nr_swap_pages() == 98);
  swap.swapcache_free(first);
  CHECK(swap.nr_swap_pages() == 99);
  CHECK(swap.swapcache_prepare(first).error() == Errno::kENOENT);
  CHECK(swap.swapcache_prepare({0, 0}).error() == Errno::kENOENT);
  CHECK(swap.swapcache_prepare({0, 101}).error() == Errno::kEINVAL);
  CHECK(swap.swapcache_prepare({1, 1}).error() == Errno::kEINVAL);
  CHECK(swap.swap_count({1, 1}) == 0);
  // The search goes on behind the last slot and comes back to the start when the end is reached.
  CHECK(machine.take() == SwapEntry{0, 3});
  for (uint32_t offset = 4; offset <= 100; ++offset) {
    CHECK(machine.take().offset == offset);
  }
  CHECK(machine.take() == first);
  CHECK(swap.get_swap_page().error() == Errno::kENOSPC);
  CHECK(swap.nr_swap_pages() == 0);
  swap.swapcache_free({0, 50});
  CHECK(machine.take() == SwapEntry{0, 50});
}

TEST_CASE("swap: a slot of shared memory has one holder") {
  SwapAreaMachine machine;
  machine.add(10);
  const SwapEntry entry = machine.take();
  machine.swap().swap_shmem_alloc(entry);
  CHECK(machine.swap().swap_count(entry) == 1);
  CHECK(machine.swap().has_cache(entry));
  machine.swap().swapcache_free(entry);
  CHECK(machine.swap().swapcache_prepare(entry));
  machine.swap().swap_free(entry);
  CHECK(machine.swap().swap_count(entry) == 0);
  machine.swap().swapcache_free(entry);
  CHECK(machine.swap().nr_swap_pages() == 9);
}

TEST_CASE("swap: after each 256 slots a new cluster is looked for, from the start") {
  SwapAreaMachine machine;
  machine.add(2001);
  for (uint32_t offset = 1; offset <= 256; ++offset) {
    REQUIRE(machine.take().offset == offset);
  }
  // The first whole free cluster: 257. What is free before it is not taken.
  machine.swap().swapcache_free({0, 7});
  for (uint32_t offset = 257; offset <= 512; ++offset) {
    REQUIRE(machine.take().offset == offset);
  }
  // A whole cluster is free at the start now.
  for (uint32_t offset = 1; offset <= 300; ++offset) {
    if (offset != 7) {
      machine.swap().swapcache_free({0, offset});
    }
  }
  CHECK(machine.take().offset == 1);
}

TEST_CASE("swap: a count larger than a byte holds goes on elsewhere and comes back") {
  SwapAreaMachine machine;
  machine.add(10);
  SwapSpace& swap = machine.swap();
  const uint32_t objects = objects_in_use(machine.memory(), "");
  const SwapEntry entry = machine.take();
  for (uint32_t count = 1; count <= 500; ++count) {
    REQUIRE(swap.swap_duplicate(entry));
    REQUIRE(swap.swap_count(entry) == count);
    REQUIRE(swap.has_cache(entry));
  }
  CHECK(objects_in_use(machine.memory(), "") == objects + 1);
  swap.swapcache_free(entry);
  for (uint32_t count = 500; count > 0; --count) {
    REQUIRE(swap.swap_count(entry) == count);
    swap.swap_free(entry);
  }
  CHECK(swap.nr_swap_pages() == 9);
  CHECK(objects_in_use(machine.memory(), "") == objects);
}

TEST_CASE("swap: without memory for a large count a copy fails and nothing changes") {
  SwapAreaMachine machine;
  machine.add(10);
  SwapSpace& swap = machine.swap();
  const SwapEntry entry = machine.take_held(62);
  // All that kmalloc still has of that size, and every page.
  std::vector<void*> taken;
  for (void* object = nullptr; (object = machine.memory().slab().kmalloc(40, kGfpAtomic)) != nullptr;) {
    taken.push_back(object);
  }
  CHECK(swap.swap_duplicate(entry).error() == Errno::kENOMEM);
  CHECK(swap.swap_count(entry) == 62);
  CHECK(swap.add_swap_count_continuation(entry, kGfpAtomic).error() == Errno::kENOMEM);
  for (void* object : taken) {
    machine.memory().slab().kfree(object);
  }
  CHECK(swap.add_swap_count_continuation(entry, kGfpKernel));
  CHECK(swap.swap_count(entry) == 62);
  CHECK(swap.swap_duplicate(entry));
  CHECK(swap.swap_count(entry) == 63);
}

TEST_CASE("swap: a slot that only the swap cache holds is asked back, when its last holder goes or swap is full") {
  SwapAreaMachine machine;
  SwapSpace& swap = machine.swap();
  FakeUser user(swap);
  swap.set_user(&user);
  machine.add(11);
  const SwapEntry kept = machine.take();
  REQUIRE(swap.swap_duplicate(kept));
  swap.free_swap_and_cache(kept);
  REQUIRE(user.asked.size() == 1);
  CHECK(user.asked[0] == std::pair(kept, SwapReclaim::kUnmappedOrFull));
  CHECK(swap.has_cache(kept));
  // Held by nobody: no question.
  const SwapEntry held = machine.take_held(1);
  swap.free_swap_and_cache(held);
  CHECK(user.asked.size() == 1);
  CHECK(swap.nr_swap_pages() == 9);
  // More than half is used: slots of the swap cache that the search passes are asked back.
  while (swap.get_swap_page()) {
  }
  CHECK(user.asked.size() == 1);
  swap.swapcache_free({0, 3});
  swap.swapcache_free({0, 9});
  CHECK(machine.take() == SwapEntry{0, 3});
  CHECK(user.asked.size() == 1);
  user.reclaim = true;
  CHECK(machine.take() == SwapEntry{0, 4});
  REQUIRE(user.asked.size() == 2);
  CHECK(user.asked[1] == std::pair(SwapEntry{0, 4}, SwapReclaim::kAnyway));
  CHECK(swap.nr_swap_pages() == 1);
  user.reclaim = false;
  CHECK(machine.take() == SwapEntry{0, 9});
  CHECK(user.asked.size() == 6);
  swap.set_user(nullptr);
}

TEST_CASE("swap: any sequence of operations agrees with a naive model") {
  for (const uint32_t seed : {1u, 2u, 3u, 4u}) {
    SwapAreaMachine machine;
    SwapSpace& swap = machine.swap();
    std::mt19937 random(seed);
    struct Slot {
      uint32_t count = 0;
      bool cache = false, failed = false;
    };
    std::map<SwapEntry, Slot> model;
    machine.add(20 + seed * 150, 1);
    machine.add(30, 1);
    machine.add(15);
    int64_t total = static_cast<int64_t>(swap.total_swap_pages());
    std::array<std::byte, 4096> page{};
    const auto settle = [&](std::map<SwapEntry, Slot>::iterator at) {
      if (at->second.count == 0 && !at->second.cache) {
        total -= at->second.failed ? 1 : 0;
        model.erase(at);
      }
    };
    for (int step = 0; step < 20000; ++step) {
      auto at = model.begin();
      if (!model.empty()) {
        std::advance(at, random() % model.size());
      }
      switch (random() % (model.empty() ? 1 : 9)) {
        case 0:
        case 1:
          if (const auto entry = swap.get_swap_page(); entry) {
            REQUIRE(model.try_emplace(*entry, Slot{.count = 0, .cache = true}).second);
          } else {
            REQUIRE(static_cast<int64_t>(model.size()) == total);
          }
          break;
        case 2:
        case 3:
          for (uint32_t times = random() % 90 == 0 ? 100 : 1; times > 0; --times) {
            REQUIRE(swap.swap_duplicate(at->first));
            ++at->second.count;
          }
          break;
        case 4:
        case 5:
          for (uint32_t times = random() % 9 == 0 ? 100 : 1; times > 0 && at->second.count > 0; --times) {
            swap.swap_free(at->first);
            --at->second.count;
          }
          settle(at);
          break;
        case 6:
          REQUIRE(swap.swapcache_prepare(at->first).has_value() == !at->second.cache);
          at->second.cache = true;
          break;
        case 7:
          if (at->second.cache) {
            swap.swapcache_free(at->first);
            at->second.cache = false;
            settle(at);
          }
          break;
        case 8:
          if (random() % 40 == 0) {
            machine.stores[at->first.type]->bad_writes.insert(at->first.offset);
          }
          if (!swap.write_page(at->first, page)) {
            at->second.failed = true;
          }
          break;
      }
      if (step % 50 == 0) {
        std::map<SwapEntry, Slot> seen;
        for (uint32_t type = 0; type < 3; ++type) {
          uint32_t used = 0;
          swap.for_each_slot(type, [&](SwapEntry entry, uint32_t count, bool cache) {
            const auto expected = model.find(entry);
            REQUIRE(expected != model.end());
            REQUIRE(count == expected->second.count);
            REQUIRE(cache == expected->second.cache);
            seen[entry];
            ++used;
          });
          REQUIRE(swap.area(type)->inuse_pages() == used);
        }
        REQUIRE(seen.size() == model.size());
        REQUIRE(swap.nr_swap_pages() == total - static_cast<int64_t>(model.size()));
        REQUIRE(static_cast<int64_t>(swap.total_swap_pages()) == total);
      }
    }
    CHECK(machine.other_problems().empty());
  }
}

TEST_CASE("swap: freeing a slot twice, or using one that is free, is an internal error") {
  SwapAreaMachine machine;
  machine.add(11);
  SwapSpace& swap = machine.swap();
  const SwapEntry entry = machine.take();
  const auto dies = [](const std::function<void()>& run, const char* text) {
    return fl::test::message_of_death(run).find(text) != std::string::npos;
  };
  CHECK(dies([&] { swap.swap_free(entry); }, "once too often"));
  swap.swapcache_free(entry);
  CHECK(dies([&] { swap.swapcache_free(entry); }, "not in the swap cache"));
  CHECK(dies([&] { (void)swap.swap_duplicate(entry); }, "cannot be copied"));
  CHECK(dies([&] { (void)swap.swap_duplicate({1, 1}); }, "of no area"));
  std::array<std::byte, 4096> page{};
  CHECK(dies([&] { (void)swap.read_page(entry, page); }, "which is free"));
}

}  // namespace fl::vm::test
