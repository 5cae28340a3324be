// Questions to plugins, and their answers made safe.
#include "emu/plugin/plugin_chooser.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "emu/plugin/convert.hpp"
#include "guest/task.hpp"
#include "vm/reclaim/evict.hpp"

namespace fl::emu {

void PluginChooser::fault_around(const vm::VmArea& area, VirtAddr page, VirtAddr& from, VirtAddr& to) {
  if (around.fn == nullptr) {
    return;
  }
  const faultline_vma vma = to_named_vma(*area.mm, area);
  uint32_t first = from.value(), end = to.value();
  around.fn(around.user, &vma, page.value(), &first, &end);
  from = VirtAddr(first);
  to = VirtAddr(end);
}

void PluginChooser::evict(vm::MemorySystem& /*memory*/, std::span<const Pfn> pages,
                          std::span<vm::EvictionChoice> choices) {
  if (eviction.fn == nullptr) {
    return;
  }
  std::array<uint32_t, vm::ScanControl::kSwapClusterMax> pfns;
  std::array<uint8_t, vm::ScanControl::kSwapClusterMax> verdicts{};
  std::transform(pages.begin(), pages.end(), pfns.begin(), [](Pfn pfn) { return pfn.value(); });
  eviction.fn(eviction.user, pfns.data(), static_cast<uint32_t>(pages.size()), verdicts.data());
  for (size_t i = 0; i < pages.size(); ++i) {
    choices[i] = verdicts[i] == FAULTLINE_EVICT  ? vm::EvictionChoice::kEvict
                 : verdicts[i] == FAULTLINE_KEEP ? vm::EvictionChoice::kKeep
                                                 : vm::EvictionChoice::kDefault;
  }
}

uint32_t PluginChooser::swap_readahead(const vm::VmArea& area, VirtAddr addr, uint32_t pages) {
  if (readahead.fn == nullptr) {
    return pages;
  }
  const faultline_vma vma = to_named_vma(*area.mm, area);
  return readahead.fn(readahead.user, &vma, addr.value(), pages);
}

size_t PluginChooser::choose_victim(std::span<const guest::OomCandidate> candidates, size_t chosen) {
  std::vector<uint32_t> tids;
  std::vector<int64_t> points;
  for (const guest::OomCandidate& candidate : candidates) {
    tids.push_back(candidate.task->tid);
    points.push_back(candidate.points);
  }
  const uint32_t answer = oom_victim.fn(oom_victim.user, tids.data(), points.data(),
                                        static_cast<uint32_t>(candidates.size()), static_cast<uint32_t>(chosen));
  return answer < candidates.size() ? answer : chosen;
}

}  // namespace fl::emu
