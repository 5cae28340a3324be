// /proc/PID/smaps and smaps_rollup. Linux counterparts: smap_gather_stats, smaps_account, __show_smap, show_smap
// (fs/proc/task_mmu.c).
//
// What is not modelled has the value of a kernel that does not do it: huge pages, KSM.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "guest/fs/proc/mapped_page.hpp"
#include "guest/fs/proc/proc_text.hpp"
#include "mmu/page_tables.hpp"
#include "vm/cache/mapping.hpp"
#include "vm/memory_system.hpp"
#include "vm/swap/swap_space.hpp"
#include "vm/swap/swapin_error.hpp"

namespace fl::guest {
namespace {

// Proportional shares are counted in such parts of a byte. Linux: PSS_SHIFT.
constexpr uint32_t kPssShift = 12;

// Bytes; the proportional shares shifted. Linux: struct mem_size_stats.
struct MemSizeStats {
  uint64_t resident = 0, referenced = 0, anonymous = 0;
  uint64_t shared_clean = 0, shared_dirty = 0, private_clean = 0, private_dirty = 0;
  uint64_t pss = 0, pss_anon = 0, pss_file = 0, pss_shmem = 0, pss_dirty = 0, pss_locked = 0;
  uint64_t lazyfree = 0, swap = 0, swap_pss = 0;
};

// Linux: smaps_account.
void account(MemSizeStats& stats, const MappedPage& page, mmu::Pte pte, bool locked) {
  const uint64_t pss = (uint64_t{kPageSize} << kPssShift) / std::max(page.mapcount, 1u);
  const bool shared = page.mapcount > 1;
  const bool dirty = pte.dirty() || page.dirty;
  stats.resident += kPageSize;
  stats.referenced += pte.accessed() ? kPageSize : 0;
  stats.anonymous += page.anonymous ? kPageSize : 0;
  stats.lazyfree += page.given_up && !dirty ? kPageSize : 0;
  stats.pss += pss;
  (page.anonymous ? stats.pss_anon : page.shmem ? stats.pss_shmem : stats.pss_file) += pss;
  stats.pss_locked += locked ? pss : 0;
  stats.pss_dirty += dirty ? pss : 0;
  if (dirty) {
    (shared ? stats.shared_dirty : stats.private_dirty) += kPageSize;
  } else {
    (shared ? stats.shared_clean : stats.private_clean) += kPageSize;
  }
}

// Linux: smaps_pte_entry.
void account_swapped(MemSizeStats& stats, vm::SwapSpace& swap, mmu::Pte pte) {
  const uint32_t holders = swap.swap_count(vm::pte_to_swp_entry(pte));
  stats.swap += kPageSize;
  stats.swap_pss += (uint64_t{kPageSize} << kPssShift) / std::max(holders, 1u);
}

void gather(MemSizeStats& stats, vm::AddressSpace& mm, const vm::VmArea& area) {
  if (area.has(vm::VmFlag::kPfnMap)) {
    return;
  }
  mm.tables().for_each(area.start, area.end.value(), [&](VirtAddr va, const mmu::Pte& pte) {
    if (pte.present()) {
      if (const auto page = mapped_page(mm, area, va, pte)) {
        account(stats, *page, pte, area.has(vm::VmFlag::kLocked));
      }
    } else if (pte.swap() && !vm::non_swap_entry(vm::pte_to_swp_entry(pte))) {
      account_swapped(stats, mm.memory().swap(), pte);
    }
  });
  // Shared memory in swap is in no entry. Linux: shmem_swap_usage.
  if (area.file != nullptr) {
    stats.swap +=
        uint64_t{area.file->mapping->swapped_pages(area.page_index(area.start), area.page_index(area.end - 1))}
        << kPageShift;
  }
}

enum class Rollup : bool { kNo, kYes };

class Lines {
 public:
  explicit Lines(std::string& text) : text_(text) {}
  // "Name:", in a column, and kilobytes.
  void bytes(std::string_view name, uint64_t value) {
    fmt::format_to(std::back_inserter(text_), "{:<16}{:>8} kB\n", fmt::format("{}:", name), value >> 10);
  }
  void pss(std::string_view name, uint64_t value) { bytes(name, value >> kPssShift); }

