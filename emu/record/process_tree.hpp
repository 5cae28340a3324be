// ProcessTree: the processes of one recorded run and their tasks, in their places, from perf's FORK and COMM records.
//
// A number that is used again means the new process or task from there on.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "emu/record/native_record.hpp"
#include "emu/record/perf_records.hpp"

namespace fl::emu {

class ProcessTree {
 public:
  // Has the first process already: `root` is its pid.
  explicit ProcessTree(int32_t root);

  // A record of somebody else's changes nothing.
  void fork(const PerfTaskEvent& event);
  void name(const PerfTaskEvent& event);

  // The process and task of a thread; false if it is none of ours. A thread whose birth was not seen is new.
  bool find(uint32_t pid, uint32_t tid, uint32_t& process, uint32_t& task);
  // The process that a thread belonged to.
  std::optional<uint32_t> process_of(uint32_t tid) const;
  // In the order of their births.
  std::vector<NativeProcess>& processes() { return processes_; }

 private:
  void add_process(NativeProcess process, uint32_t pid);
  uint32_t add_task(uint32_t process, uint32_t tid);

  std::vector<NativeProcess> processes_;
  std::vector<uint32_t> children_;  // how many so far
  std::map<uint32_t, uint32_t> by_pid_, by_tid_;
};

// Puts processes into the order of their places: a parent before its children, children in the order of their births.
void sort_by_place(std::vector<NativeProcess>& processes, std::vector<NativeFault>& faults);

}  // namespace fl::emu
