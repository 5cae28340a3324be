// For the tests of slab: frames, a page allocator and a slab allocator, and nothing else of a machine.
#pragma once

#include <catch2/catch_test_macros.hpp>
#include <cstddef>
#include <vector>

#include "tests/unit/vm/vm_machine.hpp"
#include "vm/slab/slab_allocator.hpp"

namespace fl::vm::test {

// A page allocator over all frames but the first few, and a slab allocator on it.
struct Kernel {
  mmu::Ram ram;
  RecordingTlb tlb;
  MemMap map{ram, Pfn(1)};
  PageAllocator pages{ram, map, tlb};
  SlabAllocator slab;

  explicit Kernel(uint32_t frames = 2048, SlabDebug debug = SlabDebug::kOff)
      : ram(*mmu::Ram::create(frames)), slab(ram, map, ready(), debug) {
    pages.set_reclaimer(&slab);
  }
  PageAllocator& ready() {
    const uint32_t first = 1 + MemMap::frames_needed(ram.frames());
    pages.add_free_range(Pfn(first), ram.frames() - first);
    return pages;
  }
  KmemCache& cache(uint32_t size, SlabFlags flags = {}, KmemCache::Constructor ctor = nullptr, uint32_t align = 0) {
    KmemCache* made = slab.kmem_cache_create("test", size, align, flags, ctor);
    REQUIRE(made != nullptr);
    return *made;
  }
  std::vector<std::byte*> take(KmemCache& from, uint32_t count) {
    std::vector<std::byte*> objects;
    for (uint32_t i = 0; i < count; ++i) {
      objects.push_back(static_cast<std::byte*>(slab.kmem_cache_alloc(from, kGfpKernel)));
      REQUIRE(objects.back() != nullptr);
    }
    return objects;
  }
  void give(KmemCache& to, const std::vector<std::byte*>& objects) {
    for (std::byte* object : objects) {
      slab.kmem_cache_free(to, object);
    }
  }
};

}  // namespace fl::vm::test
