// For the tests of the page allocator: RAM, nodes and zones as they are after boot, and nothing above them.
#pragma once

#include <memory>
#include <vector>

#include "tests/unit/vm/vm_machine.hpp"
#include "vm/boot/boot_memory.hpp"
#include "vm/phys/page_allocator.hpp"

namespace fl::vm::test {

struct PhysMachine {
  mmu::Ram ram;
  RecordingTlb tlb;
  std::unique_ptr<BootMemory> boot;
  MemMap map;
  PageAllocator pages;

  explicit PhysMachine(uint32_t mib, const BootOptions& options = {})
      : ram(*mmu::Ram::create(mib << 8)),
        boot(*BootMemory::start(ram, options)),
        map(ram, boot->mem_map()),
        pages(ram, map, tlb, boot->nodes()) {
    boot->init_mem_map(map);
    boot->hand_over(map, pages);
  }
  PhysMachine(const PhysMachine&) = delete;
  PhysMachine& operator=(const PhysMachine&) = delete;

  Zone& zone(ZoneType type, uint32_t node = 0) { return pages.nodes()[node].zone(type); }
  // Takes pages until there are none for such an allocation.
  std::vector<Pfn> exhaust(Gfp gfp) {
    std::vector<Pfn> taken;
    while (const auto pfn = pages.alloc_pages(gfp)) {
      taken.push_back(*pfn);
    }
    return taken;
  }
  void give_back(std::vector<Pfn>& taken) {
    for (const Pfn pfn : taken) {
      pages.free_pages(pfn);
    }
    taken.clear();
  }
};

}  // namespace fl::vm::test
