// Reclaim, the swap cache and coming back: what leaves memory, in which order, and what a fault on it finds.
#include <catch2/catch_test_macros.hpp>

#include "tests/unit/vm/memory_swap_store.hpp"
#include "tests/unit/vm/vm_machine.hpp"
#include "vm/reclaim/lru.hpp"
#include "vm/reclaim/page_reclaim.hpp"
#include "vm/swap/swap_cache.hpp"
#include "vm/swap/swap_space.hpp"

namespace fl::vm::test {
namespace {

constexpr int kFree = 8, kCold = 20, kPageOut = 21;
constexpr uint32_t kBase = 0x10000000;

struct SwapMachine : Machine {
  explicit SwapMachine(uint32_t frames = 256, uint32_t swap_pages = 1024,
                       const KernelProfile& profile = KernelProfile::i386_6_1())
      : Machine(frames, profile), disk(std::make_shared<MemorySwapStore>(swap_pages)) {
    disk->rotates = false;
    FL_CHECK(memory().swap().swapon(disk, "/swap", std::nullopt));
  }
  ~SwapMachine() { drop_space(); }
  // The instruction that faulted is over.
  void page_out(VirtAddr at, uint32_t pages) {
    memory().faulted_pages().clear();
    REQUIRE(mm().madvise(at, bytes_of(pages), kPageOut, task));
  }
  // Until nothing more goes.
  void evict_all() {
    memory().faulted_pages().clear();
    // A page that was used, or is dirty, needs several looks: used once more, written, freed.
    for (int fruitless = 0; fruitless < 4;) {
      const bool freed = memory().reclaim().try_to_free_pages(kGfpHighUserMovable, 0, ZoneType::kMovable) != 0;
      fruitless = freed ? 0 : fruitless + 1;
    }
  }
  uint64_t listed(LruList list) { return Lru::size(pages().nodes()[0], list); }

