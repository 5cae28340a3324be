// The memory limit: what is charged, what happens when it is reached, and by which counters reclaim decides.
#include "vm/reclaim/mem_cgroup.hpp"

#include <catch2/catch_test_macros.hpp>

#include "tests/unit/vm/memory_swap_store.hpp"
#include "tests/unit/vm/vm_machine.hpp"
#include "vm/reclaim/lru.hpp"
#include "vm/reclaim/page_reclaim.hpp"
#include "vm/swap/swap_space.hpp"

namespace fl::vm::test {
namespace {

constexpr uint32_t kBase = 0x10000000;
constexpr uint32_t kLimit = 256;

struct LimitedMachine : Machine {
  explicit LimitedMachine(uint32_t swap_pages = 1024, const KernelProfile& profile = KernelProfile::compat_6_18())
      : Machine(2048, profile) {
    if (swap_pages != 0) {
      FL_CHECK(memory().swap().swapon(std::make_shared<MemorySwapStore>(swap_pages), "/swap", std::nullopt));
    }
    FL_CHECK(memory().set_memory_limit(kLimit));
  }
  ~LimitedMachine() { drop_space(); }
  MemCgroup& group() { return *memory().memcg(); }
  uint64_t charged() { return group().usage() - group().stock(); }
  uint64_t listed(LruList list) { return group().lruvec(0).size(list); }
};

void fill(Machine& machine, VirtAddr at, uint32_t pages) {
  for (uint32_t page = 0; page < pages; ++page) {
    machine.store(at + bytes_of(page), page + 7);
  }
}
void check_filled(Machine& machine, VirtAddr at, uint32_t pages) {
  for (uint32_t page = 0; page < pages; ++page) {
    REQUIRE(machine.load(at + bytes_of(page)) == page + 7);
  }
}

struct CountingKiller final : OomKiller {
  Action out_of_memory(Gfp, uint32_t) override { return Action::kFail; }
  Action memcg_out_of_memory(Gfp, uint32_t) override {
    ++asked;
    return answer;
  }
  int asked = 0;
  Action answer = Action::kFail;
};

}  // namespace

TEST_CASE("memory limit: a program larger than it keeps its data in swap, and the rest of memory is free") {
  for (const KernelProfile* profile : {&KernelProfile::i386_6_1(), &KernelProfile::compat_6_18()}) {
    LimitedMachine machine(1024, *profile);
    const uint32_t free = machine.pages().free_frames();
    const VirtAddr at = machine.map_anon(kBase, 600);
    fill(machine, at, 600);
    CHECK(machine.group().usage() <= kLimit);
    CHECK(machine.group().max_usage() == kLimit);
    CHECK(machine.group().failcnt() > 0);
    CHECK(machine.mm().use().swap_entries >= 600 - kLimit);
    CHECK(free - machine.pages().free_frames() < kLimit + 64);
    CHECK(machine.problems().empty());
    check_filled(machine, at, 600);
    CHECK(machine.group().max_usage() == kLimit);
    CHECK(machine.problems().empty());
  }
}

TEST_CASE("memory limit: charged are pages of processes and their page tables, in batches, until they are free") {
  LimitedMachine machine;
  CHECK(machine.group().usage() == 0);
  const VirtAddr at = machine.map_anon(kBase, 10);
  fill(machine, at, 10);
  // Ten pages and a page table, of 64 that were charged at once.
  CHECK(machine.charged() == 11);
  CHECK(machine.group().usage() == 64);
  CHECK(machine.listed(LruList::kInactiveAnon) == 10);
  CHECK(machine.pages().nodes()[0].lruvec.size(LruList::kInactiveAnon) == 0);
  CHECK(machine.problems().empty());
  REQUIRE(machine.mm().munmap(at, bytes_of(10)));
  CHECK(machine.charged() == 0);
  CHECK(machine.listed(LruList::kInactiveAnon) == 0);
}

TEST_CASE("memory limit: pages of a file are charged when they are read again, not before") {
  LimitedMachine machine;
  const TestFile file = machine.new_file(40);
  const VirtAddr at = machine.map(kBase, 40, kRead, MapFlag::kPrivate, file.file);
  for (uint32_t page = 0; page < 40; ++page) {
    machine.load(at + bytes_of(page));
  }
  CHECK(machine.charged() == 1);  // the page table
  CHECK(machine.listed(LruList::kInactiveFile) == 0);
  machine.memory().faulted_pages().clear();
  while (machine.memory().reclaim().try_to_free_pages(kGfpHighUserMovable, 0, ZoneType::kMovable) != 0) {
  }
  machine.load(at);
  CHECK(machine.charged() > 1);
  CHECK(machine.listed(LruList::kInactiveFile) + machine.listed(LruList::kActiveFile) == machine.charged() - 1);
  CHECK(machine.problems().empty());
}

TEST_CASE("memory limit: without swap a charge fails when nobody can be killed, and goes beyond for who is to die") {
  LimitedMachine machine(0);
  CountingKiller killer;
  machine.memory().pages().set_oom_killer(&killer);
  const VirtAddr at = machine.map_anon(kBase, 600);
  uint32_t page = 0;
  while (!machine.touch(at + bytes_of(page), mmu::Access::kWrite).refused) {
    ++page;
  }
  CHECK(killer.asked == 1);
  CHECK(page == kLimit - 1);  // and a page table
  CHECK(machine.group().usage() == kLimit);
  killer.answer = OomKiller::Action::kUseReserve;
  CHECK(!machine.touch(at + bytes_of(page), mmu::Access::kWrite).refused);
  CHECK(machine.group().usage() == kLimit + 1);
  CHECK(machine.problems().empty());
  machine.memory().pages().set_oom_killer(nullptr);
}

TEST_CASE("memory limit: 6.18 activates refaults only by counters that were flushed, 6.1 by those of now") {
  const auto activated_after = [](const KernelProfile& profile, bool flush) {
    LimitedMachine machine(4096, profile);
    const VirtAddr hot = machine.map_anon(kBase, 60);
    const VirtAddr at = machine.map_anon(kBase + bytes_of(1024), 600);
    // Some pages are always in use: the active list, which distances are compared with.
    for (uint32_t page = 0; page < 600; ++page) {
      machine.store(at + bytes_of(page), page);
      if (page % 8 == 0) {
        fill(machine, hot, 60);
      }
    }
    CHECK(machine.listed(LruList::kActiveAnon) >= 40);
    if (flush) {
      machine.group().flush_stats();
    }
    const auto before = machine.pages().nodes()[0].stat[NodeStat::kWorkingsetActivateAnon];
    // Backwards: the first that are not there have just gone.
    for (uint32_t page = 600; page-- > 300;) {
      machine.load(at + bytes_of(page));
    }
    return machine.pages().nodes()[0].stat[NodeStat::kWorkingsetActivateAnon] - before;
  };
  CHECK(activated_after(KernelProfile::compat_6_18(), false) == 0);
  CHECK(activated_after(KernelProfile::compat_6_18(), true) > 0);
  CHECK(activated_after(KernelProfile::i386_6_1(), false) > 0);
}

TEST_CASE("memory limit: a flush comes every two seconds") {
  LimitedMachine machine;
  const VirtAddr at = machine.map_anon(kBase, 30);
  fill(machine, at, 30);
  constexpr uint64_t kSecond = 1'000'000'000;
  machine.group().tick(kSecond);
  machine.group().tick(2 * kSecond);
  CHECK(machine.group().flushed(0)[LruList::kInactiveAnon] == 0);
  machine.group().tick(3 * kSecond);
  CHECK(machine.group().flushed(0)[LruList::kInactiveAnon] == 30);
}

}  // namespace fl::vm::test
