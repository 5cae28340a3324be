// OomKill: when nothing can be reclaimed any more, a process is chosen and killed for its memory. Linux counterpart:
// mm/oom_kill.c (out_of_memory, oom_badness, oom_kill_process, dump_tasks, oom_reaper).
//
// The victim's private memory is given back at once (Linux: by oom_reaper, a moment later), unless the victim is who
// needs memory just now: then it may use the reserve until it has come to its end. Accesses to memory that was given
// back fail. Who removes a swap area for which there is not enough memory is killed for it, and the area
// stays. Simplified: no cpusets; vm.panic_on_oom and vm.oom_kill_allocating_task are 0.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "vm/phys/page_allocator.hpp"

namespace fl::vm {
class MemCgroup;
class MemorySystem;
}  // namespace fl::vm

namespace fl::guest {

class Kernel;
struct Task;
struct ThreadGroup;

// Memory, or what its limit is, and swap together. Linux: oc->totalpages.
int64_t oom_total_pages(vm::MemorySystem& memory, const vm::MemCgroup* memcg = nullptr);
// What killing the task's process would bring, in pages, with its oom_score_adj; nothing: it is spared. Linux:
// oom_badness.
std::optional<int64_t> oom_badness(const Task& task, int64_t total_pages);

// A process that may be killed, by one of its threads, and what its death would bring, in pages.
struct OomCandidate {
  Task* task = nullptr;
  int64_t points = 0;
};
// Lets somebody else decide. Linux: the BPF hooks that were proposed for oom_kill.c.
class OomChooser {
 public:
  virtual ~OomChooser() = default;
  // `chosen`: who would be killed. The index of who is.
  virtual size_t choose_victim(std::span<const OomCandidate> candidates, size_t chosen) = 0;
};

class OomKill final : public vm::OomKiller {
 public:
  // Registers with the page allocator, until it goes.
  explicit OomKill(Kernel& kernel);
  ~OomKill() override;
  Action out_of_memory(vm::Gfp gfp, uint32_t order) override;
  // All processes are in the group.
  Action memcg_out_of_memory(vm::Gfp gfp, uint32_t order) override;

 private:
  bool current_is_origin() const;
  Action choose_and_kill(vm::Gfp gfp, uint32_t order, const vm::MemCgroup* memcg);
  Task* select_victim(int64_t total_pages);
  void report(const Task& victim, vm::Gfp gfp, uint32_t order, const vm::MemCgroup* memcg);
  void kill(Task& victim);

  Kernel& kernel_;
};

}  // namespace fl::guest
