// Choosing, telling, killing, reaping.
#include "guest/task/oom_kill.hpp"

#include <algorithm>
#include <vector>

#include "guest/kernel.hpp"
#include "guest/log.hpp"
#include "guest/signal/send.hpp"
#include "vm/info/totals.hpp"
#include "vm/mm/address_space.hpp"
#include "vm/swap/swap_space.hpp"

namespace fl::guest {
namespace {

constexpr int32_t kOomScoreAdjMost = 1000;

constexpr uint64_t kb(uint64_t pages) { return pages << (kPageShift - 10); }

// A thread of the process that still has its memory. Linux: find_lock_task_mm.
Task* task_with_mm(ThreadGroup& group) {
  for (ThreadLink& link : group.threads) {
    if (link.task.mm != nullptr) {
      return &link.task;
    }
  }
  return nullptr;
}

// Calls visit(task) for each process that still has its memory.
template <typename Visit>
void for_each_process_with_mm(TaskTable& tasks, Visit&& visit) {
  for (Task& leader : tasks) {
    if (Task* const task = leader.group->leader == &leader ? task_with_mm(*leader.group) : nullptr; task != nullptr) {
      visit(*task);
    }
  }
}

// Private memory goes; shared memory and what files hold would not be free by that. Linux: __oom_reap_task_mm.
void reap(vm::AddressSpace& mm) {
  mm.set_unstable();
  for (vm::VmArea* area = mm.areas().first(); area != nullptr; area = area->next) {
    if (!area->has(vm::VmFlag::kPfnMap) && (area->anonymous() || !area->shared())) {
      mm.zap_range(*area, area->start, area->end);
    }
  }
}

}  // namespace

int64_t oom_total_pages(vm::MemorySystem& memory, const vm::MemCgroup* memcg) {
  const uint64_t pages = memcg != nullptr ? memcg->limit() : vm::memory_totals(memory).managed;
  return static_cast<int64_t>(pages + memory.swap().total_swap_pages());
}

std::optional<int64_t> oom_badness(const Task& task, int64_t total) {
  if (task.mm == nullptr || task.group->oom_score_adj == -kOomScoreAdjMost || task.mm->unstable()) {
    return std::nullopt;
  }
  const vm::MemoryUse& use = task.mm->use();
  return int64_t{use.rss()} + use.swap_entries + task.mm->tables().table_frames() +
         task.group->oom_score_adj * (total / kOomScoreAdjMost);
}

OomKill::OomKill(Kernel& kernel) : kernel_(kernel) { kernel_.memory().pages().set_oom_killer(this); }

OomKill::~OomKill() { kernel_.memory().pages().set_oom_killer(nullptr); }

// The caller removes a swap area: it goes first, whatever its score, for it alone needs the memory. Linux:
// oom_flag_origin, which swapoff sets.
bool OomKill::current_is_origin() const {
  const vm::SwapSpace& swap = kernel_.memory().swap();
  return kernel_.current() != nullptr && static_cast<int64_t>(swap.free_swap_pages()) != swap.nr_swap_pages();
}

// Linux: select_bad_process.
Task* OomKill::select_victim(int64_t total) {
  if (current_is_origin()) {
    return kernel_.current();
  }
  Task* chosen = nullptr;
  int64_t most = INT64_MIN;
  std::vector<OomCandidate> candidates;
  size_t at = 0;
  for_each_process_with_mm(kernel_.tasks(), [&](Task& task) {
    const auto points = oom_badness(task, total);
    if (points && *points > most) {
      most = *points;
      chosen = &task;
      at = candidates.size();
    }
    if (points && kernel_.oom_chooser() != nullptr) {
      candidates.push_back({&task, *points});
    }
  });
  if (!candidates.empty()) {
    chosen = candidates[std::min(kernel_.oom_chooser()->choose_victim(candidates, at), candidates.size() - 1)].task;
  }
  return chosen;
}

void OomKill::report(const Task& victim, vm::Gfp gfp, uint32_t order, const vm::MemCgroup* memcg) {
  const auto log = logger("vm.oom");
  if (const Task* const caller = kernel_.current(); caller != nullptr) {
    log->warn("{} invoked oom-killer: gfp_mask={:#x}, order={}, oom_score_adj={}", caller->comm, gfp.bits, order,
              caller->group->oom_score_adj);
  }
  if (memcg != nullptr) {
    log->warn("memory: usage {}kB, limit {}kB, failcnt {}", kb(memcg->usage()), kb(memcg->limit()), memcg->failcnt());
  }
  log->warn("Tasks state (memory values in pages):");
  log->warn("[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name");
  for_each_process_with_mm(kernel_.tasks(), [&log](const Task& task) {
    const vm::MemoryUse& use = task.mm->use();
    log->warn("[{:7}] {:5} {:5} {:8} {:8} {:8} {:8}         {:5} {}", task.tid, task.cred.uid, task.tgid, use.total_vm,
              use.rss(), uint64_t{task.mm->tables().table_frames()} << kPageShift, use.swap_entries,
              task.group->oom_score_adj, task.comm);
  });
  const vm::MemoryUse& use = victim.mm->use();
  log->warn(
      "{}: Killed process {} ({}) total-vm:{}kB, anon-rss:{}kB, file-rss:{}kB, shmem-rss:{}kB, UID:{} "
      "pgtables:{}kB oom_score_adj:{}",
      memcg != nullptr ? "Memory cgroup out of memory" : "Out of memory", victim.tgid, victim.comm, kb(use.total_vm),
      kb(use.anon_rss), kb(use.file_rss), kb(use.shmem_rss), victim.cred.uid, kb(victim.mm->tables().table_frames()),
      victim.group->oom_score_adj);
}

// All processes that share the memory go: it would not be free otherwise. Linux: __oom_kill_process.
void OomKill::kill(Task& victim) {
  const std::shared_ptr<vm::AddressSpace> mm = victim.mm;
  for_each_process_with_mm(kernel_.tasks(), [&](Task& task) {
    if (task.mm == mm) {
      static_cast<void>(
          send_signal(kernel_, *task.group, SignalInfo{.signal = Signal::kKill, .code = SiCode::kKernel}));
    }
  });
  kernel_.memory().pages().events().add(vm::VmEvent::kOomKill, 1);
}

vm::OomKiller::Action OomKill::out_of_memory(vm::Gfp gfp, uint32_t order) {
  return choose_and_kill(gfp, order, nullptr);
}

vm::OomKiller::Action OomKill::memcg_out_of_memory(vm::Gfp gfp, uint32_t order) {
  return choose_and_kill(gfp, order, kernel_.memory().memcg());
}

vm::OomKiller::Action OomKill::choose_and_kill(vm::Gfp gfp, uint32_t order, const vm::MemCgroup* memcg) {
  const Task* const current = kernel_.current();
  if (current != nullptr && (kill_pending(*current) || current->group->exiting)) {
    return Action::kUseReserve;
  }
  Task* const victim = select_victim(oom_total_pages(kernel_.memory(), memcg));
  if (victim == nullptr && memcg != nullptr) {
    return Action::kFail;
  }
  if (victim == nullptr) {
    kernel_.panic("out of memory, and no process can be killed for it");
    return Action::kFail;
  }
  report(*victim, gfp, order, memcg);
  kernel_.memory().tell({.kind = vm::MemoryEvent::Kind::kOomKill,
                         .victim = victim->tgid,
                         .pages = oom_badness(*victim, oom_total_pages(kernel_.memory())).value_or(0)});
  const std::shared_ptr<vm::AddressSpace> mm = victim->mm;
  const bool origin = current_is_origin();
  kill(*victim);
  if (origin) {
    return Action::kFail;  // the area stays
  }
  if (current != nullptr && current->mm == mm) {
    return Action::kUseReserve;
  }
  reap(*mm);
  return Action::kRetry;
}

}  // namespace fl::guest
