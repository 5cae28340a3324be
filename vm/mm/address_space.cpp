// Birth and death of an address space, limits, dropping pages, and what loaders map directly.
// Linux counterparts: mm_init, exit_mmap, may_expand_vm, unmap_page_range, vm_brk_flags, _install_special_mapping.
#include "vm/mm/address_space.hpp"

#include "mmu/layout.hpp"
#include "vm/kernel_caches.hpp"
#include "vm/memory_system.hpp"
#include "vm/mm/area_editor.hpp"
#include "vm/rmap.hpp"
#include "vm/swap/swap_space.hpp"
#include "vm/swap/swapin_error.hpp"
#include "vm/verify/verify.hpp"

namespace fl::vm {

Result<AddressSpace::Ptr> AddressSpace::create(MemorySystem& memory, const MemoryLimits& limits) {
  FL_TRY_ASSIGN(mmu::PageTables tables, mmu::PageTables::create(memory.ram(), memory.pages(), memory.kernel_map()));
  return memory.caches().mm.make(Key(), memory, std::move(tables), limits);
}

AddressSpace::AddressSpace(Key, MemorySystem& memory, mmu::PageTables tables, const MemoryLimits& limits)
    : memory_(memory), tables_(std::move(tables)), limits_(limits), mmap_base_(memory.profile().mmap_base) {
  memory_.spaces().push_back(*this);
}

AddressSpace::~AddressSpace() {
  // The processor goes on with the kernel's own directory. Linux: switch_mm to init_mm.
  if (memory_.mmu().cr3() == tables_.directory()) {
    memory_.mmu().set_cr3(memory_.kernel_map().directory());
  }
  if (memory_.overcommit().current() == this) {
    memory_.overcommit().set_current(nullptr);
  }
  AreaEditor editor(*this);
  while (VmArea* area = areas_.first()) {
    zap_range(*area, area->start, area->end);
    editor.remove(area);
  }
  // The directory's frame is freed too: nothing may be translated through it any more.
  memory_.tlb().flush();
  memory_.spaces().erase(memory_.spaces().iterator_to(*this));
}

bool AddressSpace::may_expand(uint32_t vm_flags, uint32_t pages) const {
  const auto within = [pages](uint64_t used, uint32_t limit) {
    return limit == kUnlimited || used + pages <= (limit >> kPageShift);
  };
  const bool is_data = (vm_flags & (VmFlag::kWrite | VmFlag::kShared | VmFlag::kGrowsDown)) == VmFlag::kWrite;
  // A data limit of nothing bounds brk alone; it is there for valgrind.
  const uint32_t data_limit = limits_.data == 0 ? limits_.data_maximum : limits_.data;
  return within(use_.total_vm, limits_.address_space) && (!is_data || within(use_.data_vm, data_limit));
}

void AddressSpace::zap_range(VmArea& area, VirtAddr start, VirtAddr end, ZapCopies copies) {
  bool flushed = false;
  tables_.for_each(start, end.value(), [&](VirtAddr, mmu::Pte& pte) {
    const mmu::Pte old = pte;
    const bool copy = old.swap() || (old.present() && !old.special() && memory_.page(old.pfn()).has(PageFlag::kAnon));
    if (copies == ZapCopies::kNo && copy) {
      return;
    }
    pte = mmu::Pte();
    if (old.accessed() && !flushed) {
      // One flush covers the whole range: no guest instruction runs before it is done.
      memory_.tlb().flush();
      flushed = true;
    }
    if (old.present()) {
      unmap_page(area, old);
    } else {
      free_swap_entry(pte_to_swp_entry(old));
    }
  });
}

void AddressSpace::free_swap_entry(SwapEntry entry) {
  if (!non_swap_entry(entry)) {
    --use_.swap_entries;
    memory_.swap().free_swap_and_cache(entry);
  }
}

Status AddressSpace::map_anonymous_fixed(VirtAddr addr, uint32_t length, uint32_t prot) {
  const MmCall call(*this);
  const uint64_t bytes = page_align_up(length);
  if (!addr.page_aligned() || bytes == 0) {
    return fail(Errno::kEINVAL);
  }
  if (bytes > mmu::kTaskSize || addr.value() > mmu::kTaskSize - bytes) {
    return fail(Errno::kENOMEM);
  }
  const VirtAddr end = addr + static_cast<uint32_t>(bytes);
  const uint32_t flags = VmFlag::kRead | VmFlag::kWrite | (prot & kVmAccessFlags) | VmFlag::kMayRead |
                         VmFlag::kMayWrite | VmFlag::kMayExec | VmFlag::kAccount | default_flags_;
  // As vm_brk_flags does: whatever stood there goes.
  if (areas_.find_intersection(addr, end) != nullptr) {
    FL_TRY(munmap(addr, static_cast<uint32_t>(bytes)));
  }
  const auto pages = static_cast<uint32_t>(bytes >> kPageShift);
  if (!may_expand(flags, pages) || areas_.size() > memory_.max_map_count()) {
    return fail(Errno::kENOMEM);
  }
  FL_TRY(memory_.overcommit().enough_memory(this, pages));
  FL_TRY(AreaEditor(*this).add_merged({.start = addr, .end = end, .flags = flags, .pgoff = addr.vpn()}));
  return {};
}

Status AddressSpace::map_stack(VirtAddr top, uint32_t bytes, uint32_t vm_flags) {
  const MmCall call(*this);
  const VirtAddr start = top - static_cast<uint32_t>(page_align_up(bytes));
  const uint32_t flags = vm_flags | VmFlag::kGrowsDown | VmFlag::kMayRead | VmFlag::kMayWrite | VmFlag::kMayExec |
                         VmFlag::kAccount | default_flags_;
  if (areas_.find_intersection(start, top) != nullptr) {
    return fail(Errno::kENOMEM);
  }
  FL_TRY(memory_.overcommit().enough_memory(this, (top - start) >> kPageShift));
  FL_TRY(AreaEditor(*this).add({.start = start, .end = top, .flags = flags, .pgoff = start.vpn()}));
  return {};
}

Result<VirtAddr> AddressSpace::map_special(VirtAddr addr, const SpecialMapping& mapping, uint32_t vm_flags) {
  const MmCall call(*this);
  const auto bytes = static_cast<uint32_t>(mapping.frames.size()) << kPageShift;
  if (addr == VirtAddr(0)) {
    FL_TRY_ASSIGN(addr, unmapped_area(VirtAddr(0), bytes));
  } else if (areas_.find_intersection(addr, addr + bytes) != nullptr) {
    return fail(Errno::kEEXIST);
  }
  const uint32_t flags = vm_flags | VmFlag::kDontExpand | default_flags_;
  FL_TRY(AreaEditor(*this).add({.start = addr, .end = addr + bytes, .flags = flags, .special = &mapping}));
  return addr;
}

}  // namespace fl::vm
