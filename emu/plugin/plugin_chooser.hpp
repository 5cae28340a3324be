// PluginChooser: asks plugins where they may decide. Where none of them has the policy, the answer stays Linux's.
#pragma once

#include "emu/plugin/include/faultline/plugin.h"
#include "guest/task/oom_kill.hpp"
#include "vm/memory_probe.hpp"

namespace fl::emu {

class PluginChooser final : public vm::MemoryChooser, public guest::OomChooser {
 public:
  template <typename Fn>
  struct Policy {
    Fn fn = nullptr;  // null: nobody's
    void* user = nullptr;
  };
  Policy<faultline_around_fn> around;
  Policy<faultline_evict_fn> eviction;
  Policy<faultline_readahead_fn> readahead;
  Policy<faultline_oom_fn> oom_victim;

  bool decides_memory() const { return around.fn != nullptr || eviction.fn != nullptr || readahead.fn != nullptr; }
  bool decides_oom() const { return oom_victim.fn != nullptr; }

  void fault_around(const vm::VmArea& area, VirtAddr page, VirtAddr& from, VirtAddr& to) override;
  void evict(vm::MemorySystem& memory, std::span<const Pfn> pages, std::span<vm::EvictionChoice> choices) override;
  uint32_t swap_readahead(const vm::VmArea& area, VirtAddr addr, uint32_t pages) override;
  size_t choose_victim(std::span<const guest::OomCandidate> candidates, size_t chosen) override;
};

}  // namespace fl::emu