  std::shared_ptr<MemorySwapStore> disk;
};

void fill(Machine& machine, VirtAddr at, uint32_t pages, uint32_t value) {
  for (uint32_t page = 0; page < pages; ++page) {
    machine.store(at + bytes_of(page), value + page);
  }
}
void check_filled(Machine& machine, VirtAddr at, uint32_t pages, uint32_t value) {
  for (uint32_t page = 0; page < pages; ++page) {
    REQUIRE(machine.load(at + bytes_of(page)) == value + page);
  }
}

}  // namespace

TEST_CASE("reclaim: a program larger than memory keeps its data in swap") {
  SwapMachine machine(192);
  const VirtAddr at = machine.map_anon(kBase, 600);
  fill(machine, at, 600, 1000);
  CHECK(machine.mm().use().swap_entries > 400);
  CHECK(machine.problems().empty());
  check_filled(machine, at, 600, 1000);
  // What was read ahead is in the swap cache when its turn comes.
  const auto caused = [&](FaultCause cause) { return machine.task.by_cause[static_cast<size_t>(cause)]; };
  CHECK(caused(FaultCause::kSwapIn) == machine.task.major);
  CHECK(caused(FaultCause::kSwapIn) > 50);
  CHECK(caused(FaultCause::kSwapIn) + caused(FaultCause::kSwapCache) > 400);
  CHECK(machine.problems().empty());
  // Backwards, writing.
  for (uint32_t page = 600; page-- > 0;) {
    machine.store(at + bytes_of(page), page);
  }
  check_filled(machine, at, 600, 0);
  CHECK(machine.problems().empty());
  REQUIRE(machine.mm().munmap(at, bytes_of(600)));
  CHECK(machine.memory().swap().free_swap_pages() == machine.memory().swap().total_swap_pages());
  CHECK(machine.problems().empty());
}

TEST_CASE("reclaim: pages that MADV_PAGEOUT sent away are in the swap cache until somebody needs their frames") {
  SwapMachine machine;
  const VirtAddr at = machine.map_anon(kBase, 20);
  fill(machine, at, 20, 7);
  machine.page_out(at, 20);
  CHECK(machine.mm().use().anon_rss == 0);
  CHECK(machine.mm().use().swap_entries == 20);
  CHECK(machine.disk->writes == 20);
  CHECK(machine.problems().empty());
  const uint64_t major = machine.task.major;
  machine.reads(at, 20);
  CHECK(machine.task.major == major);
  CHECK(machine.log.records.back().cause == FaultCause::kSwapCache);
  check_filled(machine, at, 20, 7);

  machine.page_out(at, 20);
  CHECK(machine.disk->writes == 20);  // they are clean: their slots have what they hold
  machine.evict_all();
  CHECK(machine.memory().swap_cache().pages() == 0);
  machine.reads(at, 20);
  CHECK(machine.task.major > major);
  CHECK(machine.log.records.back().cause != FaultCause::kAnon);
  check_filled(machine, at, 20, 7);
  CHECK(machine.problems().empty());
}

TEST_CASE("reclaim: after a page was read back from swap a write faults in 6.1 i386, and does not in 6.18") {
  for (const KernelProfile* profile : {&KernelProfile::i386_6_1(), &KernelProfile::compat_6_18()}) {
    SwapMachine machine(256, 1024, *profile);
    const VirtAddr at = machine.map_anon(kBase, 8);
    fill(machine, at, 8, 3);
    machine.page_out(at, 8);
    CHECK(machine.reads(at, 8) == 8);
    CHECK(machine.writes(at, 8) == (profile->swap_keeps_exclusive ? 0 : 8));
    machine.page_out(at, 8);
    CHECK(machine.writes(at, 8) == 8);
    CHECK(machine.problems().empty());
  }
}

TEST_CASE("reclaim: parent and child share what is in swap until one of them writes") {
  SwapMachine machine;
  const VirtAddr at = machine.map_anon(kBase, 10);
  fill(machine, at, 10, 50);
  machine.page_out(at, 4);
  machine.evict_all();
  AddressSpace::Ptr child = machine.fork();
  CHECK(child->use().swap_entries >= 4);
  CHECK(machine.problems().empty());
  AddressSpace::Ptr parent = machine.switch_to(std::move(child));
  fill(machine, at, 10, 90);
  CHECK(machine.problems().empty());
  child = machine.switch_to(std::move(parent));
  check_filled(machine, at, 10, 50);
  machine.page_out(at, 10);
  machine.evict_all();
  CHECK(machine.problems().empty());
  parent = machine.switch_to(std::move(child));
  check_filled(machine, at, 10, 90);
  parent.reset();
  CHECK(machine.problems().empty());
}

TEST_CASE("reclaim: shared memory goes to swap too, and comes back to all who map it") {
  SwapMachine machine(128);
  const VirtAddr at = machine.map(kBase, 300, kRw, kAnonShared);
  fill(machine, at, 300, 400);
  CHECK(machine.memory().swap().free_swap_pages() < machine.memory().swap().total_swap_pages());
  CHECK(machine.problems().empty());
  AddressSpace::Ptr child = machine.fork();
  AddressSpace::Ptr parent = machine.switch_to(std::move(child));
  check_filled(machine, at, 300, 400);
  fill(machine, at, 300, 800);
  parent = machine.switch_to(std::move(parent));
  check_filled(machine, at, 300, 800);
  CHECK(machine.problems().empty());
  parent.reset();
  REQUIRE(machine.mm().munmap(at, bytes_of(300)));
  CHECK(machine.memory().swap().free_swap_pages() == machine.memory().swap().total_swap_pages());
}

TEST_CASE(
    "reclaim: what the kernel writes to a pinned page is not lost, though its entry was clean and its slot full") {
  SwapMachine machine(256, 1024, KernelProfile::compat_6_18());
  const VirtAddr at = machine.map_anon(kBase, 1);
  machine.store(at, 5);
  machine.page_out(at, 1);
  machine.evict_all();
  REQUIRE(machine.load(at) == 5);
  REQUIRE(machine.mm().tables().find(at)->writable());
  REQUIRE_FALSE(machine.mm().tables().find(at)->dirty());
  const auto pinned = pin_user_page(machine.mm(), at, mmu::Access::kWrite, machine.task);
  REQUIRE(pinned);
  KmapLocal(machine.memory().kmap_slots(), *pinned).bytes()[0] = std::byte{6};
  machine.page_out(at, 1);
  machine.evict_all();
  CHECK(machine.load(at) == 6);
  CHECK(machine.problems().empty());
}

TEST_CASE("reclaim: without swap MADV_PAGEOUT takes the entries of shared memory, and nothing of anonymous memory") {
  Machine machine;
  const VirtAddr anon = machine.map_anon(kBase, 8);
  const VirtAddr shared = machine.map(kBase + bytes_of(64), 32, kRw, kAnonShared);
  fill(machine, anon, 8, 5);
  fill(machine, shared, 32, 70);
  machine.memory().faulted_pages().clear();
  REQUIRE(machine.mm().madvise(anon, bytes_of(8), kPageOut, machine.task));
  REQUIRE(machine.mm().madvise(shared, bytes_of(32), kPageOut, machine.task));
  CHECK(machine.problems().empty());
  CHECK(machine.writes(anon, 8) == 0);
  CHECK(machine.reads(shared, 32) == 2);
  check_filled(machine, shared, 32, 70);
  CHECK(machine.task.major == 0);
}

TEST_CASE("reclaim: a page that MADV_FREE gave up is dropped unless it is written again") {
  SwapMachine machine;
  const VirtAddr at = machine.map_anon(kBase, 4);
  fill(machine, at, 4, 9);
  REQUIRE(machine.mm().madvise(at, bytes_of(4), kFree, machine.task));
  CHECK(machine.listed(LruList::kInactiveFile) == 4);
  machine.store(at, 77);
  CHECK(machine.load(at + bytes_of(1)) == 10);  // still there, and reading does not keep it
  REQUIRE(machine.mm().madvise(at, bytes_of(4), kCold, machine.task));
  machine.evict_all();
  CHECK(machine.load(at) == 77);
  CHECK(machine.load(at + bytes_of(1)) == 0);
  CHECK(machine.load(at + bytes_of(3)) == 0);
  CHECK(machine.pages().events()[VmEvent::kPglazyfreed] == 3);
  CHECK(machine.problems().empty());
}

TEST_CASE("reclaim: locked pages stay, on the unevictable list, until no locked area maps them") {
  SwapMachine machine;
  const VirtAddr at = machine.map_anon(kBase, 8);
  fill(machine, at, 8, 1);
  REQUIRE(machine.mm().mlock(at, bytes_of(8), machine.task));
  CHECK(machine.listed(LruList::kUnevictable) == 8);
  machine.evict_all();
  CHECK(machine.mm().use().anon_rss == 8);
  CHECK(machine.problems().empty());
  REQUIRE(machine.mm().munlock(at, bytes_of(8)));
  CHECK(machine.listed(LruList::kUnevictable) == 0);
  machine.evict_all();
  CHECK(machine.mm().use().anon_rss == 0);
  CHECK(machine.problems().empty());
}

TEST_CASE("reclaim: a mapped file page that was evicted is a major fault") {
  SwapMachine machine;
  const TestFile file = machine.new_file(16);
  const VirtAddr at = machine.map(kBase, 16, kRead, MapFlag::kPrivate, file.file);
  machine.reads(at, 16);
  CHECK(machine.task.major == 0);
  machine.evict_all();
  CHECK(file.mapping().cached_pages() == 0);
  CHECK(machine.load(at + bytes_of(3)) == 4);
  CHECK(machine.task.major == 1);
  CHECK(machine.log.records.back().cause == FaultCause::kFileMajor);
  CHECK(machine.problems().empty());
}

TEST_CASE("reclaim: a page that comes back sooner than the active ones are many is active at once") {
  for (const uint32_t kept : {4u, 20u}) {
    SwapMachine machine;
    const TestFile other = machine.new_file(kept, "/other");
    std::array<std::byte, 4> word{};
    for (uint32_t page = 0; page < 2 * kept; ++page) {
      REQUIRE(other.mapping().read(bytes_of(page % kept), word));
    }
    CHECK(machine.listed(LruList::kActiveFile) == kept);
    const TestFile file = machine.new_file(8);
    const VirtAddr at = machine.map(kBase, 8, kRead, MapFlag::kPrivate, file.file);
    machine.reads(at, 8);
    machine.page_out(at, 8);
    CHECK(file.mapping().cached_pages() == 0);
    machine.reads(at, 1);
    // With those that were read ahead with it. The distance is that of the evictions since: 8, 7, ...
    CHECK(machine.pages().nodes()[0].stat[NodeStat::kWorkingsetRefaultFile] == 8);
    const int64_t activated = machine.pages().nodes()[0].stat[NodeStat::kWorkingsetActivateFile];
    CHECK((kept == 20 ? activated == 8 : activated < 8));
    CHECK(machine.problems().empty());
  }
}

TEST_CASE("reclaim: files forget when their pages went before that takes much memory") {
  Machine machine(96);
  PageCache& cache = machine.memory().cache();
  const TestFile file = machine.new_file(3000);
  std::array<std::byte, 4> word{};
  uint64_t most = 0;
  for (uint32_t page = 0; page < 3000; ++page) {
    REQUIRE(file.mapping().read(bytes_of(page), word));
    most = std::max(most, cache.shadows());
    REQUIRE(cache.shadows() == file.mapping().tree().values());
  }
  CHECK(most > cache.most_shadows() / 2);
  // A pass of reclaim may add some before it looks.
  CHECK(most < cache.most_shadows() + 100);
  CHECK(machine.problems().empty());
}

TEST_CASE("reclaim: kswapd works towards the high watermark, so that few have to reclaim themselves") {
  SwapMachine machine(1024, 4096);
  const VirtAddr at = machine.map_anon(kBase, 1500);
  uint32_t reached = 0;
  for (uint32_t page = 0; page < 1500; ++page) {
    machine.store(at + bytes_of(page), page);
    if (machine.memory().reclaim().kswapd_runnable()) {
      const Zone& zone = machine.pages().nodes()[0].zone(ZoneType::kDma);
      machine.memory().reclaim().run_kswapds();
      reached += zone.free_pages() >= zone.watermark.high ? 1 : 0;
    }
  }
  CHECK(reached > 0);
  const VmEvents& events = machine.pages().events();
  CHECK(events[VmEvent::kPageoutrun] > 0);
  CHECK(events[VmEvent::kPgstealKswapd] > 10 * events[VmEvent::kPgstealDirect]);
  check_filled(machine, at, 1500, 0);
  CHECK(machine.problems().empty());
}

TEST_CASE("reclaim: swapoff brings everything back, or says that it does not fit") {
  SwapMachine machine(512);
  const VirtAddr at = machine.map_anon(kBase, 100);
  const VirtAddr shared = machine.map(kBase + 0x1000000, 50, kRw, kAnonShared);
  fill(machine, at, 100, 10);
  fill(machine, shared, 50, 500);
  machine.page_out(at, 100);
  machine.page_out(shared, 50);
  machine.evict_all();
  REQUIRE(machine.memory().swap().free_swap_pages() < machine.memory().swap().total_swap_pages());
  AddressSpace::Ptr child = machine.fork();
  REQUIRE(machine.memory().swap().swapoff(0));
  CHECK(machine.memory().swap().total_swap_pages() == 0);
  CHECK(machine.mm().use().swap_entries == 0);
  CHECK(machine.problems().empty());
  check_filled(machine, at, 100, 10);
  check_filled(machine, shared, 50, 500);
  child.reset();

  SwapMachine small(160);
  const VirtAddr large = small.map_anon(kBase, 400);
  fill(small, large, 400, 1);
  CHECK(small.memory().swap().swapoff(0).error() == Errno::kENOMEM);
  CHECK(small.problems().empty());
  check_filled(small, large, 400, 1);
}

TEST_CASE("reclaim: a slot that cannot be read is SIGBUS for who needs it, one that cannot be written costs nothing") {
  SwapMachine machine;
  const VirtAddr at = machine.map_anon(kBase, 10);
  fill(machine, at, 10, 30);
  for (uint32_t offset = 1; offset <= 5; ++offset) {
    machine.disk->bad_writes.insert(offset);
  }
  machine.page_out(at, 10);
  machine.evict_all();
  check_filled(machine, at, 10, 30);
  CHECK(machine.problems().empty());

  machine.page_out(at, 10);
  machine.evict_all();
  for (uint32_t offset = 1; offset < 1024; ++offset) {
    machine.disk->bad_reads.insert(offset);
  }
  const auto touched = machine.touch(at + bytes_of(9), mmu::Access::kRead);
  CHECK(touched.refused == FaultResult::kBusErr);
  CHECK(machine.problems().empty());
}

TEST_CASE("reclaim: swapoff of an area that cannot be read all brings in what can be, and the rest is SIGBUS") {
  for (const KernelProfile* profile : {&KernelProfile::i386_6_1(), &KernelProfile::compat_6_18()}) {
    SwapMachine machine(512, 1024, *profile);
    const VirtAddr at = machine.map_anon(kBase, 10);
    const VirtAddr shared = machine.map(kBase + 0x1000000, 10, kRw, kAnonShared);
    fill(machine, at, 10, 30);
    fill(machine, shared, 10, 300);
    AddressSpace::Ptr child = machine.fork();
    machine.page_out(at, 10);
    machine.page_out(shared, 10);
    machine.evict_all();
    const SwapEntry lost = pte_to_swp_entry(machine.pte(at + bytes_of(3)));
    REQUIRE(machine.pte(at + bytes_of(3)).swap());
    const auto lost_shared = machine.mm().areas().lookup(shared)->file->mapping->tree().find_value(4);
    REQUIRE(lost_shared);
    machine.disk->bad_reads = {lost.offset, SwapEntry::from_raw(*lost_shared).offset};

    REQUIRE(machine.memory().swap().swapoff(0));
    CHECK(machine.mm().use().swap_entries == 0);
    CHECK(child->use().swap_entries == 0);
    CHECK(machine.problems().empty());
    for (uint32_t page = 0; page < 10; ++page) {
      const auto own = machine.touch(at + bytes_of(page), mmu::Access::kRead);
      CHECK(own.refused == (page == 3 ? std::optional(FaultResult::kBusErr) : std::nullopt));
      const auto common = machine.touch(shared + bytes_of(page), mmu::Access::kRead);
      CHECK(common.refused == (page == 4 ? std::optional(FaultResult::kBusErr) : std::nullopt));
    }
    check_filled(machine, at, 3, 30);
    check_filled(machine, shared, 4, 300);
    // The mark is no slot: it is copied by a fork, counts as present for mincore, and goes with its area.
    AddressSpace::Ptr other = machine.fork();
    CHECK(machine.problems().empty());
    std::array<uint8_t, 10> resident{};
    CHECK(machine.mm().mincore(at, resident, [](const MappedFile&) { return true; }));
    CHECK(resident[3] == 1);
    CHECK(machine.mm().madvise(at, 10 * kPageSize, 4, machine.task));
    CHECK_FALSE(machine.touch(at + bytes_of(3), mmu::Access::kRead).refused);
    CHECK(machine.mm().munmap(shared, 10 * kPageSize));
    CHECK(machine.problems().empty());
  }
}

TEST_CASE("reclaim: each policy keeps a program's data") {
  for (const std::string_view name : policy_names()) {
    SwapMachine machine(160);
    machine.memory().reclaim().set_policy(make_policy(name));
    const VirtAddr at = machine.map_anon(kBase, 300);
    fill(machine, at, 300, 5);
    check_filled(machine, at, 300, 5);
    CHECK(machine.problems().empty());
  }
  CHECK(make_policy("best") == nullptr);
}

}  // namespace fl::vm::test
