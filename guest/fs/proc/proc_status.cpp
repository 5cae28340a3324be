// /proc/PID/status, stat and statm. Linux counterparts: proc_pid_status, do_task_stat, proc_pid_statm
// (fs/proc/array.c), task_mem (fs/proc/task_mmu.c).
//
// Lines that stand for what is not modelled are left out, as by a kernel without it: namespaces, huge pages of
// hugetlbfs, cpusets.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>

#include "guest/fs/fd_table.hpp"
#include "guest/fs/fs_context.hpp"
#include "guest/fs/proc/mapped_page.hpp"
#include "guest/fs/proc/proc_text.hpp"
#include "guest/kernel.hpp"
#include "guest/task.hpp"

namespace fl::guest {
namespace {

constexpr uint64_t kTicksPerSecond = 100;  // USER_HZ
constexpr uint32_t kPageKb = kPageSize / 1024;
constexpr int kNoSignal = -1;  // of a thread that is not its process's first

uint64_t to_ticks(uint64_t ns) { return ns * kTicksPerSecond / kNsPerSecond; }

char state_letter(const Task& task) {
  if (task.alive() && task.group->stop_signal != 0) {
    return 'T';
  }
  switch (task.state) {
    case Task::State::kSleeping:
      return task.wait.kind == SleepKind::kKillable ? 'D' : 'S';
    case Task::State::kZombie:
      return 'Z';
    default:
      return 'R';
  }
}

const char* state_name(char letter) {
  switch (letter) {
    case 'S':
      return "sleeping";
    case 'D':
      return "disk sleep";
    case 'T':
      return "stopped";
    case 'Z':
      return "zombie";
    default:
      return "running";
  }
}

SignalSet handlers_with(const Task& task, bool ignored) {
  SignalSet set;
  for (int signal = 1; task.handlers != nullptr && signal <= Signal::kMax; ++signal) {
    const uint32_t handler = (*task.handlers)[signal].handler;
    if (ignored ? handler == kSigIgn : handler > kSigIgn) {
      set.add(signal);
    }
  }
  return set;
}

// Threads that are not gone, a zombie among them. Linux: get_nr_threads.
size_t thread_count(const Task& task) { return task.group->threads.size(); }

// Linux: proc_task_name with escapes.
std::string escaped(std::string_view name) {
  std::string text;
  for (const char c : name) {
    if (c == '\n') {
      text += "\\n";
    } else if (c == '\\') {
      text += "\\\\";
    } else {
      text += c;
    }
  }
  return text;
}

std::string memory_lines(const vm::AddressSpace& mm) {
  const vm::MemoryUse use = resident_use(mm);
  const vm::ProgramLayout& layout = mm.layout();
  const uint64_t exe = page_align_up(layout.end_code.value()) - layout.start_code.page().value();
  const uint64_t exec_kb = uint64_t{use.exec_vm} * kPageKb;
  return fmt::format(
      "VmPeak:\t{:8} kB\nVmSize:\t{:8} kB\nVmLck:\t{:8} kB\nVmPin:\t{:8} kB\nVmHWM:\t{:8} kB\nVmRSS:\t{:8} kB\n"
      "RssAnon:\t{:8} kB\nRssFile:\t{:8} kB\nRssShmem:\t{:8} kB\nVmData:\t{:8} kB\nVmStk:\t{:8} kB\n"
      "VmExe:\t{:8} kB\nVmLib:\t{:8} kB\nVmPTE:\t{:8} kB\nVmSwap:\t{:8} kB\n",
      use.total_vm * kPageKb, use.total_vm * kPageKb, use.locked_vm * kPageKb, 0,
      std::max(use.hiwater_rss, use.rss()) * kPageKb, use.rss() * kPageKb, use.anon_rss * kPageKb,
      use.file_rss * kPageKb, use.shmem_rss * kPageKb, use.data_vm * kPageKb, use.stack_vm * kPageKb, exe / 1024,
      exec_kb - std::min(exec_kb, exe / 1024), mm.tables().table_frames() * kPageKb, use.swap_entries * kPageKb);
}

// User 0 has all, nobody else has one; see capget.
std::string capability_lines(const Credentials& cred) {
  constexpr uint64_t kAll = 0x1ffffffffff;  // up to CAP_CHECKPOINT_RESTORE
  const uint64_t effective = cred.euid == 0 ? kAll : 0;
  const uint64_t permitted = cred.euid == 0 || cred.uid == 0 || cred.suid == 0 ? kAll : 0;
  return fmt::format("CapInh:\t{:016x}\nCapPrm:\t{:016x}\nCapEff:\t{:016x}\nCapBnd:\t{:016x}\nCapAmb:\t{:016x}\n", 0,
                     permitted, effective, kAll, 0);
}

}  // namespace

std::string format_statm(const vm::AddressSpace& mm) {
  const vm::MemoryUse use = resident_use(mm);
  const vm::ProgramLayout& layout = mm.layout();
  const uint64_t text = (page_align_up(layout.end_code.value()) - layout.start_code.page().value()) >> kPageShift;
  return fmt::format("{} {} {} {} 0 {} 0\n", use.total_vm, use.rss(), use.file_rss + use.shmem_rss, text,
                     use.data_vm + use.stack_vm);
}

std::string format_status(const TaskView& view) {
  const Task& task = view.task;
  const Credentials& cred = task.cred;
  std::string text = fmt::format("Name:\t{}\n", escaped(task.comm));
  if (task.fs != nullptr) {
    fmt::format_to(std::back_inserter(text), "Umask:\t{:04o}\n", task.fs->umask);
  }
  fmt::format_to(std::back_inserter(text),
                 "State:\t{} ({})\nTgid:\t{}\nNgid:\t0\nPid:\t{}\nPPid:\t{}\nTracerPid:\t0\nUid:\t{}\t{}\t{}\t{}\n"
                 "Gid:\t{}\t{}\t{}\t{}\nFDSize:\t{}\nGroups:\t{} \n",
                 state_letter(task), state_name(state_letter(task)), task.tgid, task.tid, task.group->parent_id(),
                 cred.uid, cred.euid, cred.suid, cred.fsuid, cred.gid, cred.egid, cred.sgid, cred.fsgid,
                 task.files != nullptr ? (task.files->entries().size() + 63) / 64 * 64 : 0,
                 fmt::join(cred.groups.all(), " "));
  if (view.kernel.profile().proc_text == vm::ProcText::k6_18) {
    text += "Kthread:\t0\n";
  }
  if (task.mm != nullptr) {
    text += memory_lines(*task.mm) + "CoreDumping:\t0\nTHP_enabled:\t0\n";
  }
  fmt::format_to(std::back_inserter(text),
                 "Threads:\t{}\nSigQ:\t{}/{}\nSigPnd:\t{:016x}\nShdPnd:\t{:016x}\nSigBlk:\t{:016x}\nSigIgn:\t{:016x}\n"
                 "SigCgt:\t{:016x}\n{}NoNewPrivs:\t{}\nSeccomp:\t0\nSpeculation_Store_Bypass:\tunknown\n"
                 "SpeculationIndirectBranch:\tunsupported\nCpus_allowed:\t1\nCpus_allowed_list:\t0\n"
                 "voluntary_ctxt_switches:\t{}\nnonvoluntary_ctxt_switches:\t{}\n",
                 thread_count(task), view.kernel.user_use(cred.uid).signals,
                 task.group->limits[Rlimit::kSigPending].current, task.pending.set.bits(),
                 task.group->pending.set.bits(), task.blocked.bits(), handlers_with(task, true).bits(),
                 handlers_with(task, false).bits(), capability_lines(cred), task.group->no_new_privs ? 1 : 0,
                 task.voluntary_switches, task.involuntary_switches);
  return text;
}

std::string format_stat(const TaskView& view) {
  const Task& task = view.task;
  const ThreadGroup& group = *task.group;
  const bool whole = view.scope == TaskScope::kProcess;
  // Addresses, and what lets one guess at them, are for those who might trace the task.
  const bool permitted = current_may_look_into(view.kernel, task);
  const vm::AddressSpace* const mm = task.mm.get();
  const vm::ProgramLayout layout = mm != nullptr ? mm->layout() : vm::ProgramLayout{};
  const auto secret = [&](VirtAddr addr) { return permitted ? addr.value() : 0; };
  const auto code = [&](VirtAddr addr) { return permitted || mm == nullptr ? addr.value() : 1; };
  const ResourceUse use = whole ? view.kernel.resource_use(group) : view.kernel.resource_use(task);
  const ResourceUse& children = group.waited_children;
  const auto word = [](SignalSet set) { return set.bits() & 0x7fffffff; };
  const bool wide = view.kernel.profile().kernel_pointer_bytes == 8;
  const uint64_t rss_limit = group.limits[Rlimit::kRss].current;
  const bool realtime = task.sched_priority != 0;
  const int32_t priority = realtime ? -1 - static_cast<int32_t>(task.sched_priority) : 20 + task.nice;
  constexpr uint32_t kForkNoExec = 0x40, kExiting = 0x4;  // PF_FORKNOEXEC, PF_EXITING
  const uint32_t flags = (group.executed ? 0 : kForkNoExec) | (task.alive() ? 0 : kExiting);
  const bool sleeps = task.state == Task::State::kSleeping;
  const bool waits = permitted && (!whole || thread_count(task) < 2) && (sleeps || !task.alive());
  std::string text = fmt::format(
      "{} ({}) {} {} {} {} 0 -1 {} {} {} {} {} {} 0 {} 0 {} {} {} 0 {} {} {} {} {} {} {} 0 0 {} {} {} {} {} 0 0 {} 0 "
      "{} "
      "{} 0 0 0",
      task.tid, task.comm, state_letter(task), group.parent_id(), group.pgid, group.sid, flags, use.minor_faults,
      children.minor_faults, use.major_faults, children.major_faults, to_ticks(use.cpu_ns), to_ticks(children.cpu_ns),
      priority, task.nice, thread_count(task), to_ticks(task.start_ns),
      mm != nullptr ? uint64_t{mm->use().total_vm} << kPageShift : 0, mm != nullptr ? resident_use(*mm).rss() : 0,
      wide ? rss_limit : std::min<uint64_t>(rss_limit, 0xffffffff), code(layout.start_code), code(layout.end_code),
      secret(layout.start_stack), word(task.pending.set), word(task.blocked), word(handlers_with(task, true)),
      word(handlers_with(task, false)), waits ? 1 : 0, task.is_leader() ? group.exit_signal : kNoSignal,
      task.sched_priority, task.sched_policy);
  for (const VirtAddr addr : {layout.start_data, layout.end_data, layout.start_brk, layout.arg_start, layout.arg_end,
                              layout.env_start, layout.env_end}) {
    fmt::format_to(std::back_inserter(text), " {}", secret(addr));
  }
  const uint32_t exit_status = task.alive() ? 0 : task.exit_status;
  fmt::format_to(std::back_inserter(text), " {}\n", permitted ? exit_status : 0);
  return text;
}

}  // namespace fl::guest
