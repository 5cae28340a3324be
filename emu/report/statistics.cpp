// Collecting a run's counters. A process's threads are added up under its pid, as getrusage(RUSAGE_SELF) does.
#include "emu/report/statistics.hpp"

#include <algorithm>

#include "guest/task.hpp"
#include "guest/task/wait_status.hpp"

namespace fl::emu {

uint64_t RunStatistics::refused() const {
  uint64_t total = 0;
  for (const vm::FaultCause cause :
       {vm::FaultCause::kSegvMapErr, vm::FaultCause::kSegvAccErr, vm::FaultCause::kBus, vm::FaultCause::kOom}) {
    total += faults.by_cause[static_cast<size_t>(cause)];
  }
  return total;
}

void ProcessCollector::add(const guest::Task& task) {
  const auto same = std::find_if(processes_.begin(), processes_.end(),
                                 [&task](const ProcessStatistics& process) { return process.pid == task.tgid; });
  ProcessStatistics& process = same != processes_.end() ? *same : processes_.emplace_back();
  process.pid = task.tgid;
  process.minflt += task.faults.minor;
  process.majflt += task.faults.major;
  process.syscalls += task.syscalls;
  if (process.comm.empty() || task.tid == task.tgid) {
    process.comm = task.comm;
  }
  if (task.mm != nullptr) {
    process.page_table_frames = std::max(process.page_table_frames, task.mm->tables().table_frames() + 1);
  }
  if (!task.alive()) {
    process.exit_status = guest::shell_status(task.exit_status);
  }
}

}  // namespace fl::emu
