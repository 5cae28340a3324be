// Strace: --strace, one line for each system call, signal and exit, in the manner of strace(1).
//
// Made from the one system-call table (guest/syscall/table.inc), so structures are shown as addresses only. Strings are
// read from pages that are present, before the call or, if the call itself faulted them in, after it; others are shown
// as addresses, because a fault taken for printing would be counted.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "emu/base/output_file.hpp"
#include "guest/kernel.hpp"

namespace fl::emu {

// "open(\"/etc/passwd\", O_RDONLY|O_CLOEXEC, 0)", without the result. `complete`: every string could be read.
struct FormattedCall {
  std::string text;
  bool complete = true;
};
FormattedCall format_call(const guest::Task& task, uint32_t number, const guest::SyscallArgs& args);
// "3", "0xb7ff0000", "-1 ENOENT (No such file or directory)" for eax after the call.
std::string format_result(uint32_t number, uint32_t result);

class Strace final : public guest::KernelObserver {
 public:
  // Lines reach a terminal as they are made (kEachLine) or go to a file in large pieces.
  enum class Flush : uint8_t { kEachLine, kWhenFull };
  Strace(std::unique_ptr<OutputFile> file, Flush flush) : file_(std::move(file)), flush_(flush) {}

  void on_syscall_enter(const guest::Task& task, uint32_t number, const guest::SyscallArgs& args) override;
  void on_syscall_exit(const guest::Task& task, uint32_t number, const guest::SyscallArgs& args,
                       uint32_t result) override;
  void on_signal(const guest::Task& task, const guest::SignalInfo& info) override;
  void on_exit(const guest::Task& task) override;

  // The program has started: the file is emptied.
  void begin() { file_->begin(); }
  // Calls that never returned end in "= ?".
  HostStatus finish();

 private:
  // Ends an unfinished call of the task, then writes one line.
  void line(const guest::Task& task, const std::string& text);
  void write(uint32_t tid, const std::string& text);
  void end_unfinished(uint32_t tid);

  std::unique_ptr<OutputFile> file_;
  Flush flush_;
  uint32_t first_tid_ = 0;                        // lines of other tasks are marked
  std::map<uint32_t, FormattedCall> unfinished_;  // by tid
};

}  // namespace fl::emu
