// For the tests of slab: frames, a page allocator and a slab allocator, and nothing else of a machine.
#pragma once

#include <catch2/catch_test_macros.hpp>
#include <cstddef>
#include <vector>

#include "tests/unit/vm/vm_machine.hpp"
#include "vm/slab/slab_allocator.hpp"

namespace fl::vm::test {

// What reclaim would do with slabs alone.
class SlabReclaimer final : public Reclaimer {
 public:
  explicit SlabReclaimer(SlabAllocator& slab) : slab_(slab) {}
  uint32_t try_to_free_pages(Gfp, uint32_t, ZoneType) override { return slab_.shrink_all(); }
  void wakeup_kswapd(ZoneType) override {}

 private:
  SlabAllocator& slab_;
};

// A page allocator as it is after boot, and a slab allocator on it.
struct Kernel {
  mmu::Ram ram;
  RecordingTlb tlb;
  std::unique_ptr<BootMemory> boot = *BootMemory::start(ram, {});
  MemMap map{ram, boot->mem_map()};
  PageAllocator pages{ram, map, tlb, boot->nodes()};
  SlabAllocator slab;
  SlabReclaimer reclaimer{slab};

  explicit Kernel(uint32_t frames = 2048, SlabDebug debug = SlabDebug::kOff)
      : ram(*mmu::Ram::create(frames)), slab(ram, map, ready(), debug) {
    pages.set_reclaimer(&reclaimer);
  }
  PageAllocator& ready() {
    boot->init_mem_map(map);
    boot->hand_over(map, pages);
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
