// munmap(2) and freeing page tables. Linux counterpart: do_vmi_munmap, free_pgtables.
// Splitting may fail and comes first; from the first dropped page on nothing can fail.
#include <algorithm>

#include "mmu/layout.hpp"
#include "vm/memory_system.hpp"
#include "vm/mm/address_space.hpp"
#include "vm/mm/area_editor.hpp"
#include "vm/verify/verify.hpp"

namespace fl::vm {
namespace {

// Frees the tables of [start, end) that no area needs any more: those between the neighbours' ends.
void free_page_tables(mmu::PageTables& tables, const VmaTree& areas, VirtAddr start, VirtAddr end) {
  const VmArea* next = areas.find(start);
  const VmArea* prev = next != nullptr ? next->prev : areas.last();
  const uint64_t table = mmu::kPgdirSize;
  const uint64_t floor = std::max<uint64_t>(prev != nullptr ? prev->end.value() : 0, start.value() & ~(table - 1));
  const uint64_t ceiling = std::min<uint64_t>(next != nullptr ? next->start.value() : mmu::kTaskSize,
                                              (end.value() + table - 1) & ~(table - 1));
  if (floor < ceiling) {
    tables.free_tables(VirtAddr(static_cast<uint32_t>(floor)), ceiling);
  }
}

}  // namespace

Status AddressSpace::munmap(VirtAddr addr, uint32_t length) {
  const MmCall call(*this);
  const uint64_t bytes = page_align_up(length);
  if (!addr.page_aligned() || bytes == 0 || addr.value() > mmu::kTaskSize || bytes > mmu::kTaskSize - addr.value()) {
    return fail(Errno::kEINVAL);
  }
  const VirtAddr end = addr + static_cast<uint32_t>(bytes);
  VmArea* first = areas_.find_intersection(addr, end);
  if (first == nullptr) {
    return {};
  }
  AreaEditor editor(*this);
  if (first->start < addr) {
    FL_TRY_ASSIGN(first, editor.split(first, addr));
  }
  VmArea* last = areas_.lookup(end - 1);
  if (last != nullptr && end < last->end) {
    if (const auto cut = editor.split(last, end); !cut) {
      editor.merge(first);
      return fail(cut.error());
    }
  }
  for (VmArea* area = areas_.find_intersection(addr, end); area != nullptr && area->start < end;) {
    VmArea* next = area->next;
    zap_range(*area, area->start, area->end);
    editor.remove(area);
    area = next;
  }
  free_page_tables(tables_, areas_, addr, end);
  return {};
}

}  // namespace fl::vm
