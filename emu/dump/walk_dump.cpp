// --dump walk:ADDR: the two steps of the page-table walk, with every number that takes part.
#include <fmt/format.h>

#include <array>
#include <iterator>

#include "emu/dump/area_name.hpp"
#include "emu/dump/dump.hpp"
#include "mmu/layout.hpp"
#include "vm/memory_system.hpp"

namespace fl::emu {
namespace {

// What both levels allow together; a level that is not present allows nothing.
struct Rights {
  bool present = false, user = false, write = false, execute = false;
};

Rights combine(mmu::Pte pde, mmu::Pte pte, mmu::NoExecute no_execute) {
  Rights rights;
  rights.present = pde.hw_present() && pte.hw_present();
  rights.user = pde.user() && pte.user();
  rights.write = pde.writable() && pte.writable();
  rights.execute = no_execute == mmu::NoExecute::kUnsupported || !pte.no_execute();
  return rights;
}

// The error code of a user access, or -1 if it is allowed.
int64_t user_error(const Rights& rights, mmu::Access access, mmu::NoExecute no_execute) {
  using Error = mmu::PageFaultError;
  const bool allowed = rights.present && rights.user && (access != mmu::Access::kWrite || rights.write) &&
                       (access != mmu::Access::kFetch || rights.execute);
  if (allowed) {
    return -1;
  }
  uint32_t code = Error::kUser;
  code |= rights.present ? Error::kProtection : 0u;
  code |= access == mmu::Access::kWrite ? Error::kWrite : 0u;
  // A processor without no-execute does not tell fetches from reads.
  code |= access == mmu::Access::kFetch && no_execute == mmu::NoExecute::kHonoured ? Error::kInstruction : 0u;
  return code;
}

}  // namespace

std::string dump_walk(const DumpSubject& subject, vm::AddressSpace& mm, VirtAddr addr) {
  const vm::MemorySystem& memory = mm.memory();
  const mmu::NoExecute no_execute = memory.profile().no_execute;
  const PhysAddr directory(mm.tables().directory());
  std::string text = fmt::format("walk of {:08x} in process {} ({})\n", addr.value(), subject.pid, subject.comm);
  const auto out = std::back_inserter(text);
  fmt::format_to(out, "  address    directory index {:#x}, table index {:#x}, offset {:#x}\n", mmu::pgd_index(addr),
                 mmu::pte_index(addr), addr.page_offset());
  fmt::format_to(out, "  cr3        {:08x}: page directory\n", directory.value());

  const mmu::Pte pde = mm.tables().directory_entry(addr);
  fmt::format_to(out, "  pde        at {:08x} = {:08x}: {}", directory.value() + mmu::pgd_index(addr) * 4, pde.raw(),
                 describe_entry(pde, no_execute));
  mmu::Pte pte;
  if (!pde.hw_present()) {
    text += "\n";
  } else if (pde.large()) {
    // The walk ends here; the rest goes on with the 4-KiB part of the large page.
    pte = mmu::Pte(pde.pfn() + mmu::pte_index(addr), pde.raw() & kPageOffsetMask);
    fmt::format_to(out, "; maps frames {:#x}-{:#x}\n", pde.pfn().value(),
                   pde.pfn().value() + mmu::kEntriesPerTable - 1);
  } else {
    const PhysAddr table(pde.pfn());
    pte = reinterpret_cast<const mmu::Pte*>(memory.ram().physical(pde.pfn()))[mmu::pte_index(addr)];
    fmt::format_to(out, "; page table in frame {:#x}\n", pde.pfn().value());
    fmt::format_to(out, "  pte        at {:08x} = {:08x}: {}", table.value() + mmu::pte_index(addr) * 4, pte.raw(),
                   describe_entry(pte, no_execute));
    if (pte.present()) {
      fmt::format_to(out, "; {} {:#x}", pte.pfn() == memory.zero_page() ? "zero page, frame" : "frame",
                     pte.pfn().value());
    }
    text += "\n";
  }
  const Rights rights = combine(pde, pte, no_execute);
  if (rights.present) {
    fmt::format_to(out, "  physical   {:08x}\n", PhysAddr(pte.pfn()).value() + addr.page_offset());
  }
  struct Attempt {
    std::string_view name;
    mmu::Access access;
  };
  constexpr std::array<Attempt, 3> kAttempts{
      {{"read", mmu::Access::kRead}, {"write", mmu::Access::kWrite}, {"fetch", mmu::Access::kFetch}}};
  for (const Attempt& attempt : kAttempts) {
    const int64_t error = user_error(rights, attempt.access, no_execute);
    if (error < 0) {
      fmt::format_to(out, "  user {:<5} allowed\n", attempt.name);
    } else {
      const auto code = static_cast<uint32_t>(error);
      fmt::format_to(out, "  user {:<5} page fault, error code {:#x} ({}), cr2 {:08x}\n", attempt.name, code,
                     describe_error_code(code), addr.value());
    }
  }
  if (const vm::VmArea* area = mm.areas().lookup(addr)) {
    const std::string_view name = area_name(mm, *area);
    fmt::format_to(out, "  mapping    {:08x}-{:08x} {} {}", area->start.value(), area->end.value(),
                   vm::permissions(*area), name.empty() ? "anonymous" : name);
    if (area->file != nullptr) {
      fmt::format_to(out, " page {}", area->page_index(addr));
    }
    text += "\n";
  } else {
    fmt::format_to(out, "  mapping    {}\n", mmu::is_kernel_address(addr) ? "the kernel's" : "none");
  }
  return text;
}

}  // namespace fl::emu
