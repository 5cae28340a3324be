// /proc/buddyinfo, pagetypeinfo and zoneinfo. Linux counterpart: mm/vmstat.c.
#pragma once

#include <string>

namespace fl::vm {

class MemorySystem;

// Free blocks of each order, a line a zone. Linux: frag_show.
std::string format_buddyinfo(MemorySystem& memory);
// The same by migrate type, and page blocks by migrate type. Linux: pagetypeinfo_show.
std::string format_pagetypeinfo(MemorySystem& memory);
// Linux: zoneinfo_show. The threshold is 0: one CPU's counters have no parts that are not yet added.
std::string format_zoneinfo(MemorySystem& memory);

}  // namespace fl::vm
