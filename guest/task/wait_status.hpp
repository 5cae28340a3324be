// A wait status: how a process ended, in one word, as wait4 stores it: the exit code << 8, or the signal that ended it,
// | 0x80 with a core dump. Linux counterparts: wait(2), and how do_notify_parent and wait_task_zombie read
// task_struct::exit_code.
#pragma once

#include <cstdint>

#include "guest/signal/signal.hpp"

namespace fl::guest {

inline constexpr uint32_t kCoreDumped = 0x80;
// 0: it ended by itself. WTERMSIG, WEXITSTATUS.
inline int ending_signal(uint32_t wait_status) { return static_cast<int>(wait_status & 0x7f); }
inline int exit_code(uint32_t wait_status) { return static_cast<int>(wait_status >> 8 & 0xff); }

// The same in two words: si_code and si_status of SIGCHLD and of waitid.
struct ChildEnd {
  int32_t code;  // SiCode::kChld...
  int32_t status;
};
inline ChildEnd child_end(uint32_t wait_status) {
  const int signal = ending_signal(wait_status);
  if (signal == 0) {
    return {SiCode::kChldExited, exit_code(wait_status)};
  }
  return {(wait_status & kCoreDumped) != 0 ? SiCode::kChldDumped : SiCode::kChldKilled, signal};
}

// The same as a shell's $?: 128 + signal, or the exit code.
inline int shell_status(uint32_t wait_status) {
  const int signal = ending_signal(wait_status);
  return signal != 0 ? 128 + signal : exit_code(wait_status);
}

}  // namespace fl::guest
