// A machine whose swap is on a disk that takes time, which passes when the test says so.
#pragma once

#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <memory>

#include "tests/unit/vm/memory_swap_store.hpp"
#include "tests/unit/vm/vm_machine.hpp"
#include "vm/reclaim/page_reclaim.hpp"
#include "vm/swap/swap_cache.hpp"
#include "vm/swap/swap_space.hpp"

namespace fl::vm::test {

inline constexpr int kPageOut = 21;

class TestIoClock final : public IoClock {
 public:
  uint64_t now_ns() const override { return now; }
  uint64_t now = 1'000'000;
};

// Swap on a disk that takes 100 us for a request and 8 us for a page.
struct SlowSwapMachine : Machine {
  static constexpr uint32_t kBase = 0x10000000;

  explicit SlowSwapMachine(uint32_t frames = 256) : Machine(frames), store(std::make_shared<MemorySwapStore>(4096)) {
    memory().disk().start(DiskModel::ssd(), &clock);
    FL_CHECK(memory().swap().swapon(store, "/swap", std::nullopt));
  }
  ~SlowSwapMachine() { drop_space(); }

  VirtAddr filled(uint32_t pages_) {
    const VirtAddr at = map_anon(kBase, pages_);
    for (uint32_t page = 0; page < pages_; ++page) {
      store_word(at, page);
    }
    memory().faulted_pages().clear();
    return at;
  }
  void store_word(VirtAddr at, uint32_t page) { this->Machine::store(at + bytes_of(page), page + 1); }
  void page_out(VirtAddr at, uint32_t pages_) { REQUIRE(mm().madvise(at, bytes_of(pages_), kPageOut, task)); }
  Page& cached(uint32_t slot) { return memory().page(Pfn(memory().swap_cache().find({0, slot}))); }
  uint32_t under_writeback() {
    uint32_t count = 0;
    for (uint32_t slot = 1; slot < 4096; ++slot) {
      const uint32_t frame = memory().swap_cache().find({0, slot});
      count += frame != kNoPage && memory().page(Pfn(frame)).has(PageFlag::kWriteback) ? 1 : 0;
    }
    return count;
  }
  // The task has slept as long as it was to.
  void wait() { clock.now = std::max(clock.now, memory().disk().take_wait()); }
  Pageout& pageout() { return memory().reclaim().pageout(); }

  TestIoClock clock;
  std::shared_ptr<MemorySwapStore> store;
};

}  // namespace fl::vm::test
