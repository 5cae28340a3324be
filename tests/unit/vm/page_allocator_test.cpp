// Getting and returning frames on a whole machine.
#include <catch2/catch_test_macros.hpp>

#include "tests/unit/vm/dies.hpp"
#include "tests/unit/vm/vm_machine.hpp"

namespace fl::vm::test {

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
  // The min watermark of so small a machine: 128 KiB.
  CHECK(pages.free_frames() == 32);
  CHECK(pages.nr_free_pages() == 32);
  CHECK(pages.peak_used() == pages.managed_frames() - 32);
  CHECK(machine.problems().empty());
  for (const Pfn frame : taken) {
    pages.free_pages(frame);
  }
  CHECK(pages.free_frames() == 32 + taken.size());
  CHECK(machine.problems().empty());
}

TEST_CASE("page allocator: cached pages are dropped, oldest first, before the answer is ENOMEM") {
  Machine machine(128);
  PageAllocator& pages = machine.pages();
  const TestFile file = machine.new_file(40);
  for (uint32_t index = 40; index-- > 0;) {
    REQUIRE(file.mapping().get(index));
  }
  while (machine.usable_frames() > 0) {
    REQUIRE(pages.alloc_pages(kGfpUser));
  }
  CHECK(file.mapping().cached_pages() == 40);
  REQUIRE(pages.alloc_pages(kGfpUser));
  // Reclaim works in batches: the lists are gone through in halves, quarters and so on, from their old ends, until 32
  // pages are free.
  const uint32_t left = file.mapping().cached_pages();
  CHECK(left < 8);
  for (uint32_t index = 0; index < 40; ++index) {
    CHECK((file.mapping().find(index) != kNoPage) == (index < left));
  }
  CHECK(pages.events()[VmEvent::kPgstealDirect] == 40 - left);
  for (int i = 0; i < 39; ++i) {
    REQUIRE(pages.alloc_pages(kGfpUser));
  }
  CHECK(file.mapping().cached_pages() == 0);
  // The last frames that come are those of slabs that are empty now.
  Result<Pfn> last = Pfn();
  for (int slabs = 0; slabs < 10 && last; ++slabs) {
    last = pages.alloc_pages(kGfpUser);
  }
  REQUIRE_FALSE(last);
  CHECK(last.error() == Errno::kENOMEM);
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

}  // namespace fl::vm::test
