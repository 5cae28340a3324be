// Swap areas: adding and removing them, priorities, errors of the disk.
#include <array>
#include <catch2/catch_test_macros.hpp>

#include "tests/unit/vm/swap_machine.hpp"

namespace fl::vm::test {

TEST_CASE("swap: areas of the highest priority come first, equal ones take turns, the others in order") {
  SwapAreaMachine machine;
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
  SwapAreaMachine machine;
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
  SwapAreaMachine machine;
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
  SwapAreaMachine machine;
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
  SwapAreaMachine machine;
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
  SwapAreaMachine machine;
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
  SwapAreaMachine machine;
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
  SwapAreaMachine machine;
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

}  // namespace fl::vm::test
