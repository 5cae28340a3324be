// Pairing calls with their results. A call is written when it returns, or ended with "?" when something comes between.
#include "emu/strace/strace.hpp"

#include <fmt/format.h>

#include "guest/task.hpp"

namespace fl::emu {

void Strace::write(uint32_t tid, const std::string& text) {
  if (first_tid_ == 0) {
    first_tid_ = tid;
  }
  if (tid != first_tid_) {
    file_->append(fmt::format("[pid {}] ", tid));
  }
  file_->append(text);
  file_->append("\n");
  if (flush_ == Flush::kEachLine) {
    file_->flush();
  }
}

void Strace::end_unfinished(uint32_t tid) {
  if (auto call = unfinished_.extract(tid); !call.empty()) {
    write(tid, call.mapped().text + " = ?");
  }
}

void Strace::line(const guest::Task& task, const std::string& text) {
  end_unfinished(task.tid);
  write(task.tid, text);
}

void Strace::on_syscall_enter(const guest::Task& task, uint32_t number, const guest::SyscallArgs& args) {
  end_unfinished(task.tid);
  unfinished_[task.tid] = format_call(task, number, args);
}

void Strace::on_syscall_exit(const guest::Task& task, uint32_t number, const guest::SyscallArgs& args,
                             uint32_t result) {
  auto call = unfinished_.extract(task.tid);
  // A child of fork returns from a call that it did not enter. Strings that the call has faulted in can be read now.
  const bool again = call.empty() || !call.mapped().complete;
  const std::string text = again ? format_call(task, number, args).text : call.mapped().text;
  write(task.tid, fmt::format("{} = {}", text, format_result(number, result)));
}

void Strace::on_signal(const guest::Task& task, const guest::SignalInfo& info) {
  std::string text = fmt::format("--- {} {{si_code={}", guest::signal_name(info.signal), info.code);
  switch (guest::signal_info_layout(info.signal, info.code)) {
    case guest::SignalInfoLayout::kFault:
      text += fmt::format(", si_addr={:#x}", info.addr.value());
      break;
    case guest::SignalInfoLayout::kChild:
      text += fmt::format(", si_pid={}, si_status={}", info.pid, info.status);
      break;
    case guest::SignalInfoLayout::kKill:
    case guest::SignalInfoLayout::kQueued:
      text += fmt::format(", si_pid={}, si_uid={}", info.pid, info.uid);
      break;
    case guest::SignalInfoLayout::kTimer:
      break;
  }
  line(task, text + "} ---");
}

void Strace::on_exit(const guest::Task& task) {
  const int signal = static_cast<int>(task.exit_status & 0x7f);
  line(task, signal != 0 ? fmt::format("+++ killed by {} +++", guest::signal_name(signal))
                         : fmt::format("+++ exited with {} +++", (task.exit_status >> 8) & 0xff));
}

HostStatus Strace::finish() {
  while (!unfinished_.empty()) {
    end_unfinished(unfinished_.begin()->first);
  }
  return file_->close();
}

}  // namespace fl::emu
