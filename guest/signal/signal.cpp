// Names, default actions and siginfo layouts of signals. Linux counterparts: sig_kernel_* in linux/signal.h,
// siginfo_layout.
#include "guest/signal/signal.hpp"

namespace fl::guest {

std::string_view signal_name(int signal) {
  static constexpr std::array<std::string_view, 32> kNames{
      "SIG_0",     "SIGHUP",  "SIGINT",    "SIGQUIT", "SIGILL",   "SIGTRAP", "SIGABRT", "SIGBUS",
      "SIGFPE",    "SIGKILL", "SIGUSR1",   "SIGSEGV", "SIGUSR2",  "SIGPIPE", "SIGALRM", "SIGTERM",
      "SIGSTKFLT", "SIGCHLD", "SIGCONT",   "SIGSTOP", "SIGTSTP",  "SIGTTIN", "SIGTTOU", "SIGURG",
      "SIGXCPU",   "SIGXFSZ", "SIGVTALRM", "SIGPROF", "SIGWINCH", "SIGIO",   "SIGPWR",  "SIGSYS"};
  static constexpr std::array<std::string_view, 33> kRealTime{
      "SIGRT_0",  "SIGRT_1",  "SIGRT_2",  "SIGRT_3",  "SIGRT_4",  "SIGRT_5",  "SIGRT_6",  "SIGRT_7",  "SIGRT_8",
      "SIGRT_9",  "SIGRT_10", "SIGRT_11", "SIGRT_12", "SIGRT_13", "SIGRT_14", "SIGRT_15", "SIGRT_16", "SIGRT_17",
      "SIGRT_18", "SIGRT_19", "SIGRT_20", "SIGRT_21", "SIGRT_22", "SIGRT_23", "SIGRT_24", "SIGRT_25", "SIGRT_26",
      "SIGRT_27", "SIGRT_28", "SIGRT_29", "SIGRT_30", "SIGRT_31", "SIGRT_32"};
  if (signal >= 0 && signal < Signal::kRtMin) {
    return kNames[static_cast<size_t>(signal)];
  }
  return signal >= Signal::kRtMin && signal <= Signal::kMax ? kRealTime[static_cast<size_t>(signal - Signal::kRtMin)]
                                                            : "SIG_?";
}

SignalInfoLayout signal_info_layout(int signal, int32_t code) {
  if (code > SiCode::kUser && code < SiCode::kKernel) {
    switch (signal) {
      case Signal::kIll:
      case Signal::kFpe:
      case Signal::kSegv:
      case Signal::kBus:
      case Signal::kTrap:
        return SignalInfoLayout::kFault;
      case Signal::kChld:
        return SignalInfoLayout::kChild;
      default:
        return SignalInfoLayout::kKill;
    }
  }
  if (code == SiCode::kTimer) {
    return SignalInfoLayout::kTimer;
  }
  // tkill's code is negative too: its value is 0.
  return code < 0 ? SignalInfoLayout::kQueued : SignalInfoLayout::kKill;
}

void SignalHandlers::flush() {
  for (SignalAction& action : actions) {
    const uint32_t kept = action.handler == kSigIgn ? kSigIgn : kSigDfl;
    action = SignalAction{};
    action.handler = kept;
  }
}

DefaultAction default_action(int signal) {
  switch (signal) {
    case Signal::kQuit:
    case Signal::kIll:
    case Signal::kTrap:
    case Signal::kAbrt:
    case Signal::kBus:
    case Signal::kFpe:
    case Signal::kSegv:
    case Signal::kXcpu:
    case Signal::kXfsz:
    case Signal::kSys:
      return DefaultAction::kCoreDump;
    case Signal::kChld:
    case Signal::kUrg:
    case Signal::kWinch:
      return DefaultAction::kIgnore;
    case Signal::kCont:
      return DefaultAction::kContinue;
    case Signal::kStop:
    case Signal::kTstp:
    case Signal::kTtin:
    case Signal::kTtou:
      return DefaultAction::kStop;
    default:
      return DefaultAction::kTerminate;
  }
}

}  // namespace fl::guest
