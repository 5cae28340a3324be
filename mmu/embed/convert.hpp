// Between the types of the embedding interface and ours; and reading the steps of a page-table walk without making it.
#pragma once

#include <fmt/format.h>

#include <faultline/base.hpp>

#include "mmu/base/addr.hpp"
#include "mmu/base/result.hpp"
#include "mmu/layout.hpp"
#include "mmu/mmu.hpp"
#include "mmu/pte.hpp"
#include "mmu/ram.hpp"

namespace fl::embed {

// "cannot map: ENOMEM".
inline tl::unexpected<faultline::Error> refuse(std::string_view what, Errno error) {
  return tl::unexpected<faultline::Error>(
      faultline::Error{fmt::format("cannot {}: {}", what, errno_name(error)), static_cast<int>(error)});
}
inline faultline::Status to_public(const Status& status, std::string_view what) {
  return status ? faultline::Status{} : faultline::Status(refuse(what, status.error()));
}

constexpr mmu::Access to_ours(faultline::Access access) {
  return access == faultline::Access::kRead    ? mmu::Access::kRead
         : access == faultline::Access::kWrite ? mmu::Access::kWrite
                                               : mmu::Access::kFetch;
}
constexpr faultline::Access to_public(mmu::Access access) {
  return access == mmu::Access::kRead    ? faultline::Access::kRead
         : access == mmu::Access::kWrite ? faultline::Access::kWrite
                                         : faultline::Access::kFetch;
}

// The entries that the processor reads on its way from `cr3` to the address. Changes nothing.
inline faultline::Walk read_steps(const mmu::Ram& ram, Pfn cr3, VirtAddr va) {
  faultline::Walk walk;
  const auto step = [&](Pfn table, uint32_t index) {
    const mmu::Pte entry = reinterpret_cast<const mmu::Pte*>(ram.frame(table))[index];
    walk.steps[walk.depth++] = {.address = PhysAddr(table).value() + index * uint32_t{sizeof entry},
                                .entry = entry.raw()};
    return entry;
  };
  const mmu::Pte pde = step(cr3, mmu::pgd_index(va));
  if (pde.hw_present() && !pde.large()) {
    step(pde.pfn(), mmu::pte_index(va));
  }
  return walk;
}

// Adds what became of the access.
inline void add_outcome(faultline::Walk& walk, const mmu::Translation& found, VirtAddr va) {
  walk.allowed = found.hit;
  walk.physical = found.hit ? PhysAddr(found.pte.pfn()).value() + va.page_offset() : 0;
  walk.error_code = found.hit ? 0 : found.error_code;
}

// What a user's read would find, by the steps alone: no bit is set.
inline mmu::Translation peek(const faultline::Walk& walk, VirtAddr va) {
  using mmu::PageFaultError;
  const mmu::Pte pde(walk.steps[0].entry);
  const mmu::Pte last(walk.steps[walk.depth - 1].entry);
  const bool present = pde.hw_present() && last.hw_present();
  if (!present || !pde.user() || !last.user()) {
    return {.hit = false,
            .pte = {},
            .error_code = PageFaultError::kUser | (present ? uint32_t{PageFaultError::kProtection} : 0u)};
  }
  const Pfn frame = walk.depth == 1 ? last.pfn() + mmu::pte_index(va) : last.pfn();
  return {.hit = true, .pte = mmu::Pte(frame, last.raw() & kPageOffsetMask)};
}

}  // namespace fl::embed
