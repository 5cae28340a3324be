// Google Benchmark for the kernel's allocators: pages, slab objects, vmalloc and mappings of high frames, beside the
// host's malloc.
#include <benchmark/benchmark.h>

#include <array>
#include <cstdlib>
#include <memory>

#include "emu/bench/no_tlb.hpp"
#include "mmu/mmu.hpp"
#include "mmu/ram.hpp"
#include "vm/memory_system.hpp"

namespace fl::emu::bench {
namespace {

constexpr uint32_t kFrames = 65536;     // 256 MiB,
constexpr uint32_t kLowFrames = 49152;  // the last 64 of them high memory

struct Booted {
  mmu::Ram ram{*mmu::Ram::create(kFrames, kLowFrames)};
  mmu::Mmu mmu{ram, mmu::NoExecute::kUnsupported};
  NoTlb tlb;
  std::unique_ptr<vm::MemorySystem> memory{*vm::MemorySystem::boot(ram, mmu, tlb, vm::KernelProfile::i386_6_1())};
};

// One page taken and given back: the per-CPU list's first.
void page_pair(benchmark::State& state) {
  Booted booted;
  vm::PageAllocator& pages = booted.memory->pages();
  for (auto _ : state) {
    const Pfn pfn = *pages.alloc_pages(vm::kGfpHighUserMovable);
    benchmark::DoNotOptimize(pfn);
    pages.free_pages(pfn);
  }
}
BENCHMARK(page_pair)->Name("vm: one page, alloc_pages and free_pages");

// 512 pages taken, then given back: through the buddy system.
void page_batch(benchmark::State& state) {
  Booted booted;
  vm::PageAllocator& pages = booted.memory->pages();
  std::array<Pfn, 512> taken;
  for (auto _ : state) {
    for (Pfn& pfn : taken) {
      pfn = *pages.alloc_pages(vm::kGfpHighUserMovable);
    }
    for (const Pfn pfn : taken) {
      pages.free_pages(pfn);
    }
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(taken.size()));
}
BENCHMARK(page_batch)->Name("vm: 512 pages, alloc_pages and free_pages");

constexpr size_t kObjects = 200;  // more than an array cache holds

void kmalloc_batch(benchmark::State& state) {
  Booted booted;
  vm::SlabAllocator& slab = booted.memory->slab();
  const auto size = static_cast<size_t>(state.range(0));
  std::array<void*, kObjects> taken;
  for (auto _ : state) {
    for (void*& object : taken) {
      object = slab.kmalloc(size, vm::kGfpKernel);
    }
    benchmark::DoNotOptimize(taken);
    for (void* object : taken) {
      slab.kfree(object);
    }
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kObjects));
}
BENCHMARK(kmalloc_batch)->Name("vm: 200 objects, kmalloc and kfree")->RangeMultiplier(4)->Range(32, 8192);

void malloc_batch(benchmark::State& state) {
  const auto size = static_cast<size_t>(state.range(0));
  std::array<void*, kObjects> taken;
  for (auto _ : state) {
    for (void*& object : taken) {
      object = std::malloc(size);
    }
    benchmark::DoNotOptimize(taken);
    for (void* object : taken) {
      std::free(object);
    }
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kObjects));
}
BENCHMARK(malloc_batch)->Name("host: 200 objects, malloc and free")->RangeMultiplier(4)->Range(32, 8192);

void vmalloc_pair(benchmark::State& state) {
  Booted booted;
  for (auto _ : state) {
    const VirtAddr area = *booted.memory->vmalloc().vmalloc(64 * 1024, "bench");
    benchmark::DoNotOptimize(area);
    booted.memory->vmalloc().vfree(area);
  }
}
BENCHMARK(vmalloc_pair)->Name("vm: vmalloc and vfree of 64 KiB");

void kmap_local(benchmark::State& state) {
  Booted booted;
  const Pfn pfn(static_cast<uint32_t>(state.range(0)));
  for (auto _ : state) {
    const vm::KmapLocal map(booted.memory->kmap_slots(), pfn);
    benchmark::DoNotOptimize(map.data());
  }
}
BENCHMARK(kmap_local)->Name("vm: kmap_local of a low and a high frame")->Arg(kLowFrames - 1)->Arg(kLowFrames + 1);

}  // namespace
}  // namespace fl::emu::bench