 private:
  std::string& text_;
};

// Linux: __show_smap.
void append_stats(std::string& text, const MemSizeStats& stats, Rollup rollup, vm::ProcText kind) {
  Lines lines(text);
  lines.bytes("Rss", stats.resident);
  lines.pss("Pss", stats.pss);
  lines.pss("Pss_Dirty", stats.pss_dirty);
  if (rollup == Rollup::kYes) {
    lines.pss("Pss_Anon", stats.pss_anon);
    lines.pss("Pss_File", stats.pss_file);
    lines.pss("Pss_Shmem", stats.pss_shmem);
  }
  lines.bytes("Shared_Clean", stats.shared_clean);
  lines.bytes("Shared_Dirty", stats.shared_dirty);
  lines.bytes("Private_Clean", stats.private_clean);
  lines.bytes("Private_Dirty", stats.private_dirty);
  lines.bytes("Referenced", stats.referenced);
  lines.bytes("Anonymous", stats.anonymous);
  if (kind == vm::ProcText::k6_18) {
    lines.bytes("KSM", 0);
  }
  lines.bytes("LazyFree", stats.lazyfree);
  for (const std::string_view name :
       {"AnonHugePages", "ShmemPmdMapped", "FilePmdMapped", "Shared_Hugetlb", "Private_Hugetlb"}) {
    lines.bytes(name, 0);
  }
  lines.bytes("Swap", stats.swap);
  lines.pss("SwapPss", stats.swap_pss);
  lines.pss("Locked", stats.pss_locked);
}

// Linux: show_smap_vma_flags.
void append_flags(std::string& text, uint32_t flags, vm::ProcText kind) {
  // By bit.
  static constexpr std::array<std::string_view, 32> kNames = {
      "rd", "wr", "ex", "sh", "mr", "mw", "me", "ms",  //
      "gd", "??", "pf", "??", "??", "lo", "io", "sr",  //
      "rr", "dc", "de", "lf", "ac", "nr", "ht", "sf",  //
      "??", "wf", "dd", "sd", "mm", "hg", "nh", "mg",
  };
  text += "VmFlags: ";
  for (uint32_t bit = 0; bit < kNames.size(); ++bit) {
    if ((flags >> bit & 1) != 0) {
      const bool unnamed = (1u << bit) == vm::VmFlag::kLockOnFault && kind == vm::ProcText::k6_1;
      text += unnamed ? "??" : kNames[bit];
      text += ' ';
    }
  }
  text += '\n';
}

}  // namespace

void append_smap(std::string& text, vm::AddressSpace& mm, const vm::VmArea& area, const vm::KernelProfile& profile) {
  MemSizeStats stats;
  gather(stats, mm, area);
  append_map_line(text, mm, area, profile);
  Lines lines(text);
  lines.bytes("Size", uint64_t{area.pages()} << kPageShift);
  lines.bytes("KernelPageSize", kPageSize);
  lines.bytes("MMUPageSize", kPageSize);
  append_stats(text, stats, Rollup::kNo, profile.proc_text);
  text += profile.proc_text == vm::ProcText::k6_18 ? "THPeligible:           0\n" : "THPeligible:    0\n";
  append_flags(text, area.flags, profile.proc_text);
}

std::string format_smaps_rollup(vm::AddressSpace& mm, const vm::KernelProfile& profile) {
  MemSizeStats stats;
  for (const vm::VmArea* area = mm.areas().first(); area != nullptr; area = area->next) {
    gather(stats, mm, *area);
  }
  std::string text;
  append_rollup_line(text, mm, profile);
  append_stats(text, stats, Rollup::kYes, profile.proc_text);
  return text;
}

}  // namespace fl::guest
