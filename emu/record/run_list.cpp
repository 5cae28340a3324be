// Putting records in order and in their places. See run_list.hpp.
#include "emu/record/run_list.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <tuple>

namespace fl::emu {
namespace {

// Linux: enum fault_flag, enum vm_fault_reason, enum x86_pf_error_code.
constexpr uint32_t kFlagWrite = 0x1, kFlagTried = 0x20, kFlagInstruction = 0x100;
constexpr uint32_t kErrorWrite = 0x2, kErrorFetch = 0x10;
constexpr uint32_t kMostInstructionBytes = 15;

// Where a process and its tasks have their places, while the tree grows.
class Tree {
 public:
  explicit Tree(int32_t root) : root_(root) {}

  void fork(const PerfTaskEvent& event) {
    const auto parent = by_pid_.find(event.parent_pid);
    if (event.pid == event.parent_pid) {
      if (parent != by_pid_.end()) {
        add_task(parent->second, event.tid);
      }
    } else if (parent != by_pid_.end()) {
      NativeProcess process;
      process.parent = static_cast<int32_t>(parent->second);
      process.child = children_[parent->second]++;
      process.comm = processes_[parent->second].comm;
      add_process(std::move(process), event.pid);
    }
  }
  void name(const PerfTaskEvent& event) {
    const auto process = by_pid_.find(event.pid);
    if (process != by_pid_.end() && event.pid == event.tid) {
      processes_[process->second].comm = event.comm;
    }
  }
  void start_root() {
    if (processes_.empty()) {
      add_process(NativeProcess{}, static_cast<uint32_t>(root_));
    }
  }
  // The process and task of a thread; the tree's end if it is none of ours.
  bool find(uint32_t pid, uint32_t tid, uint32_t& process, uint32_t& task) {
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
  std::vector<NativeProcess>& processes() { return processes_; }

 private:
  void add_process(NativeProcess process, uint32_t pid) {
    const auto index = static_cast<uint32_t>(processes_.size());
    process.pid = static_cast<int32_t>(pid);
    processes_.push_back(std::move(process));
    children_.push_back(0);
    by_pid_[pid] = index;  // a number that is used again means the new process from here on
    add_task(index, pid);
  }
  uint32_t add_task(uint32_t process, uint32_t tid) {
    auto& tasks = processes_[process].tasks;
    tasks.push_back({static_cast<int32_t>(tid)});
    return static_cast<uint32_t>(tasks.size() - 1);
  }

  int32_t root_;
  std::vector<NativeProcess> processes_;
  std::vector<uint32_t> children_;  // how many so far
  std::map<uint32_t, uint32_t> by_pid_;
};

// Processes in the order of their places instead of their births.
void sort_by_place(RunList& list) {
  std::vector<std::vector<uint32_t>> paths(list.processes.size());
  for (size_t i = 0; i < list.processes.size(); ++i) {
    const NativeProcess& process = list.processes[i];
    if (process.parent >= 0) {
      paths[i] = paths[static_cast<size_t>(process.parent)];
    }
    paths[i].push_back(process.child);
  }
  std::vector<uint32_t> order(list.processes.size()), place(list.processes.size());
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return paths[a] < paths[b]; });
  std::vector<NativeProcess> sorted;
  for (const uint32_t from : order) {
    place[from] = static_cast<uint32_t>(sorted.size());
    sorted.push_back(std::move(list.processes[from]));
  }
  for (NativeProcess& process : sorted) {
    if (process.parent >= 0) {
      process.parent = static_cast<int32_t>(place[static_cast<size_t>(process.parent)]);
    }
  }
  for (NativeFault& fault : list.faults) {
    fault.process = place[fault.process];
  }
  list.processes = std::move(sorted);
}

// Whether the fault was that of fetching its own instruction.
bool is_own_fetch(const PerfSample& fault) {
  const bool rest_on_next_page =
      (fault.addr & 0xfff) == 0 && fault.ip < fault.addr && fault.addr - fault.ip < kMostInstructionBytes;
  return !fault.kernel && (fault.addr == fault.ip || rest_on_next_page);
}

// A processor without no-execute calls a fetch a read.
mmu::Access access_of(uint32_t error_code, const PerfSample& fault) {
  return (error_code & kErrorWrite) != 0                          ? mmu::Access::kWrite
         : (error_code & kErrorFetch) != 0 || is_own_fetch(fault) ? mmu::Access::kFetch
                                                                  : mmu::Access::kRead;
}

mmu::Access access_of_flags(uint32_t flags) {
  return (flags & kFlagWrite) != 0         ? mmu::Access::kWrite
         : (flags & kFlagInstruction) != 0 ? mmu::Access::kFetch
                                           : mmu::Access::kRead;
}

// The exception that a thread took last, until the fault that came of it is completed.
struct Exception {
  uint64_t addr;
  uint32_t code;
};

class ListMaker {
 public:
  ListMaker(PerfRecords records, const RunFacts& facts)
      : records_(std::move(records)), facts_(facts), tree_(facts.root) {}

