// Page-table bits of an area.
#include "vm/mm/protection.hpp"

#include "vm/cache/mapping.hpp"

namespace fl::vm {
namespace {

// Stores to the area's clean pages must be noticed. Linux: vma_wants_writenotify.
bool wants_write_notify(const VmArea& area) { return area.file != nullptr && !area.file->mapping->is_shmem(); }

}  // namespace

uint32_t page_protection(const VmArea& area, const KernelProfile& profile) {
  using mmu::Pte;
  if (!area.accessible()) {
    return Pte::kProtNone | Pte::kAccessed;
  }
  // As on x86, a new entry counts as used.
  uint32_t bits = Pte::kPresent | Pte::kUser | Pte::kAccessed;
  if (area.shared() && area.has(VmFlag::kWrite) && !wants_write_notify(area)) {
    bits |= Pte::kWritable;
  }
  if (profile.no_execute == mmu::NoExecute::kHonoured && !area.has(VmFlag::kExec)) {
    bits |= Pte::kNoExecute;
  }
  return bits;
}

mmu::Pte pte_modify(mmu::Pte pte, uint32_t protection) {
  using mmu::Pte;
  constexpr uint32_t kKept = Pte::kAccessed | Pte::kDirty | Pte::kSpecial;
  return Pte(pte.pfn(), (pte.raw() & kKept) | protection);
}

}  // namespace fl::vm
