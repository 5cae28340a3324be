// From a page to every entry that maps it. Linux counterpart: rmap_walk_anon, rmap_walk_file, page_vma_mapped_walk
// (mm/rmap.c, mm/page_vma_mapped.c).
#pragma once

#include <functional>

#include "mmu/base/addr.hpp"
#include "mmu/pte.hpp"
#include "vm/mm/vm_area.hpp"

namespace fl::vm {

class MemorySystem;

// Goes on while it returns true. It may change the entry, but no area.
using RmapVisitor = std::function<bool(VmArea& area, VirtAddr va, mmu::Pte& pte)>;

// Calls visit for each entry that maps the frame and is counted in its mapcount: by the members of the AnonVma of an
// anonymous page, by the areas of the Mapping of a cached one, in the order in which they joined; other pages have
// none. False if a visit returned false.
bool rmap_walk(MemorySystem& memory, Pfn pfn, const RmapVisitor& visit);

// A locked area maps the frame.
bool mapped_by_locked_area(MemorySystem& memory, Pfn pfn);

}  // namespace fl::vm
