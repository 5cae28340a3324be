// Adding up by process and thread. See process_counts.hpp.
#include "emu/record/process_counts.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace fl::emu {
namespace {

// What one thread, or one process, counted: events, and what the kernel says in all.
struct Counted {
  uint64_t minor_events = 0, major_events = 0;
  uint64_t minflt = 0, majflt = 0;
  bool ended = false;  // under this number
};
using ByThread = std::map<std::pair<uint32_t, uint32_t>, Counted>;  // by process and thread

int shell_status(uint32_t wait_status) {
  return static_cast<int>((wait_status & 0x7f) != 0 ? 128 + (wait_status & 0x7f) : wait_status >> 8 & 0xff);
}

// What the kernel says of each thread. False: not all of them.
bool add_exits(std::span<const TaskExit> exits, ProcessTree& tree, ByThread& counted) {
  auto& processes = tree.processes();
  std::vector<size_t> ended(processes.size());
  std::vector<uint32_t> last(processes.size());
  for (const TaskExit& exit : exits) {
    const auto process = tree.process_of(exit.tid);
    if (!process) {
      continue;
    }
    ++ended[*process];
    Counted& one = counted[{*process, exit.tid}];
    one.minflt += exit.minflt;
    one.majflt += exit.majflt;
    one.ended = true;
    last[*process] = exit.tid;
    processes[*process].exit_status = shell_status(exit.wait_status);
  }
  for (size_t i = 0; i < processes.size(); ++i) {
    // A thread's status means nothing, and a first thread that left early did not decide the process's.
    if (last[i] != static_cast<uint32_t>(processes[i].pid)) {
      processes[i].exit_status = -1;
    }
  }
  return std::equal(ended.begin(), ended.end(), processes.begin(),
                    [](size_t count, const NativeProcess& process) { return count == process.tasks.size(); });
}

void add_events(const std::vector<NativeFault>& faults, const std::vector<NativeProcess>& processes,
                ByThread& counted) {
  for (const NativeFault& fault : faults) {
    if (fault.mode != vm::FaultMode::kGup) {
      const NativeTask& task = processes[fault.process].tasks[fault.task];
      Counted& one = counted[{fault.process, static_cast<uint32_t>(task.tid)}];
      ++(fault.major ? one.major_events : one.minor_events);
    }
  }
}

// A thread that calls execve goes on under its process's number: there its number has what it did before.
void join_renamed(const std::vector<NativeProcess>& processes, ByThread& counted) {
  for (auto& [who, one] : counted) {
    if (!one.ended) {
      Counted& leader = counted[{who.first, static_cast<uint32_t>(processes[who.first].pid)}];
      leader.minor_events += std::exchange(one.minor_events, 0);
      leader.major_events += std::exchange(one.major_events, 0);
    }
  }
}

std::vector<Counted> add_threads(const ByThread& counted, size_t processes) {
  std::vector<Counted> sums(processes);
  for (const auto& [who, one] : counted) {
    Counted& sum = sums[who.first];
    // A thread that ends tells its number first and clears its tid in the program's memory afterwards: that event is
    // not in its number.
    sum.minflt += std::max(one.minflt, one.minor_events);
    sum.majflt += std::max(one.majflt, one.major_events);
    sum.minor_events += one.minor_events;
    sum.major_events += one.major_events;
  }
  return sums;
}

}  // namespace

bool count_processes(std::span<const TaskExit> exits, ProcessTree& tree, const RunFacts& facts, RunList& list) {
  auto& processes = tree.processes();
  ByThread counted;
  if (!add_exits(exits, tree, counted)) {
    return false;
  }
  add_events(list.faults, processes, counted);
  Counted& first = counted[{0, static_cast<uint32_t>(processes[0].pid)}];
  first.minflt -= std::min(first.minflt, facts.launcher_minflt);
  first.majflt -= std::min(first.majflt, facts.launcher_majflt);
  join_renamed(processes, counted);
  const std::vector<Counted> sums = add_threads(counted, processes.size());
  uint64_t minflt = 0, majflt = 0;
  for (const Counted& sum : sums) {
    minflt += sum.minflt;
    majflt += sum.majflt;
  }
  // It may be more than wait4 knows of: where SIGCHLD is ignored, the faults of children are added to nobody's.
  if (minflt + majflt < facts.minflt + facts.majflt) {
    return false;
  }
  list.minflt = minflt;
  list.majflt = majflt;
  for (size_t i = 0; i < processes.size(); ++i) {
    processes[i].minflt = sums[i].minflt;
    processes[i].majflt = sums[i].majflt;
    processes[i].gup_faults = sums[i].minflt + sums[i].majflt - sums[i].minor_events - sums[i].major_events;
  }
  return true;
}

void count_events(const RunFacts& facts, RunList& list) {
  const bool all_seen = list.gup == GupView::kFaults;
  for (NativeProcess& process : list.processes) {
    process.gup_faults = all_seen ? std::optional<uint64_t>(0) : std::nullopt;
  }
  for (const NativeFault& fault : list.faults) {
    NativeProcess& process = list.processes[fault.process];
    ++(fault.major ? process.majflt : process.minflt);
    if (fault.mode == vm::FaultMode::kGup) {
      ++*process.gup_faults;
    }
  }
  if (list.processes.size() == 1 && facts.kernel_seen && !all_seen) {
    NativeProcess& only = list.processes.front();
    only.gup_faults = list.gup_faults;
    only.minflt = list.minflt;
    only.majflt = list.majflt;
  }
}

}  // namespace fl::emu
