// The files of /proc/PID. Linux counterparts: fs/proc/base.c, fs/proc/array.c.
#include <fmt/format.h>

#include <array>
#include <cstring>

#include "guest/fs/fd_table.hpp"
#include "guest/fs/fs_context.hpp"
#include "guest/fs/proc/proc_text.hpp"
#include "guest/kernel.hpp"
#include "guest/process/peek.hpp"
#include "guest/task.hpp"
#include "loaders/exec.hpp"

namespace fl::guest {
namespace {

constexpr uint64_t kTicksPerSecond = 100;  // USER_HZ
constexpr uint32_t kPageKb = kPageSize / 1024;

// The bytes of user memory between two addresses, as far as they are in memory.
std::string user_bytes(const Task& task, VirtAddr from, VirtAddr to) {
  if (task.mm == nullptr || to <= from) {
    return {};
  }
  std::string text(to - from, '\0');
  text.resize(peek(*task.mm, from, std::as_writable_bytes(std::span(text))));
  return text;
}

char state_letter(const Task& task) {
  if (task.alive() && task.group->stop_signal != 0) {
    return 'T';
  }
  switch (task.state) {
    case Task::State::kSleeping:
      return 'S';
    case Task::State::kZombie:
      return 'Z';
    default:
      return 'R';
  }
}

const char* state_name(const Task& task) {
  switch (state_letter(task)) {
    case 'S':
      return "sleeping";
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

Result<std::string> auxv(Kernel&, const Task& task) {
  if (task.program == nullptr) {
    return std::string();
  }
  const auto bytes = std::as_bytes(std::span(task.program->auxv));
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}
Result<std::string> cmdline(Kernel&, const Task& task) {
  return task.mm == nullptr ? std::string() : user_bytes(task, task.mm->layout().arg_start, task.mm->layout().arg_end);
}
Result<std::string> comm(Kernel&, const Task& task) { return task.comm + "\n"; }
Result<std::string> environ_(Kernel&, const Task& task) {
  return task.mm == nullptr ? std::string() : user_bytes(task, task.mm->layout().env_start, task.mm->layout().env_end);
}
Result<std::string> maps(Kernel& kernel, const Task& task) {
  return task.mm == nullptr ? std::string() : format_maps(*task.mm, kernel.profile());
}
Result<std::string> mounts(Kernel& kernel, const Task&) { return format_mounts(kernel); }
Result<std::string> stat(Kernel& kernel, const Task& task) { return format_stat(kernel, task); }
Result<std::string> statm(Kernel&, const Task& task) {
  return task.mm == nullptr ? std::string("0 0 0 0 0 0 0\n") : format_statm(*task.mm);
}
Result<std::string> status(Kernel& kernel, const Task& task) { return format_status(kernel, task); }

constexpr std::array<TaskFile, 9> kTaskFiles = {{
    {"auxv", 0400, 1, ReadSize::kWhole, auxv},
    {"cmdline", 0444, 2, ReadSize::kWhole, cmdline},
    {"comm", 0644, 3, ReadSize::kWhole, comm},
    {"environ", 0400, 4, ReadSize::kWhole, environ_},
    {"maps", 0444, 5, ReadSize::kPageOfLines, maps},
    {"mounts", 0444, 6, ReadSize::kPageOfLines, mounts},
    {"stat", 0444, 7, ReadSize::kWhole, stat},
    {"statm", 0444, 8, ReadSize::kWhole, statm},
    {"status", 0444, 9, ReadSize::kWhole, status},
}};

}  // namespace

std::span<const TaskFile> task_files() { return kTaskFiles; }

std::string format_statm(const vm::AddressSpace& mm) {
  const vm::MemoryUse& use = mm.use();
  const vm::ProgramLayout& layout = mm.layout();
  const uint64_t text = (page_align_up(layout.end_code.value()) - layout.start_code.page().value()) >> kPageShift;
  return fmt::format("{} {} {} {} 0 {} 0\n", use.total_vm, use.rss(), use.file_rss + use.shmem_rss, text,
                     use.data_vm + use.stack_vm);
}

std::string format_status(Kernel& /*kernel*/, const Task& task) {
  std::string text = fmt::format(
      "Name:\t{}\nUmask:\t{:04o}\nState:\t{} ({})\nTgid:\t{}\nNgid:\t0\nPid:\t{}\nPPid:\t{}\nTracerPid:\t0\n"
      "Uid:\t{}\t{}\t{}\t{}\nGid:\t{}\t{}\t{}\t{}\nFDSize:\t{}\nGroups:\t",
      task.comm, task.fs != nullptr ? task.fs->umask : 0, state_letter(task), state_name(task), task.tgid, task.tid,
      task.group->parent_id(), task.cred.uid, task.cred.euid, task.cred.suid, task.cred.fsuid, task.cred.gid,
      task.cred.egid, task.cred.sgid, task.cred.fsgid,
      task.files != nullptr ? (task.files->entries().size() + 63) / 64 * 64 : 0);
  for (const uint32_t group : task.cred.groups) {
    text += fmt::format("{} ", group);
  }
  text += '\n';
  if (task.mm != nullptr) {
    const vm::MemoryUse& use = task.mm->use();
    const vm::ProgramLayout& layout = task.mm->layout();
    const uint64_t exe = page_align_up(layout.end_code.value()) - layout.start_code.page().value();
    text += fmt::format(
        "VmPeak:\t{:8} kB\nVmSize:\t{:8} kB\nVmLck:\t{:8} kB\nVmPin:\t{:8} kB\nVmHWM:\t{:8} kB\nVmRSS:\t{:8} kB\n"
        "RssAnon:\t{:8} kB\nRssFile:\t{:8} kB\nRssShmem:\t{:8} kB\nVmData:\t{:8} kB\nVmStk:\t{:8} kB\n"
        "VmExe:\t{:8} kB\nVmLib:\t{:8} kB\nVmPTE:\t{:8} kB\nVmSwap:\t{:8} kB\n",
        use.total_vm * kPageKb, use.total_vm * kPageKb, use.locked_vm * kPageKb, 0,
        std::max(use.hiwater_rss, use.rss()) * kPageKb, use.rss() * kPageKb, use.anon_rss * kPageKb,
        use.file_rss * kPageKb, use.shmem_rss * kPageKb, use.data_vm * kPageKb, use.stack_vm * kPageKb, exe / 1024,
        uint64_t{use.exec_vm} * kPageKb - std::min(uint64_t{use.exec_vm} * kPageKb, exe / 1024),
        task.mm->tables().table_frames() * kPageKb, 0);
  }
  text += fmt::format(
      "Threads:\t{}\nSigQ:\t{}/{}\nSigPnd:\t{:016x}\nShdPnd:\t{:016x}\nSigBlk:\t{:016x}\nSigIgn:\t{:016x}\n"
      "SigCgt:\t{:016x}\nNoNewPrivs:\t{}\nSeccomp:\t0\nCpus_allowed:\t1\nCpus_allowed_list:\t0\n",
      task.group->live_threads, task.pending.queue.size(), task.group->limits[Rlimit::kSigPending].current,
      task.pending.set.bits(), task.group->pending.set.bits(), task.blocked.bits(), handlers_with(task, true).bits(),
      handlers_with(task, false).bits(), task.group->no_new_privs ? 1 : 0);
  return text;
}

std::string format_stat(Kernel& kernel, const Task& task) {
  const vm::AddressSpace* const mm = task.mm.get();
  const vm::ProgramLayout layout = mm != nullptr ? mm->layout() : vm::ProgramLayout{};
  const uint64_t ticks = kernel.resource_use(*task.group).cpu_ns * kTicksPerSecond / kNsPerSecond;
  const auto word = [](SignalSet set) { return set.bits() & 0x7fffffff; };
  return fmt::format(
      "{} ({}) {} {} {} {} 0 -1 0 {} 0 {} 0 {} 0 0 0 20 {} {} 0 {} {} {} {} {} {} {} 0 0 {} {} {} {} 0 0 0 17 0 0 0 0 "
      "0 0 "
      "{} {} {} {} {} {} {} {}\n",
      task.tid, task.comm, state_letter(task), task.group->parent_id(), task.group->pgid, task.group->sid,
      task.faults.minor, task.faults.major, ticks, task.nice, task.group->live_threads,
      task.start_ns * kTicksPerSecond / kNsPerSecond, mm != nullptr ? uint64_t{mm->use().total_vm} << kPageShift : 0,
      mm != nullptr ? mm->use().rss() : 0, task.group->limits[Rlimit::kRss].current, layout.start_code.value(),
      layout.end_code.value(), layout.start_stack.value(), word(task.pending.set), word(task.blocked),
      word(handlers_with(task, true)), word(handlers_with(task, false)), layout.start_data.value(),
      layout.end_data.value(), layout.start_brk.value(), layout.arg_start.value(), layout.arg_end.value(),
      layout.env_start.value(), layout.env_end.value(), task.alive() ? 0 : task.exit_status);
}

}  // namespace fl::guest