  HostResult<RunList> make() {
    const auto earlier = [](const auto& a, const auto& b) { return a.time < b.time; };
    std::stable_sort(records_.samples.begin(), records_.samples.end(), earlier);
    std::stable_sort(records_.tasks.begin(), records_.tasks.end(), earlier);
    tree_.start_root();
    auto task = records_.tasks.begin();
    for (const PerfSample& sample : records_.samples) {
      for (; task != records_.tasks.end() && task->time <= sample.time; ++task) {
        apply(*task);
      }
      FL_HOST_TRY(add(sample));
    }
    for (; task != records_.tasks.end(); ++task) {
      apply(*task);
    }
    finish();
    return std::move(list_);
  }

 private:
  void apply(const PerfTaskEvent& event) {
    if (event.kind == PerfTaskEvent::Kind::kFork) {
      tree_.fork(event);
    } else {
      tree_.name(event);
    }
  }

  HostStatus add(const PerfSample& sample) {
    switch (sample.kind) {
      case EventKind::kException:
        exceptions_[sample.tid] = {sample.addr, sample.code};
        return {};
      case EventKind::kGup:
        add_gup(sample);
        return {};
      case EventKind::kMinor:
      case EventKind::kMajor:
        return add_fault(sample);
      case EventKind::kTask:
        break;
    }
    return {};
  }

  HostStatus add_fault(const PerfSample& sample) {
    NativeFault fault;
    if (!tree_.find(sample.pid, sample.tid, fault.process, fault.task)) {
      return host_error("cannot record: a page fault of process {}, which is not among the program's", sample.pid);
    }
    if (sample.addr > UINT32_MAX || (!sample.kernel && sample.ip > UINT32_MAX)) {
      return host_error("cannot record: the program is not an i386 one: it used address {:#x}", sample.addr);
    }
    fault.mode = sample.kernel ? vm::FaultMode::kKernel : vm::FaultMode::kUser;
    fault.major = sample.kind == EventKind::kMajor;
    fault.addr = static_cast<uint32_t>(sample.addr);
    fault.ip = sample.kernel ? 0 : static_cast<uint32_t>(sample.ip);
    const auto exception = exceptions_.find(sample.tid);
    if (exception != exceptions_.end() && exception->second.addr == sample.addr) {
      fault.access = access_of(exception->second.code, sample);
      exceptions_.erase(exception);
    } else if (is_own_fetch(sample)) {
      fault.access = mmu::Access::kFetch;
    } else if (!sample.kernel && facts_.instruction_access) {
      fault.access = facts_.instruction_access(fault.ip);
    }
    ++events_;
    push(fault, sample.time);
    return {};
  }

