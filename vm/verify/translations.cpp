// What the processor remembers of memory: invariant 15 (no translation in use allows what its entry does not) and 16
// (no code translated from a frame that is free).
#include "mmu/layout.hpp"
#include "vm/memory_system.hpp"
#include "vm/verify/checks.hpp"

namespace fl::vm {
namespace {

using mmu::Pte;

// The entry of a page in the directory that CR3 names; empty if its table does not exist or lies outside RAM.
Pte entry_now(MemorySystem& memory, VirtAddr page) {
  const auto entry = [&](Pfn table, uint32_t index) {
    return table.value() < memory.ram().frames() ? reinterpret_cast<const Pte*>(memory.ram().physical(table))[index]
                                                 : Pte();
  };
  const Pte pde = entry(memory.mmu().cr3(), mmu::pgd_index(page));
  return pde.hw_present() && !pde.large() ? entry(pde.pfn(), mmu::pte_index(page)) : Pte();
}

// Why a translation by `old` must not be used any more now that the entry is `now`; null if it may. Gaining rights
// needs no flush. A cleared A bit does: the processor would not set it again.
const char* staleness(Pte old, Pte now) {
  if (!now.hw_present()) {
    return "is gone";
  }
  if (now.pfn() != old.pfn()) {
    return "maps another frame";
  }
  if (!now.user() || (now.no_execute() && !old.no_execute())) {
    return "allows less";
  }
  if (!now.accessed()) {
    return "has no A bit";
  }
  const bool stores = old.writable() && old.dirty();
  return stores && !(now.writable() && now.dirty()) ? "allows no stores, or must see the next one" : nullptr;
}

}  // namespace

void check_translations(MemorySystem& memory, const FrameUserTable& uses, Violations& out) {
  for (const mmu::CachedTranslation& cached : memory.tlb().cached_translations()) {
    const Pte now = entry_now(memory, cached.page);
    if (const char* why = staleness(cached.entry, now); why != nullptr) {
      out.add(Invariant::kTranslations, "page {:08x} is in use by entry {:#x}, which {}: {:#x}", cached.page.value(),
              cached.entry.raw(), why, now.raw());
    }
  }
  for (uint32_t frame = 0; frame < uses.size() && !out.full(); ++frame) {
    if (uses[frame].free && memory.tlb().has_code(Pfn(frame))) {
      out.add(Invariant::kFreeCode, "frame {:#x} is free, its translated code may still run", frame);
    }
  }
}

}  // namespace fl::vm
