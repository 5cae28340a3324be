// --dump pagetable and --dump maps.
#include <fmt/format.h>

#include <iterator>

#include "emu/dump/area_name.hpp"
#include "emu/dump/dump.hpp"
#include "mmu/layout.hpp"
#include "vm/memory_system.hpp"

namespace fl::emu {
namespace {

using Output = std::back_insert_iterator<std::string>;

// "rw-p [heap]", "r-xp /bin/hello page 1": the mapping of a page and where in it the page is.
std::string describe_mapping(const vm::AddressSpace& mm, VirtAddr va) {
  const vm::VmArea* area = mm.areas().lookup(va);
  if (area == nullptr) {
    return "no mapping";
  }
  const std::string_view name = area_name(mm, *area);
  std::string text = fmt::format("{} {}", vm::permissions(*area), name.empty() ? "anonymous" : name);
  if (area->file != nullptr) {
    text += fmt::format(" page {}", area->page_index(va));
  }
  return text;
}

void dump_table(vm::AddressSpace& mm, const mmu::Pte* table, VirtAddr first, Output out) {
  const vm::MemorySystem& memory = mm.memory();
  for (uint32_t i = 0; i < mmu::kEntriesPerTable; ++i) {
    const mmu::Pte pte = table[i];
    if (pte.none()) {
      continue;
    }
    const VirtAddr va = first + i * kPageSize;
    fmt::format_to(out, "  pte {:03x}  {:08x}  {:08x}  {}", i, va.value(), pte.raw(),
                   describe_entry(pte, memory.profile().no_execute));
    if (pte.present()) {
      fmt::format_to(out, "; {} {:#x}", pte.pfn() == memory.zero_page() ? "zero page, frame" : "frame",
                     pte.pfn().value());
    }
    fmt::format_to(out, "; {}\n", describe_mapping(mm, va));
  }
}

}  // namespace

std::string dump_maps(const DumpSubject& subject, const vm::AddressSpace& mm) {
  std::string text = fmt::format("maps of process {} ({})\n", subject.pid, subject.comm);
  const Output out = std::back_inserter(text);
  for (const vm::VmArea* area = mm.areas().first(); area != nullptr; area = area->next) {
    const uint64_t device = area->file != nullptr ? area->file->device : 0;
    const uint64_t inode = area->file != nullptr ? area->file->inode : 0;
    const uint64_t offset = area->anonymous() ? 0 : uint64_t{area->pgoff} << kPageShift;
    const std::string line = fmt::format("{:08x}-{:08x} {} {:08x} {:02x}:{:02x} {} ", area->start.value(),
                                         area->end.value(), vm::permissions(*area), offset, (device >> 8) & 0xfff,
                                         (device & 0xff) | ((device >> 12) & 0xfff00), inode);
    const std::string_view name = area_name(mm, *area);
    // Linux pads to the same column before a name.
    fmt::format_to(out, "{:{}}{}\n", line, name.empty() ? 0 : 49, name);
  }
  return text;
}

std::string dump_page_tables(const DumpSubject& subject, vm::AddressSpace& mm) {
  const mmu::PageTables& tables = mm.tables();
  const mmu::Ram& ram = mm.memory().ram();
  std::string text =
      fmt::format("page tables of process {} ({})\ncr3 {:08x}: page directory; {} page tables\n", subject.pid,
                  subject.comm, PhysAddr(tables.directory()).value(), tables.table_frames());
  const Output out = std::back_inserter(text);
  const auto* directory = reinterpret_cast<const mmu::Pte*>(ram.physical(tables.directory()));
  for (uint32_t i = 0; i < mmu::kEntriesPerTable; ++i) {
    const mmu::Pte pde = directory[i];
    if (pde.none()) {
      continue;
    }
    const VirtAddr first(i << mmu::kPgdirShift);
    fmt::format_to(out, "pde {:03x}    {:08x}  {:08x}  {}", i, first.value(), pde.raw(),
                   describe_entry(pde, mm.memory().profile().no_execute));
    if (pde.large()) {
      fmt::format_to(out, "; frames {:#x}-{:#x}; kernel direct map\n", pde.pfn().value(),
                     pde.pfn().value() + mmu::kEntriesPerTable - 1);
    } else {
      fmt::format_to(out, "; page table in frame {:#x}\n", pde.pfn().value());
      dump_table(mm, reinterpret_cast<const mmu::Pte*>(ram.physical(pde.pfn())), first, out);
    }
  }
  return text;
}

}  // namespace fl::emu
