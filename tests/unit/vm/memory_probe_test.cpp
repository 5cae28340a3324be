// MemoryProbe: what is told, replayed, is what there is: the entries of all page tables, the areas, the frames in use.
#include <catch2/catch_test_macros.hpp>
#include <map>
#include <set>
#include <tuple>

#include "tests/unit/vm/memory_swap_store.hpp"
#include "tests/unit/vm/vm_machine.hpp"
#include "vm/compact/compaction.hpp"
#include "vm/swap/swap_space.hpp"

namespace fl::vm::test {
namespace {

constexpr uint32_t kBase = 0x10000000;

// Keeps what the events say that there is.
class Replay final : public MemoryProbe {
 public:
  // Pages of address spaces and their frames. A copy is there before what it takes the place of goes.
  std::set<std::tuple<const AddressSpace*, uint32_t, uint32_t>> mapped;
  std::map<const AddressSpace*, std::map<uint32_t, AreaShape>> areas;  // by start; only their borders and flags
  int64_t frames = 0;
  uint32_t begun = 0, ended = 0, swapped_in = 0, ahead = 0, wrong = 0;
  std::map<MemoryEvent::Kind, int> events;

  void on_fault_begin(const AddressSpace&, VirtAddr, mmu::Access, uint32_t, FaultMode, mmu::Pte pte) override {
    ++begun;
    before_ = pte;
  }
  void on_fault_end(const AddressSpace&, const FaultRecord& record) override {
    ++ended;
    wrong += record.pte_before == before_ ? 0 : 1;
  }
  void on_area(const AddressSpace& mm, const AreaShape& area, AreaChange change) override {
    auto& all = areas[&mm];
    // One whose start moved stands there by another end.
    std::erase_if(all, [&](const auto& one) { return one.second.start < area.end && area.start < one.second.end; });
    if (change != AreaChange::kRemoved) {
      AreaShape shape;
      shape.start = area.start;
      shape.end = area.end;
      shape.flags = area.flags;
      all[area.start.value()] = shape;
    }
  }
  void on_page(Pfn, uint32_t order, bool allocated) override { frames += allocated ? 1 << order : -(1 << order); }
  void on_mapping(const VmArea& area, VirtAddr va, Pfn pfn, bool is_mapped) override {
    const std::tuple key{static_cast<const AddressSpace*>(area.mm), va.value(), pfn.value()};
    wrong += (is_mapped ? mapped.insert(key).second : mapped.erase(key) == 1) ? 0 : 1;
  }
  void on_swap_in(Pfn, SwapEntry entry, bool is_ahead) override {
    ++swapped_in;
    ahead += is_ahead ? 1 : 0;
    wrong += entry ? 0 : 1;
  }
  void on_event(const MemoryEvent& event) override { ++events[event.kind]; }

  // Whether it is what the machine has.
  bool same_mappings(MemorySystem& memory) const {
    std::set<std::tuple<const AddressSpace*, uint32_t, uint32_t>> real;
    for (AddressSpace& mm : memory.spaces()) {
      mm.tables().for_each(VirtAddr(0), mmu::kTaskSize, [&](VirtAddr va, mmu::Pte& pte) {
        if (pte.present() && !pte.special()) {
          real.insert({&mm, va.value(), pte.pfn().value()});
        }
      });
    }
    return real == mapped;
  }
  bool same_areas(const AddressSpace& mm) {
    auto told = areas[&mm];
    for (const VmArea* area = mm.areas().first(); area != nullptr; area = area->next) {
      const auto found = told.find(area->start.value());
      if (found == told.end() || found->second.end != area->end || found->second.flags != area->flags) {
        return false;
      }
      told.erase(found);
    }
    return told.empty();
  }

