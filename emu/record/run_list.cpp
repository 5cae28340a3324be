// Putting records in order and in their places. See run_list.hpp.
#include "emu/record/run_list.hpp"

#include <algorithm>
#include <map>

#include "emu/record/process_counts.hpp"
#include "emu/record/process_tree.hpp"

namespace fl::emu {
namespace {

// Linux: enum fault_flag, enum vm_fault_reason, enum x86_pf_error_code.
constexpr uint32_t kFlagWrite = 0x1, kFlagTried = 0x20, kFlagInstruction = 0x100;
constexpr uint32_t kErrorWrite = 0x2, kErrorFetch = 0x10;
constexpr uint32_t kMostInstructionBytes = 15;

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

  // An x86-64 kernel has execve copy the strings to the top of its own address space, from where they move with the
  // stack to the top of the program's. Linux: STACK_TOP_MAX in bprm_mm_init, STACK_TOP in setup_arg_pages.
  static uint32_t gup_address(uint64_t addr) {
    constexpr uint64_t kStackTopMax = 0x7ffffffff000, kStackTop = 0xffffe000;
    return static_cast<uint32_t>(addr > UINT32_MAX ? addr - (kStackTopMax - kStackTop) : addr);
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
    fault.addr = gup_address(sample.addr);
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
    list_.exit_status = facts_.exit_status;
    list_.minflt = facts_.minflt;
    list_.majflt = facts_.majflt;
    const bool known = facts_.kernel_seen && count_processes(records_.exits, tree_, facts_, list_);
    const uint64_t total = list_.minflt + list_.majflt, seen = list_.faults.size() - events_;
    list_.gup_faults = facts_.kernel_seen && total > events_ ? total - events_ : 0;
    if (facts_.gup_seen && seen == list_.gup_faults) {
      list_.gup = GupView::kFaults;
    } else {
      std::erase_if(list_.faults, [](const NativeFault& fault) { return fault.mode == vm::FaultMode::kGup; });
    }
    list_.processes = std::move(tree_.processes());
    list_.processes[0].exit_status = facts_.exit_status;
    sort_by_place(list_.processes, list_.faults);
    if (!known) {
      count_events(facts_, list_);
    }
  }

  PerfRecords records_;
  RunFacts facts_;
  ProcessTree tree_;
  std::map<uint32_t, Exception> exceptions_;  // by thread
  std::map<uint32_t, size_t> last_gup_;       // by thread: index in the list
  uint64_t first_time_ = 0, events_ = 0;
  RunList list_;
};

}  // namespace

HostResult<RunList> make_run_list(PerfRecords records, const RunFacts& facts) {
  RunFacts all = facts;
  if (facts.root_is_parent) {
    const auto birth = std::find_if(records.tasks.begin(), records.tasks.end(), [&](const PerfTaskEvent& event) {
      return event.kind == PerfTaskEvent::Kind::kFork && event.parent_pid == static_cast<uint32_t>(facts.root) &&
             event.pid != event.parent_pid;
    });
    if (birth == records.tasks.end()) {
      return host_error("cannot record: the program's birth is not among the kernel's perf records");
    }
    all.root = static_cast<int32_t>(birth->pid);
  }
  return ListMaker(std::move(records), all).make();
}

}  // namespace fl::emu
