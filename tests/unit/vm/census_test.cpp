// What a census tells of memory that did not come back.
#include "vm/verify/census.hpp"

#include <catch2/catch_test_macros.hpp>

#include "tests/unit/vm/vm_machine.hpp"

namespace fl::vm::test {

TEST_CASE("census: what is used and given back is no leak") {
  Machine machine(1024);
  const MemoryCensus boot = take_census(machine.memory());
  const VirtAddr at = machine.map_anon(0x10000000, 8);
  machine.writes(at, 8);
  CHECK_FALSE(differences_since_boot(boot, take_census(machine.memory())).empty());
  REQUIRE(machine.mm().munmap(at, bytes_of(8)));
  CHECK(differences_since_boot(boot, take_census(machine.memory())).empty());
}

TEST_CASE("census: a frame and an object that are kept are named") {
  Machine machine(1024);
  const MemoryCensus boot = take_census(machine.memory());
  const Pfn frame = *machine.pages().alloc_pages(kGfpKernel);
  void* const object = machine.memory().slab().kmalloc(60, kGfpKernel);
  REQUIRE(object != nullptr);
  CHECK(differences_since_boot(boot, take_census(machine.memory())) ==
        std::vector<std::string>{"free frames: 1 fewer than at boot", "slab kmalloc-64: 1 more than at boot"});
  machine.pages().free_pages(frame);
  machine.memory().slab().kfree(object);
  CHECK(differences_since_boot(boot, take_census(machine.memory())).empty());
}

}  // namespace fl::vm::test
