// The tree while it grows, and its final order.
#include "emu/record/process_tree.hpp"

#include <algorithm>
#include <numeric>

namespace fl::emu {

ProcessTree::ProcessTree(int32_t root) { add_process(NativeProcess{}, static_cast<uint32_t>(root)); }

void ProcessTree::fork(const PerfTaskEvent& event) {
  const auto parent = by_pid_.find(event.parent_pid);
  if (parent == by_pid_.end()) {
    return;
  }
  if (event.pid == event.parent_pid) {
    add_task(parent->second, event.tid);
    return;
  }
  NativeProcess process;
  process.parent = static_cast<int32_t>(parent->second);
  process.child = children_[parent->second]++;
  process.comm = processes_[parent->second].comm;
  add_process(std::move(process), event.pid);
}

void ProcessTree::name(const PerfTaskEvent& event) {
  const auto process = by_pid_.find(event.pid);
  if (process != by_pid_.end() && event.pid == event.tid) {
    processes_[process->second].comm = event.comm;
  }
}

bool ProcessTree::find(uint32_t pid, uint32_t tid, uint32_t& process, uint32_t& task) {
  const auto found = by_pid_.find(pid);
  if (found == by_pid_.end()) {
    return false;
  }
  process = found->second;
  auto& tasks = processes_[process].tasks;
  const auto same = std::find_if(tasks.rbegin(), tasks.rend(),
                                 [tid](const NativeTask& one) { return one.tid == static_cast<int32_t>(tid); });
  task = same == tasks.rend() ? add_task(process, tid) : static_cast<uint32_t>(tasks.rend() - same - 1);
  return true;
}

std::optional<uint32_t> ProcessTree::process_of(uint32_t tid) const {
  const auto found = by_tid_.find(tid);
  return found != by_tid_.end() ? std::optional(found->second) : std::nullopt;
}

void ProcessTree::add_process(NativeProcess process, uint32_t pid) {
  const auto index = static_cast<uint32_t>(processes_.size());
  process.pid = static_cast<int32_t>(pid);
  processes_.push_back(std::move(process));
  children_.push_back(0);
  by_pid_[pid] = index;
  add_task(index, pid);
}

uint32_t ProcessTree::add_task(uint32_t process, uint32_t tid) {
  auto& tasks = processes_[process].tasks;
  tasks.push_back({static_cast<int32_t>(tid)});
  by_tid_[tid] = process;
  return static_cast<uint32_t>(tasks.size() - 1);
}

void sort_by_place(std::vector<NativeProcess>& processes, std::vector<NativeFault>& faults) {
  std::vector<std::vector<uint32_t>> paths(processes.size());
  for (size_t i = 0; i < processes.size(); ++i) {
    if (processes[i].parent >= 0) {
      paths[i] = paths[static_cast<size_t>(processes[i].parent)];
    }
    paths[i].push_back(processes[i].child);
  }
  std::vector<uint32_t> order(processes.size()), place(processes.size());
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return paths[a] < paths[b]; });
  std::vector<NativeProcess> sorted;
  for (const uint32_t from : order) {
    place[from] = static_cast<uint32_t>(sorted.size());
    sorted.push_back(std::move(processes[from]));
  }
  for (NativeProcess& process : sorted) {
    if (process.parent >= 0) {
      process.parent = static_cast<int32_t>(place[static_cast<size_t>(process.parent)]);
    }
  }
  for (NativeFault& fault : faults) {
    fault.process = place[fault.process];
  }
  processes = std::move(sorted);
}

}  // namespace fl::emu
