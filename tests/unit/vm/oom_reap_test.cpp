// While a page is sought for a process, the OOM killer may take that very process's memory: what it took stays away,
// and nothing is counted twice.
#include <catch2/catch_test_macros.hpp>

#include "tests/unit/vm/memory_swap_store.hpp"
#include "tests/unit/vm/vm_machine.hpp"
#include "vm/reclaim/page_reclaim.hpp"
#include "vm/swap/swap_space.hpp"

namespace fl::vm::test {
namespace {

constexpr uint32_t kBase = 0x10000000;

// Until nothing more goes: a page may need several looks.
void evict_all(Machine& machine) {
  machine.memory().faulted_pages().clear();
  for (int fruitless = 0; fruitless < 4;) {
    const bool freed = machine.memory().reclaim().try_to_free_pages(kGfpHighUserMovable, 0, ZoneType::kMovable) != 0;
    fruitless = freed ? 0 : fruitless + 1;
  }
}

// Holds all memory that is free. When somebody asks for more, the machine's process is the victim.
class Reaper final : public OomKiller {
 public:
  explicit Reaper(Machine& machine) : machine_(machine) {
    evict_all(machine_);
    machine_.pages().set_oom_killer(this);
    machine_.pages().drain_all_pages();
    while (const auto frame = machine_.pages().alloc_pages(kGfpAtomic | kGfpNoMemalloc)) {
      frames_.push_back(*frame);
    }
  }
  ~Reaper() override {
    machine_.pages().set_oom_killer(nullptr);
    free_all();
  }
  Action out_of_memory(Gfp, uint32_t) override {
    ++kills;
    AddressSpace& mm = machine_.mm();
    mm.set_unstable();
    for (VmArea* area = mm.areas().first(); area != nullptr; area = area->next) {
      if (!area->shared()) {
        mm.zap_range(*area, area->start, area->end);
      }
    }
    free_all();
    return Action::kRetry;
  }
  Action memcg_out_of_memory(Gfp gfp, uint32_t order) override { return out_of_memory(gfp, order); }
  int kills = 0;

 private:
  void free_all() {
    for (const Pfn frame : frames_) {
      machine_.pages().free_pages(frame);
    }
    frames_.clear();
    machine_.pages().drain_all_pages();
  }
  Machine& machine_;
  std::vector<Pfn> frames_;
};

// A page is asked for on behalf of another process; the machine's own is what the killer takes.
void check_reaped(Machine& machine, VirtAddr at, mmu::Access access) {
  Reaper reaper(machine);
  const auto page = get_user_page(machine.mm(), at, access, machine.task);
  REQUIRE_FALSE(page);
  CHECK(page.error() == FaultResult::kBusErr);
  CHECK(reaper.kills == 1);
  CHECK(machine.pte(at).none());
  CHECK(machine.problems().empty());
}

}  // namespace

TEST_CASE("oom: a page that was to be filled while the killer took its process's memory stays absent") {
  SECTION("fresh") {
    Machine machine;
    const VirtAddr at = machine.map_anon(kBase, 8);
    machine.store(at, 1);  // its table
    check_reaped(machine, at + bytes_of(2), mmu::Access::kWrite);
  }
  SECTION("the zero page") {
    Machine machine;
    const VirtAddr at = machine.map_anon(kBase, 8);
    machine.store(at + bytes_of(1), 1);
    machine.reads(at, 8);
    check_reaped(machine, at + bytes_of(2), mmu::Access::kWrite);
  }
  SECTION("shared with a child") {
    Machine machine;
    const VirtAddr at = machine.map_anon(kBase, 8);
    machine.writes(at, 8);
    const AddressSpace::Ptr child = machine.fork();
    check_reaped(machine, at + bytes_of(2), mmu::Access::kWrite);
  }
  SECTION("to be copied from a file") {
    Machine machine;
    const TestFile file = machine.new_file(8);
    const VirtAddr at = machine.map(kBase, 8, kRw, MapFlag::kPrivate, file.file);
    machine.store(at, 1);
    machine.store(at + bytes_of(2), 1);
    REQUIRE(machine.mm().madvise(at + bytes_of(2), kPageSize, /*MADV_DONTNEED*/ 4, machine.task));
    check_reaped(machine, at + bytes_of(2), mmu::Access::kWrite);
  }
  SECTION("in swap") {
    for (const bool with_child : {false, true}) {
      Machine machine;
      REQUIRE(machine.memory().swap().swapon(std::make_shared<MemorySwapStore>(64), "/swap", std::nullopt));
      const VirtAddr at = machine.map_anon(kBase, 8);
      machine.writes(at, 8);
      const AddressSpace::Ptr child = with_child ? machine.fork() : AddressSpace::Ptr();
      evict_all(machine);
      REQUIRE(machine.pte(at + bytes_of(2)).swap());
      check_reaped(machine, at + bytes_of(2), mmu::Access::kRead);
      CHECK(machine.mm().use().swap_entries == 0);
    }
  }
}

TEST_CASE("oom: swapoff goes on when the killer takes what it was bringing in") {
  Machine machine;
  REQUIRE(machine.memory().swap().swapon(std::make_shared<MemorySwapStore>(64), "/swap", std::nullopt));
  const VirtAddr at = machine.map_anon(kBase, 8);
  machine.writes(at, 8);
  evict_all(machine);
  Reaper reaper(machine);
  CHECK(machine.memory().swap().swapoff(0));
  CHECK(reaper.kills == 1);
  CHECK(machine.pte(at).none());
  CHECK(machine.problems().empty());
}

}  // namespace fl::vm::test
