// The buddy system and the page allocator above it.
#include <catch2/catch_test_macros.hpp>
#include <map>
#include <random>

#include "tests/unit/vm/dies.hpp"
#include "tests/unit/vm/vm_machine.hpp"
#include "vm/phys/buddy.hpp"

namespace fl::vm::test {
namespace {

// A buddy system over frames [first, frames), its mem_map at frame 0.
struct Frames {
  mmu::Ram ram;
  MemMap map{ram, Pfn(0)};
  Buddy buddy{map};
  Frames(uint32_t first, uint32_t frames) : ram(*mmu::Ram::create(frames)) {
    buddy.add_range(Pfn(first), frames - first);
  }
  // "order:blocks" of every order that has any.
  std::map<uint32_t, uint32_t> blocks() const {
    std::map<uint32_t, uint32_t> counts;
    for (uint32_t order = 0; order <= kMaxOrder; ++order) {
      if (buddy.free_blocks(order) != 0) {
        counts[order] = buddy.free_blocks(order);
      }
    }
    return counts;
  }
};
using Blocks = std::map<uint32_t, uint32_t>;

}  // namespace

TEST_CASE("buddy: a range becomes the largest aligned blocks that fit") {
  CHECK(Frames(16, 32).blocks() == Blocks{{4, 1}});
  CHECK(Frames(17, 32).blocks() == Blocks{{0, 1}, {1, 1}, {2, 1}, {3, 1}});
  CHECK(Frames(24, 57).blocks() == Blocks{{0, 1}, {3, 2}, {4, 1}});
  CHECK(Frames(1024, 4096).blocks() == Blocks{{10, 3}});
}

TEST_CASE("buddy: low addresses are given first when fresh") {
  Frames frames(16, 64);
  CHECK(frames.buddy.alloc(0) == 16);
  CHECK(frames.buddy.alloc(0) == 17);
  CHECK(frames.buddy.alloc(1) == 18);
  CHECK(frames.buddy.alloc(4) == 32);
}

TEST_CASE("buddy: a block is split down to the size asked for") {
  Frames frames(16, 32);
  CHECK(frames.buddy.alloc(1) == 16);
  CHECK(frames.blocks() == Blocks{{1, 1}, {2, 1}, {3, 1}});
  CHECK(frames.buddy.free_frames() == 14);
}

TEST_CASE("buddy: freeing both halves merges them") {
  Frames frames(16, 32);
  const Pfn lower(frames.buddy.alloc(3));
  const Pfn upper(frames.buddy.alloc(3));
  CHECK(frames.blocks().empty());
  frames.buddy.free(upper, 3);
  CHECK(frames.blocks() == Blocks{{3, 1}});
  frames.buddy.free(lower, 3);
  CHECK(frames.blocks() == Blocks{{4, 1}});
}

TEST_CASE("buddy: neighbours that are not halves of one block stay apart") {
  Frames frames(16, 32);
  for (int i = 0; i < 16; ++i) {
    frames.buddy.alloc(0);
  }
  frames.buddy.free(Pfn(17), 0);
  frames.buddy.free(Pfn(18), 0);
  CHECK(frames.blocks() == Blocks{{0, 2}});
}

TEST_CASE("buddy: merging stops at the largest order and at the end of memory") {
  Frames frames(1024, 3072 + 512);
  CHECK(frames.blocks() == Blocks{{9, 1}, {10, 2}});
  const Pfn block(frames.buddy.alloc(10));
  frames.buddy.free(block, 10);
  CHECK(frames.blocks() == Blocks{{9, 1}, {10, 2}});
  const Pfn last(frames.buddy.alloc(9));
  CHECK(last == Pfn(3072));
  frames.buddy.free(last, 9);
  CHECK(frames.blocks() == Blocks{{9, 1}, {10, 2}});
}

TEST_CASE("buddy: an order without blocks gives nothing and loses nothing") {
  Frames frames(16, 32);
  CHECK(frames.buddy.alloc(5) == kNoPage);
  CHECK(frames.buddy.alloc(kMaxOrder) == kNoPage);
  CHECK(frames.buddy.free_frames() == 16);
}

TEST_CASE("buddy: a head that is freed again, or an unaligned block, is an internal error") {
  Frames frames(16, 32);
  const Pfn block(frames.buddy.alloc(0));
  CHECK_FALSE(fl::test::message_of_death([&] {
                frames.buddy.free(block, 0);
                frames.buddy.alloc(4);
                frames.buddy.free(block, 4);
                frames.buddy.free(block, 4);
              }).empty());
  CHECK_FALSE(fl::test::message_of_death([&] { frames.buddy.free(block + 1, 1); }).empty());
  CHECK_FALSE(fl::test::message_of_death([&] { frames.buddy.free(Pfn(16), kMaxOrder + 1); }).empty());
}

TEST_CASE("buddy: after random allocations and frees in any order the blocks are what they were") {
  std::mt19937 random(42);
  Frames frames(37, 700);
  const Blocks before = frames.blocks();
  std::vector<std::pair<Pfn, uint32_t>> taken;
  std::vector<bool> used(700);
  for (int step = 0; step < 5000; ++step) {
    if (random() % 2 == 0 || taken.empty()) {
      const uint32_t order = random() % 6;
      const uint32_t frame = frames.buddy.alloc(order);
      if (frame == kNoPage) {
        continue;
      }
      REQUIRE(frame % (1u << order) == 0);
      for (uint32_t i = 0; i < (1u << order); ++i) {
        REQUIRE_FALSE(used[frame + i]);
        used[frame + i] = true;
      }
      taken.emplace_back(Pfn(frame), order);
    } else {
      const size_t which = random() % taken.size();
      const auto [first, order] = taken[which];
      taken.erase(taken.begin() + static_cast<ptrdiff_t>(which));
      for (uint32_t i = 0; i < (1u << order); ++i) {
        used[first.value() + i] = false;
      }
      frames.buddy.free(first, order);
    }
    REQUIRE(frames.buddy.free_frames() == static_cast<uint32_t>(std::count(used.begin() + 37, used.end(), false)));
  }
  for (const auto& [first, order] : taken) {
    frames.buddy.free(first, order);
  }
  CHECK(frames.blocks() == before);
}

TEST_CASE("page allocator: a frame that was used is zeroed when zeros are asked for, and only then") {
  Machine machine;
  const Pfn frame = *machine.pages().alloc_pages(kGfpUser);
  machine.ram().frame(frame)[100] = std::byte{1};
  machine.pages().free_pages(frame);
  REQUIRE(*machine.pages().alloc_pages(kGfpUser) == frame);
  CHECK(machine.ram().frame(frame)[100] == std::byte{1});
  machine.pages().free_pages(frame);
  REQUIRE(*machine.pages().alloc_pages(kGfpUser | kGfpZero) == frame);
  CHECK(machine.ram().frame(frame)[100] == std::byte{0});
}

TEST_CASE("page allocator: every frame of a larger block is zeroed") {
  Machine machine;
  const Pfn block = *machine.pages().alloc_pages(kGfpUser, 3);
  for (uint32_t i = 0; i < 8; ++i) {
    machine.ram().frame(block + i)[i] = std::byte{9};
  }
  machine.pages().free_pages(block, 3);
  const Pfn again = *machine.pages().alloc_pages(kGfpUser | kGfpZero, 3);
  REQUIRE(again == block);
  for (uint32_t i = 0; i < 8; ++i) {
    CHECK(machine.ram().frame(again + i)[i] == std::byte{0});
  }
  machine.pages().free_pages(again, 3);
  CHECK(machine.problems().empty());
}

TEST_CASE("page allocator: a freed frame's translated code is dropped") {
  Machine machine;
  const Pfn block = *machine.pages().alloc_pages(kGfpUser, 1);
  machine.tlb.changed.clear();
  machine.pages().free_pages(block, 1);
  CHECK(machine.tlb.changed == std::vector<Pfn>{block, block + 1});
}

TEST_CASE("page allocator: the n-th allocation fails when told to, once") {
  Machine machine;
  machine.pages().fail_allocation(2);
  CHECK(machine.pages().alloc_pages(kGfpUser));
  CHECK(machine.pages().alloc_pages(kGfpUser).error() == Errno::kENOMEM);
  CHECK(machine.pages().alloc_pages(kGfpUser));
}

TEST_CASE("page allocator: when all frames are taken the answer is ENOMEM, and counters are exact") {
  Machine machine(64);
  PageAllocator& pages = machine.pages();
  std::vector<Pfn> taken;
  while (auto frame = pages.alloc_pages(kGfpUser | kGfpZero)) {
    taken.push_back(*frame);
  }
  CHECK(pages.free_frames() == 0);
  CHECK(pages.peak_used() == pages.managed_frames());
  CHECK(machine.problems().empty());
  for (const Pfn frame : taken) {
    pages.free_pages(frame);
  }
  CHECK(pages.free_frames() == taken.size());
  CHECK(machine.problems().empty());
}

TEST_CASE("page allocator: cached pages are dropped, oldest first, before the answer is ENOMEM") {
  Machine machine(64);
  const TestFile file = machine.new_file(10);
  for (const uint32_t index : {7u, 2u, 5u}) {
    REQUIRE(file.mapping().get(index));
  }
  while (machine.pages().free_frames() > 0) {
    REQUIRE(machine.pages().alloc_pages(kGfpUser));
  }
  REQUIRE(machine.pages().alloc_pages(kGfpUser));
  CHECK(file.mapping().find(7) == kNoPage);
  CHECK(file.mapping().find(2) != kNoPage);
  REQUIRE(machine.pages().alloc_pages(kGfpUser));
  CHECK(file.mapping().find(2) == kNoPage);
  REQUIRE(machine.pages().alloc_pages(kGfpUser));
  CHECK(file.mapping().cached_pages() == 0);
  CHECK(machine.pages().alloc_pages(kGfpUser).error() == Errno::kENOMEM);
}

TEST_CASE("page allocator: freeing a frame twice is an internal error, also inside a merged block") {
  Machine machine;
  const Pfn block = *machine.pages().alloc_pages(kGfpUser);
  CHECK(fl::test::message_of_death([&] {
          machine.pages().free_pages(block);
          machine.pages().free_pages(block);
        }).find("refcount 0") != std::string::npos);
  const Pfn other = *machine.pages().alloc_pages(kGfpUser);
  CHECK(fl::test::message_of_death([&] {
          machine.pages().free_pages(block);
          machine.pages().free_pages(other);
          machine.pages().free_pages(std::max(block, other));
        }).find("refcount 0") != std::string::npos);
}

TEST_CASE("page allocator: freeing a mapped or reserved frame is an internal error") {
  Machine machine;
  machine.writes(machine.map_anon(0x10000000, 1), 1);
  CHECK_FALSE(
      fl::test::message_of_death([&] { machine.pages().free_pages(machine.pte(VirtAddr(0x10000000)).pfn()); }).empty());
  CHECK_FALSE(fl::test::message_of_death([&] { machine.pages().free_pages(machine.memory().zero_page()); }).empty());
}

TEST_CASE("boot: a machine too small for its tables is refused") {
  const mmu::Ram ram = *mmu::Ram::create(63);
  mmu::Mmu mmu(ram, mmu::NoExecute::kUnsupported);
  RecordingTlb tlb;
  CHECK(MemorySystem::boot(ram, mmu, tlb, KernelProfile::i386_6_1()).error() == Errno::kEINVAL);
}

TEST_CASE("boot: directory, mem_map and zero page are reserved, everything but the first slabs is free") {
  Machine machine(1024);
  machine.drop_space();
  // Frame 0, the directory, 8 frames of struct page (32 bytes each), the zero page.
  CHECK(machine.memory().zero_page() == Pfn(10));
  CHECK(machine.pages().free_frames() == 1024 - 11 - machine.memory().slab().unreclaimable_pages());
  CHECK(verify(machine.memory()).empty());
}

}  // namespace fl::vm::test
