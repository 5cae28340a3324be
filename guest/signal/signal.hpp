// Signals: numbers, sets, what a signal tells, what a task does about it, and which ones wait.
//
// Linux counterparts: asm/signal.h, siginfo_t, struct k_sigaction, sighand_struct, struct sigpending. Pure
// data; sending is signal/send.hpp, delivery signal/deliver.hpp, the frames on the user stack
// signal/frame.hpp.
#pragma once

#include <array>
#include <boost/intrusive/list.hpp>
#include <cstdint>
#include <string_view>

#include "mmu/base/addr.hpp"

namespace fl::guest {

struct Signal {
  enum Number : int {
    kHup = 1,
    kInt,
    kQuit,
    kIll,
    kTrap,
    kAbrt,
    kBus,
    kFpe,
    kKill,
    kUsr1,
    kSegv,
    kUsr2,
    kPipe,
    kAlrm,
    kTerm,
    kStkFlt,
    kChld,
    kCont,
    kStop,
    kTstp,
    kTtin,
    kTtou,
    kUrg,
    kXcpu,
    kXfsz,
    kVtAlrm,
    kProf,
    kWinch,
    kIo,
    kPwr,
    kSys,
    kRtMin = 32,
    kMax = 64,
  };
};
constexpr bool valid_signal(int signal) { return signal >= 1 && signal <= Signal::kMax; }
// "SIGSEGV", "SIGRT_5" (number - 32) as strace names them.
std::string_view signal_name(int signal);

// A set of signals; bit n-1 is signal n. Linux: sigset_t.
class SignalSet {
 public:
  constexpr SignalSet() = default;
  constexpr explicit SignalSet(uint64_t bits) : bits_(bits) {}
  constexpr uint64_t bits() const { return bits_; }
  constexpr bool has(int signal) const { return (bits_ >> (signal - 1) & 1) != 0; }
  constexpr bool empty() const { return bits_ == 0; }
  constexpr void add(int signal) { bits_ |= uint64_t{1} << (signal - 1); }
  constexpr void remove(int signal) { bits_ &= ~(uint64_t{1} << (signal - 1)); }
  constexpr SignalSet operator|(SignalSet other) const { return SignalSet(bits_ | other.bits_); }
  constexpr SignalSet operator&(SignalSet other) const { return SignalSet(bits_ & other.bits_); }
  constexpr SignalSet operator~() const { return SignalSet(~bits_); }
  constexpr bool operator==(const SignalSet&) const = default;
  // Without SIGKILL and SIGSTOP, which nothing blocks.
  constexpr SignalSet blockable() const {
    return SignalSet(bits_ & ~(uint64_t{1} << (Signal::kKill - 1) | uint64_t{1} << (Signal::kStop - 1)));
  }

 private:
  uint64_t bits_ = 0;
};

// si_code values (asm-generic/siginfo.h).
struct SiCode {
  enum Code : int32_t {
    kUser = 0,
    kKernel = 0x80,
    kQueue = -1,
    kTimer = -2,
    kTkill = -6,
    kIllIllOpn = 2,
    kFpeIntDiv = 1,
    kFpeIntOvf = 2,
    kFpeFltDiv = 3,
    kFpeFltOvf = 4,
    kFpeFltUnd = 5,
    kFpeFltRes = 6,
    kFpeFltInv = 7,
    kSegvMapErr = 1,
    kSegvAccErr = 2,
    kBusAdrAln = 1,
    kBusAdrErr = 2,
    kTrapBrkpt = 1,
    kTrapTrace = 2,
    kChldExited = 1,
    kChldKilled = 2,
    kChldDumped = 3,
    kChldStopped = 5,
    kChldContinued = 6,
  };
};

// What comes with a signal. Linux: kernel_siginfo. Which fields count follows from code and signal as
// siginfo_layout says.
struct SignalInfo {
  int signal = 0;
  int32_t code = SiCode::kUser;
  int32_t error = 0;
  VirtAddr addr{};            // faults: si_addr
  uint32_t pid = 0, uid = 0;  // kill, SIGCHLD; of a timer its id
  int32_t status = 0;         // SIGCHLD
  uint32_t value = 0;         // sigqueue, timers: si_value
  int32_t overrun = 0;        // timers
  uint32_t utime = 0;         // SIGCHLD, in ticks; there is no system time
};
// How the union behind si_code is laid out for a signal and code. Linux: siginfo_layout.
enum class SignalInfoLayout : uint8_t { kKill, kTimer, kFault, kChild, kQueued };
SignalInfoLayout signal_info_layout(int signal, int32_t code);

struct SaFlag {
  enum Bit : uint32_t {
    kNoCldStop = 1,
    kNoCldWait = 2,
    kSigInfo = 4,
    kUnsupported = 0x400,
    kExposeTagBits = 0x800,
    kRestorer = 0x04000000,
    kOnStack = 0x08000000,
    kRestart = 0x10000000,
    kNoDefer = 0x40000000,
    kResetHand = 0x80000000,
  };
};
inline constexpr uint32_t kSigDfl = 0;
inline constexpr uint32_t kSigIgn = 1;

// Linux: struct k_sigaction.
struct SignalAction {
  uint32_t handler = kSigDfl;
  uint32_t flags = 0;  // SaFlag bits
  uint32_t restorer = 0;
  SignalSet mask;
};

// The actions of a thread group. Linux: struct sighand_struct; shared by CLONE_SIGHAND.
struct SignalHandlers {
  std::array<SignalAction, Signal::kMax> actions;
  SignalAction& operator[](int signal) { return actions[static_cast<size_t>(signal - 1)]; }
  const SignalAction& operator[](int signal) const { return actions[static_cast<size_t>(signal - 1)]; }
  // Handlers are gone; what is ignored stays ignored. Linux: flush_signal_handlers without force_default.
  void flush();
};

// One that was sent, in the cache "sigqueue". Linux: struct sigqueue.
struct QueuedSignal : boost::intrusive::list_base_hook<> {
  explicit QueuedSignal(const SignalInfo& what, uint32_t whose) : info(what), owner(whose) {}
  SignalInfo info;
  uint32_t owner;  // the user against whose limit it counts
};

// Signals sent and not yet delivered. A signal may be in the set and not in the queue: there was no memory for what
// came with it. Linux: struct sigpending.
struct PendingSignals {
  SignalSet set;
  boost::intrusive::list<QueuedSignal> queue;
};

// Linux: sas_ss_sp, sas_ss_size, sas_ss_flags.
struct AltStack {
  static constexpr int32_t kOnStack = 1;
  static constexpr int32_t kDisable = 2;
  static constexpr uint32_t kAutoDisarm = 1u << 31;
  static constexpr uint32_t kMinSize = 2048;
  uint32_t sp = 0;
  uint32_t size = 0;  // 0: none
  uint32_t flags = kDisable;
};

// What a task does about a signal whose action is SIG_DFL.
enum class DefaultAction : uint8_t { kTerminate, kCoreDump, kIgnore, kStop, kContinue };
DefaultAction default_action(int signal);

}  // namespace fl::guest
