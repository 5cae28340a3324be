// What a run counted: --stats. Everything in it is the same in every run of the same command: no host time, nothing
// that depends on the TLB.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "guest/kernel.hpp"
#include "vm/fault/fault_record.hpp"

namespace fl::emu {

// A process, at its exit or at the end of the run.
struct ProcessStatistics {
  uint32_t pid = 0;
  std::string comm;
  uint64_t minflt = 0, majflt = 0;
  uint32_t page_table_frames = 0;  // the directory included
  uint64_t syscalls = 0;
  // Exit code, or 128 + signal; none if the run was stopped before it ended.
  std::optional<int> exit_status;
};

struct RunStatistics {
  vm::FaultCounters faults;                  // of all processes
  std::vector<ProcessStatistics> processes;  // in the order in which they ended
  uint32_t ram_frames = 0;
  uint32_t peak_frames = 0;
  uint32_t page_table_frames = 0;  // most that one process had at its end
  // Pages read from swap and written to it. Linux: pswpin, pswpout.
  uint64_t swap_ins = 0, swap_outs = 0;
  // What --memory-limit counted, in pages.
  struct MemoryLimit {
    uint64_t limit = 0, peak = 0;
    uint64_t reached = 0;  // charges that met the limit. Linux: memory.failcnt
  };
  std::optional<MemoryLimit> memory_limit;
  uint64_t syscalls = 0;
  std::map<std::string, uint64_t> unimplemented;  // system calls without a handler, by name
  uint64_t blocks = 0;
  uint64_t virtual_ns = 0;

  uint64_t refused() const;  // faults that ended in a signal or an error
};

// The table for people.
std::string format_statistics(const RunStatistics& statistics);
// One JSON object with the same content, keys in a fixed order.
std::string statistics_json(const RunStatistics& statistics);

// Collects processes as they end.
class ProcessCollector final : public guest::KernelObserver {
 public:
  void on_syscall_enter(const guest::Task&, uint32_t, const guest::SyscallArgs&) override {}
  void on_syscall_exit(const guest::Task&, uint32_t, const guest::SyscallArgs&, uint32_t) override {}
  void on_signal(const guest::Task&, const guest::SignalInfo&) override {}
  void on_exit(const guest::Task& task) override { add(task); }
  // Also for processes that are alive when a run is stopped.
  void add(const guest::Task& task);
  const std::vector<ProcessStatistics>& processes() const { return processes_; }

 private:
  std::vector<ProcessStatistics> processes_;
};

}  // namespace fl::emu
