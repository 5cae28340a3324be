// The walk. The two levels are written out: a reader should see each table read, each check and each bit that is set.
#include "mmu/mmu.hpp"

namespace fl::mmu {
namespace {

uint32_t error_code(Access access, Privilege privilege, bool present, NoExecute no_execute) {
  uint32_t code = present ? uint32_t{PageFaultError::kProtection} : 0u;
  code |= access == Access::kWrite ? uint32_t{PageFaultError::kWrite} : 0u;
  code |= privilege == Privilege::kUser ? uint32_t{PageFaultError::kUser} : 0u;
  // A processor without no-execute does not tell fetches from reads.
  code |= access == Access::kFetch && no_execute == NoExecute::kHonoured ? uint32_t{PageFaultError::kInstruction} : 0u;
  return code;
}

}  // namespace

Translation Mmu::translate(VirtAddr va, Access access, Privilege privilege) {
  const auto miss = [&](bool present) {
    cr2_ = va;
    return Translation{.hit = false, .pte = {}, .error_code = error_code(access, privilege, present, no_execute_)};
  };

  Pte* directory = reinterpret_cast<Pte*>(ram_->frame(cr3_));
  Pte& pde = directory[pgd_index(va)];
  if (!pde.hw_present()) {
    return miss(/*present=*/false);
  }
  const uint32_t dirty = access == Access::kWrite ? Pte::kDirty : 0u;
  if (pde.large()) {
    const bool allowed =
        (privilege == Privilege::kSupervisor || pde.user()) && (access != Access::kWrite || pde.writable());
    if (!allowed) {
      return miss(/*present=*/true);
    }
    pde = pde.with(Pte::kAccessed | dirty);
    const Pfn pfn = pde.pfn() + pte_index(va);
    return Translation{.hit = true, .pte = Pte(pfn, pde.raw() & kPageOffsetMask & ~uint32_t{Pte::kLarge})};
  }

  Pte& pte = reinterpret_cast<Pte*>(ram_->frame(pde.pfn()))[pte_index(va)];
  if (!pte.hw_present()) {
    return miss(/*present=*/false);
  }
  const bool user_ok = privilege == Privilege::kSupervisor || (pde.user() && pte.user());
  const bool write_ok = access != Access::kWrite || (pde.writable() && pte.writable());
  const bool fetch_ok = access != Access::kFetch || no_execute_ == NoExecute::kUnsupported || !pte.no_execute();
  if (!user_ok || !write_ok || !fetch_ok) {
    return miss(/*present=*/true);
  }
  pde = pde.with(Pte::kAccessed);
  pte = pte.with(Pte::kAccessed | dirty);
  return Translation{.hit = true, .pte = pte};
}

}  // namespace fl::mmu
