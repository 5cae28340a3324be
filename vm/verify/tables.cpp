// Every page-table entry of an address space: invariant 4 (rights), 8 (the zero page), 10 (what a file entry maps),
// 12, second half (resident sets), 13 (which frames are tables).
#include "mmu/layout.hpp"
#include "mmu/page_tables.hpp"
#include "vm/cache/mapping.hpp"
#include "vm/memory_system.hpp"
#include "vm/mm/address_space.hpp"
#include "vm/swap/swap_entry.hpp"
#include "vm/swap/swap_space.hpp"
#include "vm/swap/swapin_error.hpp"
#include "vm/verify/checks.hpp"

namespace fl::vm {
namespace {

using mmu::Pte;

class TableCheck {
 public:
  TableCheck(AddressSpace& mm, FrameUserTable& uses, Violations& out)
      : mm_(mm), memory_(mm.memory()), uses_(uses), out_(out) {}

  void run() {
    if (!count_table(mm_.tables().directory(), "directory")) {
      return;
    }
    const auto* kernel = reinterpret_cast<const Pte*>(memory_.ram().frame(memory_.kernel_map().directory()));
    uint32_t tables = 0;
    for (uint32_t index = 0; index < mmu::kEntriesPerTable; ++index) {
      const VirtAddr base(index << mmu::kPgdirShift);
      const Pte pde = mm_.tables().directory_entry(base);
      if (mmu::is_kernel_address(base)) {
        // A table of the vmalloc area comes when it is first needed. Linux: vmalloc_fault.
        const bool not_yet = pde.none() && (memory_.kernel_space().is_vmalloc_addr(base) ||
                                            memory_.kernel_space().is_vmalloc_addr(base + mmu::kPgdirSize - 1));
        if (!not_yet &&
            pde.without(Pte::kAccessed | Pte::kDirty) != kernel[index].without(Pte::kAccessed | Pte::kDirty)) {
          out_.add(Invariant::kTables, "directory entry {:08x} differs from the kernel's", base.value());
        }
      } else if (!pde.none()) {
        tables += check_table(base, pde) ? 1 : 0;
      }
    }
    if (tables != mm_.tables().table_frames()) {
      out_.add(Invariant::kTables, "{} page tables, counted as {}", tables, mm_.tables().table_frames());
    }
    const MemoryUse& use = mm_.use();
    check_rss("anon_rss", use.anon_rss, anon_);
    check_rss("file_rss", use.file_rss, file_);
    check_rss("shmem_rss", use.shmem_rss, shmem_);
    check_rss("swap_entries", use.swap_entries, swapped_);
    if (use.hiwater_rss < use.rss()) {
      out_.add(Invariant::kCounters, "hiwater_rss {} is below rss {}", use.hiwater_rss, use.rss());
    }
  }

 private:
  bool count_table(Pfn pfn, const char* what) {
    if (pfn.value() >= uses_.size()) {
      out_.add(Invariant::kTables, "{} in frame {:#x}, outside RAM", what, pfn.value());
      return false;
    }
    ++uses_[pfn.value()].tables;
    return true;
  }

  bool check_table(VirtAddr base, Pte pde) {
    if (!pde.hw_present() || pde.large() || !pde.writable() || !pde.user()) {
      out_.add(Invariant::kTables, "directory entry {:08x} is {:#x}", base.value(), pde.raw());
      return false;
    }
    if (!count_table(pde.pfn(), "page table")) {
      return false;
    }
    const VmArea* area = mm_.areas().find(base);
    if (area == nullptr || uint64_t{area->start.value()} >= uint64_t{base.value()} + mmu::kPgdirSize) {
      out_.add(Invariant::kTables, "the page table for {:08x} serves no area", base.value());
    }
    const auto* entries = reinterpret_cast<const Pte*>(memory_.ram().physical(pde.pfn()));
    for (uint32_t i = 0; i < mmu::kEntriesPerTable && !out_.full(); ++i) {
      if (!entries[i].none()) {
        check_entry(base + (i << kPageShift), entries[i]);
      }
    }
    return true;
  }

  void check_entry(VirtAddr va, Pte pte) {
    const VmArea* area = mm_.areas().lookup(va);
    if (area == nullptr) {
      out_.add(Invariant::kEntryRights, "entry {:#x} of {:08x} is outside every area", pte.raw(), va.value());
      return;
    }
    if (pte.swap()) {
      check_swap_entry(va, pte, *area);
      return;
    }
    if (!pte.present() || pte.pfn().value() >= uses_.size()) {
      out_.add(Invariant::kEntryRights, "entry {:#x} of {:08x} is no kind of entry", pte.raw(), va.value());
      return;
    }
    check_rights(va, pte, *area);
    if (pte.special()) {
      check_special(va, pte, *area);
    } else if (pte.pfn() == memory_.zero_page()) {
      out_.add(Invariant::kZeroPage, "entry {:#x} of {:08x} maps the zero page as if it were counted", pte.raw(),
               va.value());
    } else {
      check_page(va, pte, *area);
    }
  }

