// Migration: moving a page to another frame while programs map it, unseen by them. Linux counterpart: mm/migrate.c
// (move_to_new_folio, try_to_migrate, remove_migration_ptes).
//
// Anonymous and cached pages can move: rmap finds every entry that maps them. Simplified: the kernel runs alone, so
// entries go from the old frame to the new one at once, without migration entries in between.
#pragma once

#include "mmu/base/addr.hpp"

namespace fl::vm {

class MemorySystem;

// Whether the frame holds a page that only page tables and the page cache refer to. Somebody who needs a page to stay
// where it is takes a reference.
bool is_movable(MemorySystem& memory, Pfn pfn);

// Moves the page in `from`, which is movable, to `to`: a frame fresh from the allocator. `from` is free afterwards.
void migrate_page(MemorySystem& memory, Pfn from, Pfn to);

}  // namespace fl::vm
