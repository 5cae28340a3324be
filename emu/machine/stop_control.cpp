// Signal handlers and the timeout's timer.
#include "emu/machine/stop_control.hpp"

#include <sys/time.h>

#include <cerrno>

#include "emu/base/host_error.hpp"
#include "emu/cpu/unicorn_cpu.hpp"
#include "mmu/base/check.hpp"

namespace fl::emu {
namespace {

// A handler can reach its StopControl only through something static.
std::atomic<StopControl*> active_control{nullptr};

constexpr long kRepeatMicroseconds = 20'000;

// Interrupts again and again, in case the first signal came just before a blocking call.
void keep_interrupting() {
  const itimerval timer{{0, kRepeatMicroseconds}, {0, kRepeatMicroseconds}};
  setitimer(ITIMER_REAL, &timer, nullptr);
}

}  // namespace

StopControl::StopControl(UnicornCpu& cpu, std::optional<uint64_t> timeout_ms, HostSignals signals)
    : cpu_(cpu), signals_(signals) {
  if (signals_ == HostSignals::kLeave) {
    FL_CHECK(!timeout_ms, "a timeout needs a signal");
    return;
  }
  FL_CHECK(active_control.exchange(this) == nullptr, "a second run in one process");
  struct sigaction action {};
  action.sa_handler = &StopControl::handle;
  sigfillset(&action.sa_mask);
  for (size_t i = 0; i < kSignals.size(); ++i) {
    sigaction(kSignals[i], nullptr, &old_[i]);
    // As shells start background jobs: an ignored Ctrl-C stays ignored.
    if (old_[i].sa_handler != SIG_IGN || kSignals[i] == SIGALRM) {
      sigaction(kSignals[i], &action, nullptr);
    }
  }
  if (timeout_ms) {
    const itimerval timer{{0, kRepeatMicroseconds},
                          {static_cast<time_t>(*timeout_ms / 1000), static_cast<long>(*timeout_ms % 1000 * 1000)}};
    setitimer(ITIMER_REAL, &timer, nullptr);
  }
}

StopControl::~StopControl() {
  if (signals_ == HostSignals::kLeave) {
    return;
  }
  const itimerval off{};
  setitimer(ITIMER_REAL, &off, nullptr);
  for (size_t i = 0; i < kSignals.size(); ++i) {
    sigaction(kSignals[i], &old_[i], nullptr);
  }
  active_control = nullptr;
}

void StopControl::handle(int signal) {
  const int saved_errno = errno;
  StopControl* const control = active_control.load();
  if (control != nullptr && signal == SIGUSR1) {
    control->report_.store(true);
    control->cpu_.request_stop();
  } else if (control != nullptr) {
    switch (signal) {
      case SIGINT:
        control->request(StopReason::kInterrupt);
        break;
      case SIGTERM:
        control->request(StopReason::kTerminate);
        break;
      default:
        control->request(StopReason::kTimeout);
        break;
    }
    if (signal != SIGALRM) {
      keep_interrupting();
    }
  }
  errno = saved_errno;
}

void StopControl::request(StopReason reason) {
  StopReason none = StopReason::kNone;
  reason_.compare_exchange_strong(none, reason);
  flag_.store(true);
  cpu_.request_stop();
}

int exit_status(StopReason reason) {
  switch (reason) {
    case StopReason::kInterrupt:
      return 128 + SIGINT;
    case StopReason::kTerminate:
      return 128 + SIGTERM;
    case StopReason::kTimeout:
      return kExitTimeout;
    case StopReason::kOutputError:
    case StopReason::kNone:
      break;
  }
  return kExitHostError;
}

}  // namespace fl::emu
