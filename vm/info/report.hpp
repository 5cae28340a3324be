// The texts in which the memory system tells about itself: /proc/{buddyinfo,meminfo,...}, --dump, SIGUSR1.
//
// Each is made from the real structures when it is asked for and changes nothing. Formats: those of an i386 6.1 kernel,
// byte for byte. Linux counterparts: mm/vmstat.c, mm/show_mem.c, fs/proc/meminfo.c, mm/slab_common.c, mm/swapfile.c,
// mm/vmalloc.c, kernel/resource.c.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace fl::vm {

class MemorySystem;

struct MemoryReport {
  std::string_view name;  // its name in /proc
  uint32_t mode;          // its permission bits there
  std::string (*text)(MemorySystem& memory);
};

// Sorted by name.
std::span<const MemoryReport> memory_reports();
// Null if there is none of that name.
const MemoryReport* find_memory_report(std::string_view name);

}  // namespace fl::vm
