// Field by field.
#include "emu/plugin/convert.hpp"

#include <algorithm>
#include <array>

#include "emu/dump/area_name.hpp"

namespace fl::emu {
namespace {

struct FlagPair {
  uint32_t ours;
  uint32_t theirs;
};
constexpr std::array<FlagPair, 15> kPageFlags{{
    {vm::PageFlag::kReserved, FAULTLINE_PAGE_RESERVED},
    {vm::PageFlag::kBuddy | vm::PageFlag::kPcp, FAULTLINE_PAGE_FREE},
    {vm::PageFlag::kTable, FAULTLINE_PAGE_TABLE},
    {vm::PageFlag::kSlab, FAULTLINE_PAGE_SLAB},
    {vm::PageFlag::kAnon, FAULTLINE_PAGE_ANON},
    {vm::PageFlag::kCache, FAULTLINE_PAGE_FILE},
    {vm::PageFlag::kShmem, FAULTLINE_PAGE_SHMEM},
    {vm::PageFlag::kDirty, FAULTLINE_PAGE_DIRTY},
    {vm::PageFlag::kLru, FAULTLINE_PAGE_LRU},
    {vm::PageFlag::kActive, FAULTLINE_PAGE_ACTIVE},
    {vm::PageFlag::kReferenced, FAULTLINE_PAGE_REFERENCED},
    {vm::PageFlag::kUnevictable, FAULTLINE_PAGE_UNEVICTABLE},
    {vm::PageFlag::kSwapCache, FAULTLINE_PAGE_SWAPCACHE},
    {vm::PageFlag::kWorkingset, FAULTLINE_PAGE_WORKINGSET},
    {vm::PageFlag::kKernel, FAULTLINE_PAGE_KERNEL},
}};

}  // namespace

uint32_t mm_name(const vm::AddressSpace* mm) {
  return mm == nullptr ? 0 : const_cast<vm::AddressSpace*>(mm)->memory().kernel_address(mm).value();
}

faultline_vma to_vma(const vm::AddressSpace& mm, const vm::AreaShape& area) {
  faultline_vma vma{};
  vma.size = sizeof vma;
  vma.start = area.start.value();
  vma.end = area.end.value();
  vma.flags = area.flags;
  vma.pgoff = area.pgoff;
  vma.name = "";
  if (area.file != nullptr) {
    vma.device = area.file->device;
    vma.inode = area.file->inode;
  }
  vma.mm = mm_name(&mm);
  return vma;
}

faultline_vma to_named_vma(const vm::AddressSpace& mm, const vm::VmArea& area) {
  faultline_vma vma = to_vma(mm, area);
  if (const std::string_view name = area_name(mm, area); !name.empty()) {
    vma.name = name.data();
    vma.name_length = static_cast<uint32_t>(name.size());
  }
  return vma;
}

faultline_page to_page(vm::MemorySystem& memory, Pfn pfn) {
  const vm::Page& page = memory.page(pfn);
  faultline_page out{};
  out.size = sizeof out;
  out.pfn = pfn.value();
  for (const FlagPair& pair : kPageFlags) {
    out.flags |= page.has(pair.ours) ? pair.theirs : 0u;
  }
  if (page.has(vm::PageFlag::kReadahead) && !page.has(vm::PageFlag::kWriteback)) {
    out.flags |= FAULTLINE_PAGE_READAHEAD;
  }
  // Inside a free block only the head says so; an allocated one says of each frame what it is.
  constexpr uint32_t kInUse = vm::PageFlag::kReserved | vm::PageFlag::kTable | vm::PageFlag::kSlab |
                              vm::PageFlag::kAnon | vm::PageFlag::kCache | vm::PageFlag::kSwapCache |
                              vm::PageFlag::kKernel | vm::PageFlag::kHead | vm::PageFlag::kTail;
  if (page.refcount == 0 && !page.has(kInUse)) {
    out.flags |= FAULTLINE_PAGE_FREE;
  }
  out.refcount = page.refcount;
  out.mapcount = page.mapcount;
  out.index = page.index;
  out.order = page.has(vm::PageFlag::kBuddy | vm::PageFlag::kPcp) ? page.private_ : 0;
  out.zone = static_cast<uint8_t>(page.zone());
  out.node = static_cast<uint8_t>(page.node());
  return out;
}

faultline_walk to_walk(const vm::AddressSpace& mm, VirtAddr addr) {
  auto& memory = const_cast<vm::AddressSpace&>(mm).memory();
  faultline_walk walk{};
  walk.size = sizeof walk;
  walk.cr3 = PhysAddr(mm.tables().directory()).value();
  const mmu::Pte pde = mm.tables().directory_entry(addr);
  walk.pde_at = walk.cr3 + mmu::pgd_index(addr) * 4;
  walk.pde = pde.raw();
  mmu::Pte pte;
  if (pde.hw_present() && pde.large()) {
    pte = mmu::Pte(pde.pfn() + mmu::pte_index(addr), pde.raw() & kPageOffsetMask);
  } else if (pde.hw_present()) {
    pte = reinterpret_cast<const mmu::Pte*>(memory.ram().physical(pde.pfn()))[mmu::pte_index(addr)];
    walk.pte_at = PhysAddr(pde.pfn()).value() + mmu::pte_index(addr) * 4;
    walk.pte = pte.raw();
  }
  if (pde.hw_present() && pte.hw_present()) {
    walk.present = 1;
    walk.physical = PhysAddr(pte.pfn()).value() + addr.page_offset();
    walk.user_read = pde.user() && pte.user();
    walk.user_write = walk.user_read != 0 && pde.writable() && pte.writable();
    walk.user_fetch =
        walk.user_read != 0 && (memory.profile().no_execute == mmu::NoExecute::kUnsupported || !pte.no_execute());
  }
  return walk;
}

faultline_task to_task(const guest::Task& task, const guest::Task* current) {
  faultline_task out{};
  out.size = sizeof out;
  out.tid = task.tid;
  out.pid = task.tgid;
  out.parent_pid = task.group != nullptr ? task.group->parent_id() : 0;
  std::copy_n(task.comm.begin(), std::min(task.comm.size(), sizeof out.comm - 1), out.comm);
  out.mm = mm_name(task.mm.get());
  out.state = static_cast<uint8_t>(task.state);
  out.current = &task == current;
  out.minor_faults = task.faults.minor;
  out.major_faults = task.faults.major;
  out.syscalls = task.syscalls;
  if (task.mm != nullptr) {
    out.rss = task.mm->use().rss();
    out.swapped = task.mm->use().swap_entries;
    out.total_vm = task.mm->use().total_vm;
    out.page_tables = task.mm->tables().table_frames();
  }
  return out;
}

faultline_registers to_registers(const guest::Registers& regs) {
  faultline_registers out{};
  out.size = sizeof out;
  out.eax = regs.eax;
  out.ebx = regs.ebx;
  out.ecx = regs.ecx;
  out.edx = regs.edx;
  out.esi = regs.esi;
  out.edi = regs.edi;
  out.ebp = regs.ebp;
  out.esp = regs.esp;
  out.eip = regs.eip;
  out.eflags = regs.eflags;
  out.cs = regs.cs;
  out.ss = regs.ss;
  out.ds = regs.ds;
  out.es = regs.es;
  out.fs = regs.fs;
  out.gs = regs.gs;
  return out;
}

}  // namespace fl::emu
