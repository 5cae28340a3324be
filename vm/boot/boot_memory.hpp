// BootMemory: the machine's memory from the firmware's map to the moment when the buddy system has all of it.
//
// In Linux's order: e820 map, memblock, the kernel's image reserved, mem_map and the nodes with their zones allocated
// from memblock, struct pages initialised, free memory handed over. Each step writes what Linux would to the boot log.
// Linux counterparts: setup_arch, free_area_init, mem_init (arch/x86/kernel/setup.c, mm/page_alloc.c, mm/memblock.c).
//
// Simplified: the first MiB is not reserved as a whole (there is no BIOS to respect, and on a machine of few MiB it
// counts); nothing of the image is freed after boot.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "mmu/base/result.hpp"
#include "mmu/kernel_map.hpp"
#include "mmu/ram.hpp"
#include "vm/boot/boot_log.hpp"
#include "vm/boot/e820.hpp"
#include "vm/boot/memblock.hpp"
#include "vm/phys/mem_map.hpp"
#include "vm/phys/node.hpp"
#include "vm/slab/slab_flags.hpp"

namespace fl::vm {

class PageAllocator;

struct BootOptions {
  SlabDebug slab_debug = SlabDebug::kOff;               // red zones and poison in all caches. Linux: CONFIG_DEBUG_SLAB
  mmu::LargePages large_pages = mmu::LargePages::kYes;  // of the kernel's direct map
  uint32_t nodes = 1;                                   // --numa: RAM is split evenly
  uint32_t min_free_kbytes = 0;                         // 0: Linux's default for the machine
};

// What the kernel's image holds: one frame each, at 1 MiB, or at frame 1 on a machine that ends before.
struct KernelImage {
  Pfn directory;  // swapper_pg_dir
  Pfn zero_page;  // empty_zero_page
  Pfn start() const { return directory; }
  static constexpr uint32_t kFrames = 2;
};

class BootMemory {
 public:
  // Up to the allocated tables. EINVAL if RAM is too small to boot or the options make no sense for it.
  static Result<std::unique_ptr<BootMemory>> start(const mmu::Ram& ram, const BootOptions& options);

  const KernelImage& image() const { return image_; }
  Pfn mem_map() const { return mem_map_; }
  std::span<Node> nodes() const { return nodes_; }
  // Until hand_over, kernel memory comes from here; afterwards it only tells what there was.
  Memblock& memblock() { return memblock_; }
  // A frame for a page table of the direct map; that there is one was seen by start(). Linux: alloc_low_page.
  Pfn early_table();
  const Memblock& memblock() const { return memblock_; }
  const E820Map& e820() const { return e820_; }
  const BootOptions& options() const { return options_; }
  BootLog& log() { return log_; }
  const BootLog& log() const { return log_; }

  // Gives every struct page its place; all are reserved for now. Linux: memmap_init.
  void init_mem_map(MemMap& map);
  // All free memory goes to the buddy system. Linux: mem_init, memblock_free_all.
  void hand_over(MemMap& map, PageAllocator& pages);

 private:
  BootMemory(const mmu::Ram& ram, const BootOptions& options) : ram_(ram), options_(options), memblock_(ram) {}
  Status setup_memory();
  Status setup_nodes();
  Status setup_zones();
  void print_zones();
  void print_handed_over(const PageAllocator& pages);
  // Calls visit(first frame, frames, node) for each range of memory, ascending.
  template <typename Visit>
  void for_each_range(Visit&& visit) const {
    for (const MemblockRegion& region : memblock_.memory().regions()) {
      const auto first = static_cast<uint32_t>(region.base >> kPageShift);
      visit(first, static_cast<uint32_t>(region.end() >> kPageShift) - first, region.node);
    }
  }

  const mmu::Ram& ram_;
  BootOptions options_;
  BootLog log_;
  E820Map e820_;
  Memblock memblock_;
  KernelImage image_;
  Pfn mem_map_;
  std::span<Node> nodes_;
  uint32_t max_pfn_ = 0;      // one past the last frame of memory
  uint32_t max_low_pfn_ = 0;  // one past the last that the direct map reaches
};

}  // namespace fl::vm
