// Compaction: large free blocks out of scattered free frames, by moving movable pages from the low end of a zone to
// free frames at its high end. Linux counterpart: mm/compaction.c (compact_zone, isolate_migratepages,
// isolate_freepages, try_to_compact_pages, compact_nodes).
//
// Simplified: always synchronous; each run starts at the ends of the zone (no cached scanner positions, no skip marks,
// no deferring after failures); no proactive compaction by kcompactd.
#pragma once

#include <cstdint>

#include "vm/phys/page_allocator.hpp"

namespace fl::vm {

class MemorySystem;

class Compaction final : public Compactor {
 public:
  explicit Compaction(MemorySystem& memory) : memory_(memory) {}

  // Direct compaction: stops when a block of the order is free.
  bool compact(uint32_t order, ZoneType highest) override;
  // All zones of all nodes from end to end: what a write to /proc/sys/vm/compact_memory does.
  void compact_all();

 private:
  MemorySystem& memory_;
};

}  // namespace fl::vm
