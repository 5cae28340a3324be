// MemoryCensus: who holds how much of the machine's memory, by name, so that two moments can be compared: what has not
// come back between them is a leak.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace fl::vm {

class MemorySystem;

// Counts by name: "free frames", "page tables", "cached pages", "swap slots", "vmalloc areas", and for each slab cache
// the objects in use ("slab vm_area_struct").
using MemoryCensus = std::map<std::string, int64_t>;

// Counts. Free slabs are given back first: they are nobody's.
MemoryCensus take_census(MemorySystem& memory);

// "page tables: 3 more than at boot", a line for each count that differs; empty if none does.
std::vector<std::string> differences_since_boot(const MemoryCensus& boot, const MemoryCensus& now);

}  // namespace fl::vm
