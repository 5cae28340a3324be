// Swap areas: entries, slots and their counts, priorities, errors of the disk, swapoff.
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <map>
#include <random>

#include "tests/unit/vm/dies.hpp"
#include "tests/unit/vm/memory_swap_store.hpp"
#include "tests/unit/vm/vm_machine.hpp"
#include "vm/swap/swap_space.hpp"

namespace fl::vm::test {
namespace {

class SwapMachine : public Machine {
 public:
  explicit SwapMachine(uint32_t frames = 1024) : Machine(frames) {}
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

}  // namespace

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
  SwapMachine machine;
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
  SwapMachine machine;
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
  SwapMachine machine;
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
  SwapMachine machine;
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
  SwapMachine machine;
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

TEST_CASE("swap: areas of the highest priority come first, equal ones take turns, the others in order") {
  SwapMachine machine;
  SwapSpace& swap = machine.swap();
  const uint32_t none = machine.add(11);
  const uint32_t low = machine.add(11, 1);
  const uint32_t a = machine.add(11, 5);
  const uint32_t b = machine.add(11, 5);
  const uint32_t last = machine.add(11);
  CHECK(machine.priorities() == std::vector<int>{-2, 1, 5, 5, -3});
  std::vector<uint32_t> order;
  for (int i = 0; i < 20; ++i) {
    order.push_back(machine.take().type);
  }
  for (size_t i = 0; i < order.size(); ++i) {
    CHECK(order[i] == (i % 2 == 0 ? a : b));
  }
  for (const uint32_t type : {low, none, last}) {
    for (int i = 0; i < 10; ++i) {
      CHECK(machine.take().type == type);
    }
  }
  CHECK(swap.get_swap_page().error() == Errno::kENOSPC);
  // A slot that is free again is taken before those of lower priority.
  swap.swapcache_free({last, 3});
  swap.swapcache_free({b, 3});
  CHECK(machine.take() == SwapEntry{b, 3});
  CHECK(machine.take() == SwapEntry{last, 3});
}

TEST_CASE("swap: when an area goes, those without a priority behind it move up") {
  SwapMachine machine;
  for (int i = 0; i < 3; ++i) {
    machine.add(11);
  }
  machine.add(11, 0);
  CHECK(machine.priorities() == std::vector<int>{-2, -3, -4, 0});
  CHECK(machine.swap().swapoff(1));
  CHECK(machine.priorities() == std::vector<int>{-2, -3, 0});
  CHECK(machine.swap().total_swap_pages() == 30);
  // The type is free again.
  CHECK(machine.add(6) == 1);
  CHECK(machine.priorities() == std::vector<int>{-2, -4, -3, 0});
  CHECK(machine.swap().swapoff(3));
  CHECK(machine.priorities() == std::vector<int>{-2, -4, -3});
  CHECK(machine.swap().swapoff(3).error() == Errno::kEINVAL);
  CHECK(machine.swap().swapoff(kMaxSwapFiles).error() == Errno::kEINVAL);
}

TEST_CASE("swap: an area is added once, and 28 at most; what fails leaves nothing behind") {
  SwapMachine machine;
  SwapSpace& swap = machine.swap();
  machine.add(11);
  CHECK(swap.swapon(machine.stores[0], "again", {}).error() == Errno::kEBUSY);
  const auto no_header = std::make_shared<MemorySwapStore>(11, 100);
  no_header->page(0)[4090] = std::byte{0};
  CHECK(swap.swapon(no_header, "no header", {}).error() == Errno::kEINVAL);
  const auto unreadable = std::make_shared<MemorySwapStore>(11, 101);
  unreadable->bad_reads.insert(0);
  CHECK(swap.swapon(unreadable, "unreadable", {}).error() == Errno::kEIO);
  const uint32_t free = machine.free_or_slab_frames();
  const uint32_t objects = objects_in_use(machine.memory(), "");
  const auto store = std::make_shared<MemorySwapStore>(20001, 102);
  int failures = 0;
  for (uint32_t n = 1;; ++n) {
    REQUIRE(n < 50);
    machine.pages().fail_allocation(n);
    const auto done = swap.swapon(store, "a name that is long enough not to stand in the string itself", {});
    machine.pages().fail_allocation(0);
    if (done) {
      break;
    }
    ++failures;
    CHECK(done.error() == Errno::kENOMEM);
    CHECK(machine.free_or_slab_frames() == free);
    CHECK(objects_in_use(machine.memory(), "") == objects);
  }
  CHECK(failures >= 5);
  CHECK(swap.swapoff(1));
  CHECK(machine.free_or_slab_frames() == free);
  CHECK(objects_in_use(machine.memory(), "") == objects);
  for (uint32_t type = 1; type < kMaxSwapFiles; ++type) {
    CHECK(machine.add(3) == type);
  }
  CHECK(swap.swapon(std::make_shared<MemorySwapStore>(3, 103), "one too many", {}).error() == Errno::kEPERM);
}

TEST_CASE("swap: pages are written and read where their entries say, and counted") {
  SwapMachine machine;
  machine.add(11);
  SwapSpace& swap = machine.swap();
  std::array<std::byte, 4096> page;
  const SwapEntry a = machine.take(), b = machine.take();
  page.fill(std::byte{0xaa});
  CHECK(swap.write_page(a, page));
  page.fill(std::byte{0xbb});
  CHECK(swap.write_page(b, page));
  CHECK(swap.read_page(a, page));
  CHECK(std::all_of(page.begin(), page.end(), [](std::byte byte) { return byte == std::byte{0xaa}; }));
  CHECK(machine.stores[0]->page(b.offset)[5] == std::byte{0xbb});
  CHECK(machine.pages().events()[VmEvent::kPswpin] == 1);
  CHECK(machine.pages().events()[VmEvent::kPswpout] == 2);
  CHECK(machine.pages().events()[VmEvent::kPgpgin] == 4);
  CHECK(machine.pages().events()[VmEvent::kPgpgout] == 8);
}

TEST_CASE("swap: a slot that cannot be written or read is not used again once it is free") {
  SwapMachine machine;
  machine.add(6);
  SwapSpace& swap = machine.swap();
  std::array<std::byte, 4096> page{};
  machine.stores[0]->bad_writes.insert(2);
  machine.stores[0]->bad_reads.insert(4);
  std::vector<SwapEntry> entries;
  for (int i = 0; i < 5; ++i) {
    entries.push_back(machine.take_held(1));
    const bool written = swap.write_page(entries.back(), page).has_value();
    CHECK(written == (entries.back().offset != 2));
    const auto read = swap.read_page(entries.back(), page);
    CHECK(read.has_value() == (entries.back().offset != 4));
  }
  // It is in use as before.
  CHECK(swap.swap_count({0, 2}) == 1);
  CHECK(swap.total_swap_pages() == 5);
  for (const SwapEntry entry : entries) {
    swap.swap_free(entry);
  }
  CHECK(swap.total_swap_pages() == 3);
  CHECK(swap.nr_swap_pages() == 3);
  CHECK(swap.swapcache_prepare({0, 2}).error() == Errno::kENOENT);
  CHECK(swap.swap_count({0, 2}) == 0);
  CHECK_FALSE(swap.has_cache({0, 2}));
  std::vector<uint32_t> offsets;
  while (const auto entry = swap.get_swap_page()) {
    offsets.push_back(entry->offset);
  }
  std::sort(offsets.begin(), offsets.end());
  CHECK(offsets == std::vector<uint32_t>{1, 3, 5});
  for (const uint32_t offset : offsets) {
    swap.swapcache_free({0, offset});
  }
  CHECK(swap.swapoff(0));
  CHECK(swap.total_swap_pages() == 0);
  CHECK(swap.nr_swap_pages() == 0);
}

TEST_CASE("swap: a store that shrinks gives errors of the slots that went, and nothing else") {
  SwapMachine machine;
  machine.add(11);
  std::array<std::byte, 4096> page{};
  const SwapEntry near = machine.take();
  SwapEntry far = near;
  while (far.offset < 8) {
    far = machine.take();
  }
  REQUIRE(machine.swap().write_page(far, page));
  machine.stores[0]->bytes.resize(size_t{4096} * 5);
  CHECK(machine.swap().read_page(far, page).error() == Errno::kEIO);
  CHECK(machine.swap().write_page(far, page).error() == Errno::kEIO);
  CHECK(machine.swap().write_page(near, page));
}

TEST_CASE("swapoff: an area is not removed while a slot is in use") {
  SwapMachine machine;
  SwapSpace& swap = machine.swap();
  machine.add(11, 7);
  machine.add(11);
  const SwapEntry entry = machine.take_held(3);
  REQUIRE(entry.type == 0);
  // Nobody brings it in.
  CHECK(swap.swapoff(0).error() == Errno::kEBUSY);
  CHECK(swap.area(0)->prio == 7);
  CHECK(swap.nr_swap_pages() == 19);
  CHECK(swap.total_swap_pages() == 20);
  FakeUser user(swap);
  swap.set_user(&user);
  user.stop = Errno::kENOMEM;
  CHECK(swap.swapoff(0).error() == Errno::kENOMEM);
  CHECK(swap.nr_swap_pages() == 19);
  user.stop.reset();
  user.bring_in = false;
  CHECK(swap.swapoff(0).error() == Errno::kEBUSY);
  CHECK(swap.swap_count(entry) == 3);
  user.bring_in = true;
  CHECK(swap.swapoff(0));
  CHECK(user.freed == 1);
  CHECK(swap.area(0) == nullptr);
  CHECK(swap.total_swap_pages() == 10);
  CHECK(swap.nr_swap_pages() == 10);
  swap.set_user(nullptr);
}

TEST_CASE("swapoff: while it brings pages in, the totals are Linux's and a lost slot is counted once") {
  SwapMachine machine;
  SwapSpace& swap = machine.swap();
  machine.add(11);
  std::array<std::byte, 4096> page{};
  machine.stores[0]->bad_reads.insert(2);
  std::vector<SwapEntry> entries;
  for (int i = 0; i < 4; ++i) {
    entries.push_back(machine.take_held(1));
    (void)swap.read_page(entries.back(), page);
  }
  // A user that frees two, one of them bad, and then gives up.
  struct Half final : SwapUser {
    explicit Half(SwapSpace& space) : swap(space) {}
    Status try_to_unuse(uint32_t) override {
      CHECK(swap.total_swap_pages() == 4);
      CHECK(swap.free_swap_pages() == 0);
      CHECK(swap.get_swap_page().error() == Errno::kENOSPC);
      swap.swap_free({0, 2});
      swap.swap_free({0, 3});
      return fail(Errno::kEINTR);
    }
    bool try_to_reclaim_swap(SwapEntry, SwapReclaim) override { return false; }
    SwapSpace& swap;
  } half(swap);
  swap.set_user(&half);
  CHECK(swap.swapoff(0).error() == Errno::kEINTR);
  swap.set_user(nullptr);
  CHECK(swap.total_swap_pages() == 9);
  CHECK(swap.nr_swap_pages() == 7);
  CHECK(swap.free_swap_pages() == 7);
}

TEST_CASE("swap: a slot that only the swap cache holds is asked back, when its last holder goes or swap is full") {
  SwapMachine machine;
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
    SwapMachine machine;
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
    CHECK(machine.problems().empty());
  }
}

TEST_CASE("swap: freeing a slot twice, or using one that is free, is an internal error") {
  SwapMachine machine;
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
