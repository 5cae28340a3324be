// Memory policies of areas and tasks: where a fault gets its page, and that areas with different ones stay apart.
#include "vm/phys/mempolicy.hpp"

#include <catch2/catch_test_macros.hpp>

#include "tests/unit/vm/vm_machine.hpp"
#include "vm/user_access.hpp"

namespace fl::vm::test {
namespace {

MemPolicy policy(PolicyMode mode, NodeMask nodes) { return MemPolicy::create(mode, nodes, 0b11).value(); }

// Two nodes of 4 MiB; an address space with a mapping of 64 pages.
class TwoNodes {
 public:
  static constexpr VirtAddr kBase{0x40000000};
  TwoNodes()
      : ram_(*mmu::Ram::create(2048)),
        mmu_(ram_, mmu::NoExecute::kUnsupported),
        memory_(*MemorySystem::boot(ram_, mmu_, tlb_, KernelProfile::i386_6_1(), {.nodes = 2})) {
    mm_ = *AddressSpace::create(*memory_, {});
    mmu_.set_cr3(mm_->tables().directory());
    MmapRequest request;
    request.addr = kBase;
    request.length = 64 * kPageSize;
    request.prot = Prot::kRead | Prot::kWrite;
    request.flags = MapFlag::kPrivate | MapFlag::kAnonymous | MapFlag::kFixed;
    REQUIRE(mm_->mmap(request, faults_));
  }
  // Touches a page; the node it came from.
  uint32_t touch(uint32_t page) {
    const VirtAddr at = kBase + page * kPageSize;
    REQUIRE(UserAccess(*mm_, faults_).put(at, uint8_t{1}));
    return memory_->page(mm_->tables().find(at)->pfn()).node();
  }
  Status bind(uint32_t first, uint32_t pages, const MemPolicy& with,
              MisplacedPages misplaced = MisplacedPages::kLeave) {
    return mm_->mbind(kBase + first * kPageSize, kBase + (first + pages) * kPageSize, with, misplaced);
  }
  uint32_t areas() const { return mm_->areas().size(); }
  MemorySystem& memory() { return *memory_; }

 private:
  mmu::Ram ram_;
  mmu::Mmu mmu_;
  RecordingTlb tlb_;
  std::unique_ptr<MemorySystem> memory_;
  FaultCounters faults_;
  decltype(AddressSpace::create(std::declval<MemorySystem&>(), {}))::value_type mm_;
};

}  // namespace

TEST_CASE("mempolicy: a fault takes its page by the area's policy, else the task's, else locally") {
  TwoNodes machine;
  CHECK(machine.touch(0) == 0);
  REQUIRE(machine.bind(8, 8, policy(PolicyMode::kBind, 0b10)));
  REQUIRE(machine.bind(16, 8, policy(PolicyMode::kInterleave, 0b11)));
  CHECK(machine.touch(8) == 1);
  CHECK(machine.touch(16) != machine.touch(17));
  CHECK(machine.touch(16) == machine.touch(18));
  machine.memory().set_task_policy(policy(PolicyMode::kPreferred, 0b10));
  CHECK(machine.touch(1) == 1);
  CHECK(machine.touch(9) == 1);
  machine.memory().set_task_policy({});
  CHECK(machine.touch(2) == 0);
}

TEST_CASE("mempolicy: areas with different policies stand apart, and merge when they are alike again") {
  TwoNodes machine;
  CHECK(machine.areas() == 1);
  REQUIRE(machine.bind(8, 8, policy(PolicyMode::kBind, 0b10)));
  CHECK(machine.areas() == 3);
  REQUIRE(machine.bind(12, 8, policy(PolicyMode::kBind, 0b10)));
  CHECK(machine.areas() == 3);
  REQUIRE(machine.bind(0, 64, policy(PolicyMode::kInterleave, 0b11)));
  CHECK(machine.areas() == 1);
  REQUIRE(machine.bind(0, 64, {}));
  CHECK(machine.areas() == 1);
}

TEST_CASE("mempolicy: a hole is refused, and strictly pages on other nodes are, before anything is changed") {
  TwoNodes machine;
  CHECK(machine.bind(60, 8, policy(PolicyMode::kBind, 0b10)).error() == Errno::kEFAULT);
  CHECK(machine.areas() == 1);
  CHECK(machine.touch(3) == 0);
  CHECK(machine.bind(0, 8, policy(PolicyMode::kBind, 0b10), MisplacedPages::kRefuse).error() == Errno::kEIO);
  CHECK(machine.areas() == 1);
  CHECK(machine.bind(0, 8, policy(PolicyMode::kBind, 0b01), MisplacedPages::kRefuse).has_value());
  CHECK(machine.bind(0, 8, policy(PolicyMode::kBind, 0b10)).has_value());
}

TEST_CASE("mempolicy: a bound area gets no memory from elsewhere, a preferring one does") {
  TwoNodes machine;
  REQUIRE(machine.bind(0, 32, policy(PolicyMode::kBind, 0b10)));
  REQUIRE(machine.bind(32, 32, policy(PolicyMode::kPreferred, 0b10)));
  // Node 1 is used up.
  while (machine.memory().pages().alloc_pages_node(kGfpHighUserMovable, 0, 1, 0b10)) {
  }
  CHECK(machine.touch(40) == 0);
}

}  // namespace fl::vm::test
