// slabinfo, version 2.1, and vmallocinfo. Linux: slabinfo_show, cache_show; s_show of mm/vmalloc.c.
#include <fmt/format.h>

#include <iterator>

#include "vm/info/memory_reports.hpp"
#include "vm/memory_system.hpp"

namespace fl::vm {

std::string format_slabinfo(MemorySystem& memory) {
  std::string text =
      "slabinfo - version: 2.1\n"
      "# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables <limit> <batchcount>"
      " <sharedfactor> : slabdata <active_slabs> <num_slabs> <sharedavail>\n";
  for (const SlabInfo& cache : memory.slab().slabinfo()) {
    fmt::format_to(std::back_inserter(text),
                   "{:<17} {:6} {:6} {:6} {:4} {:4} : tunables {:4} {:4} {:4} : slabdata {:6} {:6} {:6}\n", cache.name,
                   cache.active_objs, cache.num_objs, cache.objsize, cache.objects_per_slab, cache.pages_per_slab,
                   cache.limit, cache.batchcount, cache.sharedfactor, cache.active_slabs, cache.num_slabs,
                   cache.sharedavail);
  }
  return text;
}

std::string format_vmallocinfo(MemorySystem& memory) {
  std::string text;
  for (const VmStruct* area = memory.vmalloc().first(); area != nullptr; area = area->next) {
    fmt::format_to(std::back_inserter(text), "0x{:08x}-0x{:08x} {:7} {} pages={} vmalloc\n", area->addr.value(),
                   area->addr.value() + area->size, area->size, area->caller, area->pages);
  }
  return text;
}

}  // namespace fl::vm
