// RestartBlock: how a sleep that a signal ended goes on through restart_syscall when no handler ran. Linux counterpart:
// struct restart_block.
#pragma once

#include <cstdint>
#include <optional>

namespace fl::guest {

struct RestartBlock {
  // Which call goes on. kNone: EINTR. Linux: do_no_restart_syscall.
  enum class Call : uint8_t { kNone, kNanosleep, kFutexWait, kPoll };
  Call call = Call::kNone;
  std::optional<uint64_t> deadline_ns;  // as TimeSource::now_ns counts
  uint32_t address = 0;                 // where a nanosleep's remainder goes; the futex word; poll's array
  bool time64 = false;                  // nanosleep: its remainder is a __kernel_timespec
  bool shared = false;                  // futex: without FUTEX_PRIVATE_FLAG
  uint32_t value = 0;                   // futex: what the word holds; poll: how long the array is
  uint32_t bitset = 0;                  // futex
};

}  // namespace fl::guest
