// StopControl: ends a run from outside: Ctrl-C, SIGTERM, --timeout, or an error of an output file.
//
// While it lives, SIGINT, SIGTERM and SIGALRM set a flag and stop the CPU at its next block; SIGUSR1 sets another, for
// a run that shall tell about itself and go on. Afterwards the host's handlers are as before. Handlers are installed
// without SA_RESTART and an interval timer keeps interrupting, so that a wait in a host system call that began a moment
// too late ends too. One that catches signals at a time in a process: signal handlers have no argument. One that leaves
// them alone is only asked by request(): a machine inside somebody else's program.
#pragma once

#include <signal.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>

namespace fl::emu {

class UnicornCpu;

enum class StopReason : uint8_t { kNone, kInterrupt, kTerminate, kTimeout, kOutputError };

enum class HostSignals : uint8_t { kCatch, kLeave };

class StopControl {
 public:
  // `timeout_ms`: real time from now on; only where signals are caught.
  StopControl(UnicornCpu& cpu, std::optional<uint64_t> timeout_ms, HostSignals signals = HostSignals::kCatch);
  ~StopControl();
  StopControl(const StopControl&) = delete;
  StopControl& operator=(const StopControl&) = delete;

  // The first reason wins. Async-signal-safe.
  void request(StopReason reason);
  bool requested() const { return flag_.load(std::memory_order_relaxed); }
  // For the kernel: true once the machine is to stop.
  const std::atomic<bool>& flag() const { return flag_; }
  StopReason reason() const { return reason_.load(); }
  // Whether SIGUSR1 came since the last call.
  bool take_report_request() { return report_.load(std::memory_order_relaxed) && report_.exchange(false); }

 private:
  static void handle(int signal);
  static constexpr std::array<int, 4> kSignals{SIGINT, SIGTERM, SIGALRM, SIGUSR1};

  UnicornCpu& cpu_;
  HostSignals signals_;
  std::atomic<bool> flag_{false};
  std::atomic<bool> report_{false};
  std::atomic<StopReason> reason_{StopReason::kNone};
  std::array<struct sigaction, kSignals.size()> old_{};
};

// What the program exits with: 130, 143, 124 or 125.
int exit_status(StopReason reason);

}  // namespace fl::emu
