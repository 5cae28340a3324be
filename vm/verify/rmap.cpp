// Invariant 7: from a page, rmap finds exactly the entries that map it.
#include <set>
#include <utility>

#include "vm/cache/mapping.hpp"
#include "vm/memory_system.hpp"
#include "vm/mm/address_space.hpp"
#include "vm/mm/anon_vma.hpp"
#include "vm/rmap_walk.hpp"
#include "vm/verify/checks.hpp"

namespace fl::vm {
namespace {

// Kernel addresses of all that a mapped page may name: a page that names something else is not followed.
std::set<uint32_t> known_owners(MemorySystem& memory) {
  std::set<uint32_t> owners;
  for (const Mapping& mapping : memory.cache().mappings()) {
    owners.insert(memory.kernel_address(&mapping).value());
  }
  for (AddressSpace& mm : memory.spaces()) {
    for (const VmArea* area = mm.areas().first(); area != nullptr; area = area->next) {
      for (const AnonVmaChain& chain : area->anon_vma_chain) {
        owners.insert(memory.kernel_address(chain.anon_vma).value());
      }
    }
  }
  return owners;
}

}  // namespace

void check_rmap(MemorySystem& memory, const FrameUserTable& uses, Violations& out) {
  const std::set<uint32_t> owners = known_owners(memory);
  for (uint32_t frame = 0; frame < uses.size() && !out.full(); ++frame) {
    const Page& page = memory.page(Pfn(frame));
    if (uses[frame].maps == 0 || !page.has(PageFlag::kAnon | PageFlag::kCache)) {
      continue;
    }
    if (!owners.contains(page.mapping & ~kPageMappingAnon)) {
      // Of a cached page invariant 10 tells it.
      if (page.has(PageFlag::kAnon)) {
        out.add(Invariant::kRmap, "frame {:#x} names {:#x}, which is no area's anon_vma", frame, page.mapping);
      }
      continue;
    }
    std::set<std::pair<const VmArea*, VirtAddr>> entries;
    rmap_walk(memory, Pfn(frame), [&](VmArea& area, VirtAddr va, mmu::Pte&) {
      if (!entries.emplace(&area, va).second) {
        out.add(Invariant::kRmap, "frame {:#x}: rmap finds the entry of {:08x} twice", frame, va.value());
      }
      return true;
    });
    if (entries.size() != uses[frame].maps) {
      out.add(Invariant::kRmap, "frame {:#x}: rmap finds {} entries, {} map it", frame, entries.size(),
              uses[frame].maps);
    }
  }
}

}  // namespace fl::vm