  // The probe fires when the kernel begins to handle the fault. One that had to wait for I/O comes a second time, and
  // only then is it counted.
  void add_gup(const PerfSample& sample) {
    NativeFault fault;
    if (!tree_.find(sample.pid, sample.tid, fault.process, fault.task)) {
      return;  // the launcher's own
    }
    fault.mode = vm::FaultMode::kGup;
    fault.access = access_of_flags(sample.code);
    fault.major = (sample.code & kFlagTried) != 0;
    fault.addr = static_cast<uint32_t>(sample.addr);
    const auto earlier = fault.major ? last_gup_.find(sample.tid) : last_gup_.end();
    if (earlier != last_gup_.end() && list_.faults[earlier->second].addr == fault.addr) {
      list_.faults[earlier->second].major = true;
      return;
    }
    last_gup_[sample.tid] = list_.faults.size();
    push(fault, sample.time);
  }

  void push(NativeFault fault, uint64_t time) {
    if (list_.faults.empty()) {
      first_time_ = time;
    }
    fault.time_ns = time - first_time_;
    list_.faults.push_back(fault);
  }

  void finish() {
    list_.processes = std::move(tree_.processes());
    list_.exit_status = facts_.exit_status;
    list_.minflt = facts_.minflt;
    list_.majflt = facts_.majflt;
    const uint64_t total = facts_.minflt + facts_.majflt, seen = list_.faults.size() - events_;
    list_.gup_faults = facts_.kernel_seen && total > events_ ? total - events_ : 0;
    if (facts_.gup_seen && seen == list_.gup_faults) {
      list_.gup = GupView::kFaults;
    } else {
      std::erase_if(list_.faults, [](const NativeFault& fault) { return fault.mode == vm::FaultMode::kGup; });
    }
    if (!list_.processes.empty()) {
      list_.processes[0].exit_status = facts_.exit_status;
    }
    sort_by_place(list_);
    for (const NativeFault& fault : list_.faults) {
      NativeProcess& process = list_.processes[fault.process];
      ++(fault.major ? process.majflt : process.minflt);
    }
  }

  PerfRecords records_;
  RunFacts facts_;
  Tree tree_;
  std::map<uint32_t, Exception> exceptions_;  // by thread
  std::map<uint32_t, size_t> last_gup_;       // by thread: index in the list
  uint64_t first_time_ = 0, events_ = 0;
  RunList list_;
};

auto key(const NativeFault& fault) {
  return std::tuple(fault.process, fault.task, fault.mode, fault.access, fault.major, fault.addr & ~0xfffu, fault.ip);
}

bool by_task(const NativeFault& a, const NativeFault& b) {
  return std::tuple(a.process, a.task) < std::tuple(b.process, b.task);
}

// The order within a task, without that across tasks.
std::vector<NativeFault> sorted_by_task(const std::vector<NativeFault>& faults) {
  std::vector<NativeFault> sorted = faults;
  if (!std::is_sorted(sorted.begin(), sorted.end(), by_task)) {
    std::stable_sort(sorted.begin(), sorted.end(), by_task);
  }
  return sorted;
}

}  // namespace

HostResult<RunList> make_run_list(PerfRecords records, const RunFacts& facts) {
  return ListMaker(std::move(records), facts).make();
}

bool same_faults(const RunList& a, const RunList& b) {
  if (a.faults.size() != b.faults.size() || a.minflt != b.minflt || a.majflt != b.majflt || a.gup != b.gup ||
      a.exit_status != b.exit_status || a.processes.size() != b.processes.size()) {
    return false;
  }
  const std::vector<NativeFault> left = sorted_by_task(a.faults), right = sorted_by_task(b.faults);
  return std::equal(left.begin(), left.end(), right.begin(),
                    [](const NativeFault& x, const NativeFault& y) { return key(x) == key(y); });
}

Choice most_frequent(const std::vector<RunList>& runs) {
  Choice best;
  for (size_t i = 0; i < runs.size() && 2 * best.agreeing <= runs.size(); ++i) {
    const auto agreeing = static_cast<uint32_t>(
        std::count_if(runs.begin(), runs.end(), [&](const RunList& other) { return same_faults(runs[i], other); }));
    if (agreeing > best.agreeing) {
      best = {i, agreeing};
    }
  }
  return best;
}

}  // namespace fl::emu
