// Counting and comparing.
#include "vm/verify/census.hpp"

#include <fmt/format.h>

#include <set>

#include "vm/memory_system.hpp"
#include "vm/swap/swap_space.hpp"

namespace fl::vm {

MemoryCensus take_census(MemorySystem& memory) {
  memory.slab().shrink_all();
  MemoryCensus census;
  // The kernel's page tables stay for ever, as in Linux: the first swapon makes one for vmalloc.
  census["free frames"] = memory.pages().free_frames() + memory.kernel_space().table_frames();
  census["page tables"] = memory.pages().table_frames();
  census["cached pages"] = memory.cache().cached_pages();
  census["swap slots"] =
      static_cast<int64_t>(memory.swap().total_swap_pages()) - static_cast<int64_t>(memory.swap().free_swap_pages());
  for (const SlabInfo& cache : memory.slab().slabinfo()) {
    census[fmt::format("slab {}", cache.name)] += cache.used_objs;
  }
  return census;
}

std::vector<std::string> differences_since_boot(const MemoryCensus& boot, const MemoryCensus& now) {
  const auto count_in = [](const MemoryCensus& census, const std::string& name) {
    const auto found = census.find(name);
    return found == census.end() ? 0 : found->second;
  };
  std::set<std::string> names;
  for (const MemoryCensus* census : {&boot, &now}) {
    for (const auto& [name, count] : *census) {
      names.insert(name);
    }
  }
  std::vector<std::string> lines;
  for (const std::string& name : names) {
    const int64_t difference = count_in(now, name) - count_in(boot, name);
    if (difference != 0) {
      lines.push_back(fmt::format("{}: {} {} than at boot", name, difference > 0 ? difference : -difference,
                                  difference > 0 ? "more" : "fewer"));
    }
  }
  return lines;
}

}  // namespace fl::vm
