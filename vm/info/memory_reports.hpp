// /proc/meminfo, vmstat, slabinfo, swaps, vmallocinfo and iomem. Linux counterparts: fs/proc/meminfo.c, mm/vmstat.c,
// mm/slab_common.c, mm/swapfile.c, mm/vmalloc.c, kernel/resource.c.
//
// Lines of what does not exist here (zswap, huge pages, memory failure, CMA) are those of a kernel built without it:
// missing.
#pragma once

#include <string>

namespace fl::vm {

class MemorySystem;

std::string format_meminfo(MemorySystem& memory);
std::string format_vmstat(MemorySystem& memory);
std::string format_slabinfo(MemorySystem& memory);
std::string format_swaps(MemorySystem& memory);
std::string format_vmallocinfo(MemorySystem& memory);
std::string format_iomem(MemorySystem& memory);

}  // namespace fl::vm