 private:
  mmu::Pte before_;
};

struct ProbedMachine : Machine {
  explicit ProbedMachine(uint32_t frames, uint32_t points = ~0u) : Machine(frames) {
    used = pages().managed_frames() - pages().free_frames();
    memory().set_probe(&replay, points);
  }
  ~ProbedMachine() { memory().set_probe(nullptr, 0); }
  void check() {
    CHECK(replay.wrong == 0);
    CHECK(replay.same_mappings(memory()));
    CHECK(replay.same_areas(mm()));
    CHECK(replay.frames == int64_t{pages().managed_frames() - pages().free_frames()} - used);
    CHECK(problems().empty());
  }
  Replay replay;
  int64_t used = 0;
};

}  // namespace

TEST_CASE("memory probe: mappings, areas and frames follow from what is told") {
  ProbedMachine m(512);
  m.map_anon(kBase, 16);
  m.reads(VirtAddr(kBase), 4);
  m.writes(VirtAddr(kBase), 12);
  m.check();
  CHECK(m.replay.mapped.size() == 12);
  CHECK(m.replay.begun == m.replay.ended);
  CHECK(m.replay.ended == 16);
  const TestFile file = m.new_file(40);
  m.map(0x20000000, 40, kRw, MapFlag::kPrivate, file.file);
  m.map(0x30000000, 8, kRw, MapFlag::kShared, file.file);
  m.reads(VirtAddr(0x20000000), 20);
  m.writes(VirtAddr(0x20000000), 3);
  m.writes(VirtAddr(0x30000000), 8);
  m.check();
  REQUIRE(m.mm().mprotect(VirtAddr(kBase + 0x4000), bytes_of(4), kRead, m.task));
  REQUIRE(m.mm().munmap(VirtAddr(kBase + 0x2000), bytes_of(1)));
  m.check();
  {
    AddressSpace::Ptr child = m.fork();
    CHECK(m.replay.same_mappings(m.memory()));
    m.writes(VirtAddr(kBase + 0x8000), 2);
    AddressSpace::Ptr parent = m.switch_to(std::move(child));
    m.writes(VirtAddr(kBase + 0x8000), 4);
    m.check();
    child = m.switch_to(std::move(parent));
  }
  m.check();
  REQUIRE(m.mm().munmap(VirtAddr(0), 0xc0000000));
  m.check();
  CHECK(m.replay.mapped.empty());
}

TEST_CASE("memory probe: swap and migration") {
  ProbedMachine m(256);
  const auto store = std::make_shared<MemorySwapStore>(1024);
  REQUIRE(m.memory().swap().swapon(store, "/swap", std::nullopt));
  constexpr uint32_t kPages = 400;  // more than there are frames
  m.map_anon(kBase, kPages);
  for (int round = 0; round < 2; ++round) {
    for (uint32_t page = 0; page < kPages; ++page) {
      m.memory().faulted_pages().clear();
      m.store(VirtAddr(kBase + bytes_of(page)), page);
    }
    m.check();
  }
  CHECK(m.replay.events[MemoryEvent::Kind::kSwapOut] > 200);
  CHECK(m.replay.events[MemoryEvent::Kind::kReclaim] > 0);
  CHECK(m.replay.swapped_in == m.pages().events()[VmEvent::kPswpin]);
  CHECK(m.replay.swapped_in - m.replay.ahead == m.task.major);
  CHECK(m.replay.ahead > 0);
  REQUIRE(m.mm().munmap(VirtAddr(kBase), bytes_of(kPages / 2)));
  m.check();
  const auto before = m.replay.mapped;
  m.memory().compaction().compact_all();
  m.check();
  CHECK(m.replay.mapped.size() == before.size());
  CHECK(m.replay.mapped != before);
}

TEST_CASE("memory probe: only what is wanted is told") {
  ProbedMachine m(256, MemoryProbe::kFaultEnd);
  m.map_anon(kBase, 4);
  m.writes(VirtAddr(kBase), 4);
  CHECK(m.replay.ended == 4);
  CHECK(m.replay.begun == 0);
  CHECK(m.replay.frames == 0);
  CHECK(m.replay.mapped.empty());
  CHECK(m.replay.areas.empty());
  m.memory().set_probe(nullptr, ~0u);
  m.reads(VirtAddr(kBase), 4);
  CHECK(m.replay.ended == 4);
}

}  // namespace fl::vm::test