  void check_swap_entry(VirtAddr va, Pte pte, const VmArea& area) {
    const SwapEntry entry = pte_to_swp_entry(pte);
    swapped_ += non_swap_entry(entry) ? 0 : 1;
    if (!non_swap_entry(entry) && memory_.swap().swap_count(entry) == 0) {
      out_.add(Invariant::kSwap, "entry {:#x} of {:08x} is in swap, in a slot that nobody has", pte.raw(), va.value());
    }
    if (area.shared() || !area.has_anon_vma()) {
      out_.add(Invariant::kSwap, "entry {:#x} of {:08x} is in swap, its area has no anonymous pages", pte.raw(),
               va.value());
    }
  }

  void check_rights(VirtAddr va, Pte pte, const VmArea& area) {
    const auto refuse = [&](const char* what) {
      out_.add(Invariant::kEntryRights, "entry {:#x} of {:08x} {}", pte.raw(), va.value(), what);
    };
    if (pte.hw_present() != area.accessible()) {
      refuse(pte.hw_present() ? "allows access to an area without any" : "is non-present in an area with access");
    }
    if (pte.hw_present() && !pte.user()) {
      refuse("is the kernel's");
    }
    if (pte.writable() && !area.has(VmFlag::kWrite)) {
      refuse("is writable, its area is not");
    }
    if (pte.hw_present() && memory_.profile().no_execute == mmu::NoExecute::kHonoured &&
        pte.no_execute() == area.has(VmFlag::kExec)) {
      refuse(pte.no_execute() ? "cannot be executed, its area can" : "can be executed, its area cannot");
    }
  }

  void check_special(VirtAddr va, Pte pte, const VmArea& area) {
    if (pte.writable()) {
      out_.add(pte.pfn() == memory_.zero_page() ? Invariant::kZeroPage : Invariant::kEntryRights,
               "entry {:#x} of {:08x} lets a page be written that is not its own", pte.raw(), va.value());
    }
    Pfn expected = memory_.zero_page();
    if (area.special != nullptr) {
      const uint32_t index = area.page_index(va);
      expected = index < area.special->frames.size() ? area.special->frames[index] : Pfn();
    }
    if (pte.pfn() != expected || area.file != nullptr) {
      out_.add(Invariant::kEntryRights, "special entry {:#x} of {:08x} should map frame {:#x}", pte.raw(), va.value(),
               expected.value());
    }
  }

  void check_page(VirtAddr va, Pte pte, const VmArea& area) {
    FrameUsers& use = uses_[pte.pfn().value()];
    const Page& page = memory_.page(pte.pfn());
    ++use.maps;
    use.writable_private += pte.writable() && !area.shared() ? 1 : 0;
    ++(page.has(PageFlag::kAnon) ? anon_ : page.has(PageFlag::kShmem) ? shmem_ : file_);
    if (page.has(PageFlag::kAnon)) {
      check_anonymous(va, pte, area, page);
    } else {
      check_file(va, pte, area, page);
    }
  }

  void check_anonymous(VirtAddr va, Pte pte, const VmArea& area, const Page& page) {
    if (area.shared()) {
      out_.add(Invariant::kEntryRights, "entry {:#x} of {:08x} maps an anonymous page in a shared area", pte.raw(),
               va.value());
    }
    if (pte.writable() && !page.has(PageFlag::kAnonExclusive)) {
      out_.add(Invariant::kEntryRights, "entry {:#x} of {:08x} lets a page be written that may have other owners",
               pte.raw(), va.value());
    }
    if (!area.has_anon_vma()) {
      out_.add(Invariant::kEntryRights, "entry {:#x} of {:08x} maps an anonymous page, its area has no anon_vma",
               pte.raw(), va.value());
    }
  }

  void check_file(VirtAddr va, Pte pte, const VmArea& area, const Page& page) {
    if (area.file == nullptr || area.file->mapping == nullptr || !page.has(PageFlag::kCache) ||
        page.mapping != memory_.kernel_address(area.file->mapping.get()).value() || page.index != area.page_index(va)) {
      out_.add(Invariant::kPageCache, "entry {:#x} of {:08x} maps page {} of mapping {:#x}, not its area's", pte.raw(),
               va.value(), page.index, page.mapping);
      return;
    }
    if (pte.writable() && !area.shared()) {
      out_.add(Invariant::kEntryRights, "entry {:#x} of {:08x} lets a private area write to its file", pte.raw(),
               va.value());
    }
    if (area.shared() && (pte.writable() || pte.dirty()) && !page.has(PageFlag::kShmem | PageFlag::kDirty)) {
      out_.add(Invariant::kPageCache, "entry {:#x} of {:08x} may have dirtied a page that counts as clean", pte.raw(),
               va.value());
    }
  }

  void check_rss(const char* name, uint32_t says, uint32_t is) {
    if (says != is) {
      out_.add(Invariant::kCounters, "{} is {} pages, recounted {}", name, says, is);
    }
  }

  AddressSpace& mm_;
  MemorySystem& memory_;
  FrameUserTable& uses_;
  Violations& out_;
  uint32_t anon_ = 0;
  uint32_t file_ = 0;
  uint32_t shmem_ = 0;
  uint32_t swapped_ = 0;
};

}  // namespace

void check_tables(AddressSpace& mm, FrameUserTable& uses, Violations& out) { TableCheck(mm, uses, out).run(); }

}  // namespace fl::vm
