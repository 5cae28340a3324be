// Invariant 14, broken on purpose: kernel objects in slab memory.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <memory>
#include <string>

#include "tests/unit/vm/vm_machine.hpp"
#include "vm/slab/slab_page.hpp"

namespace fl::vm::test {
namespace {

struct Watched {
  mmu::Ram ram{*mmu::Ram::create(2048)};
  mmu::Mmu mmu{ram, mmu::NoExecute::kUnsupported};
  RecordingTlb tlb;
  std::unique_ptr<MemorySystem> memory{
      *MemorySystem::boot(ram, mmu, tlb, KernelProfile::i386_6_1(), {.slab_debug = SlabDebug::kOn})};
  // A cache of its own: one slab, half of it in use or in the array.
  KmemCache& cache{*memory->slab().kmem_cache_create("watched", 100, 0, {})};
  std::byte* object = static_cast<std::byte*>(memory->slab().kmem_cache_alloc(cache, kGfpKernel));

  Page& page() { return memory->page(memory->slab().direct_map().pfn_of(object)); }
  bool complains(const std::string& text) {
    const auto lines = verify(*memory);
    return std::any_of(lines.begin(), lines.end(), [&](const std::string& line) {
      return line.find("invariant 14:") != std::string::npos && line.find(text) != std::string::npos;
    });
  }
};

}  // namespace

TEST_CASE("verify 14: nothing is wrong with objects in use and freed") {
  Watched m;
  m.memory->slab().kfree(m.memory->slab().kmalloc(100, kGfpKernel));
  CHECK(verify(*m.memory).empty());
}

TEST_CASE("verify 14: a store beside an object in use is noticed") {
  Watched m;
  m.object[104] = std::byte{1};
  CHECK(m.complains("memory outside the object was overwritten"));
}

TEST_CASE("verify 14: a store to a free object is noticed") {
  Watched m;
  m.memory->slab().kfree(m.object);
  m.object[5] = std::byte{1};
  CHECK(m.complains("byte 0x5 is 0x01, should be 0x6b"));
}

TEST_CASE("verify 14: a slab with a wrong number of objects in use is noticed") {
  Watched m;
  ++m.page().index;
  CHECK(m.complains("free objects in slabs, counted as"));
  --m.page().index;
  CHECK(verify(*m.memory).empty());
}

TEST_CASE("verify 14: a free list that names an object twice is noticed") {
  Watched m;
  const Slab slab(m.memory->slab().direct_map(), m.memory->mem_map(), m.memory->slab().direct_map().pfn_of(m.object));
  uint8_t* const list = slab.freelist();
  list[m.cache.num - 1] = list[m.cache.num - 2];
  CHECK(m.complains("in its free list twice"));
}

TEST_CASE("verify 14: a slab on the wrong list, or a frame that only says it is one, is noticed") {
  Watched m;
  ++m.cache.node.partial.count;
  CHECK(m.complains("slabs on a list, counted as"));
  --m.cache.node.partial.count;
  Page& page = m.memory->page(*m.memory->pages().alloc_pages(kGfpKernel));
  page.set(PageFlag::kSlab);
  CHECK(m.complains("are marked as slabs"));
}

}  // namespace fl::vm::test
