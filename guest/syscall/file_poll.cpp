// poll, select and their relatives. Linux counterpart: fs/select.c.
//
// Ready at once is the common case. Else the task sleeps on the files' wait queues.
#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <vector>

#include "guest/signal/send.hpp"
#include "guest/syscall/file_support.hpp"
#include "guest/syscall/poll_support.hpp"
#include "guest/syscall/restart.hpp"
#include "guest/syscall/syscall.hpp"
#include "guest/syscall/time_types.hpp"

namespace fl::guest {
namespace {

constexpr uint64_t kNsPerMs = 1'000'000;

// One descriptor that is watched. `events` as the caller asks; error, hang-up and invalid are always told.
struct Watch {
  uint32_t fd;
  uint32_t events;
  uint32_t ready = 0;
};
constexpr uint32_t kAlwaysTold = PollEvent::kErr | PollEvent::kHup | PollEvent::kInvalid;

uint32_t look(const Task& task, std::vector<Watch>& watches) {
  uint32_t count = 0;
  for (Watch& watch : watches) {
    OpenFile* const file = task.files->get(watch.fd);
    const uint32_t now = file == nullptr || file->path_only() ? uint32_t{PollEvent::kInvalid} : file->poll();
    watch.ready = now & (watch.events | kAlwaysTold);
    count += watch.ready != 0 ? 1 : 0;
  }
  return count;
}

// Puts an entry of the task into the queue of each file. ENOMEM. Linux: struct poll_wqueues.
Status wait_on_all(Kernel& kernel, Task& task, const std::vector<Watch>& watches) {
  for (const Watch& watch : watches) {
    const std::shared_ptr<OpenFile> file = task.files->share(watch.fd);
    WaitQueue* const queue = file != nullptr ? file->wait_queue() : nullptr;
    if (queue == nullptr) {
      continue;
    }
    FL_TRY_ASSIGN(PollWaiter* const waiter, kernel.caches().poll_waiter.create(task, file));
    task.poll_waiters.push_back(*waiter);
    queue->add(*waiter);
  }
  return {};
}

// How many are ready; 0 after the time. `timeout_ns` none: for ever. Sleeps by answering kCallSleeps.
Result<uint32_t> poll_until_ready(Kernel& kernel, Task& task, std::vector<Watch>& watches,
                                  std::optional<uint64_t> timeout_ns) {
  const std::optional<uint64_t> deadline = deadline_of(kernel, task, timeout_ns);
  if (const uint32_t count = look(task, watches); count > 0) {
    return count;
  }
  if (deadline && kernel.time().now_ns() >= *deadline) {
    return 0;
  }
  if (signal_pending(task)) {
    return fail(kRestartNoHand);
  }
  if (const Status waits = wait_on_all(kernel, task, watches); !waits) {
    task.poll_waiters.clear_and_dispose([&](PollWaiter* waiter) { kernel.caches().poll_waiter.destroy(waiter); });
    return fail(waits.error());
  }
  return kernel.sleep(task, "poll", watches.empty() ? 0 : watches.front().fd, deadline);
}

struct PollFd {
  int32_t fd;
  uint16_t events, revents;
};

Result<uint32_t> poll_call(Kernel& kernel, Task& task, VirtAddr array, uint32_t count,
                           std::optional<uint64_t> timeout_ns) {
  if (count > descriptor_limit(task)) {
    return fail(Errno::kEINVAL);
  }
  std::vector<PollFd> fds(count);
  FL_TRY(task.user().read(std::as_writable_bytes(std::span(fds)), array));
  std::vector<Watch> watches;
  for (const PollFd& each : fds) {
    if (each.fd >= 0) {
      watches.push_back({static_cast<uint32_t>(each.fd), each.events});
    }
  }
  FL_TRY_ASSIGN(const uint32_t ready, poll_until_ready(kernel, task, watches, timeout_ns));
  size_t next = 0;
  for (uint32_t i = 0; i < count; ++i) {
    const auto revents = static_cast<uint16_t>(fds[i].fd >= 0 ? watches[next++].ready : 0);
    constexpr uint32_t kReventsOffset = 6;
    FL_TRY(task.user().put(array + i * static_cast<uint32_t>(sizeof(PollFd)) + kReventsOffset, revents));
  }
  return ready;
}

// The sets of select as words of 32 bits. Linux: fd_set_bits.
struct FdSets {
  uint32_t count;
  std::array<VirtAddr, 3> at;
  std::array<std::vector<uint32_t>, 3> words;

  static constexpr std::array<uint32_t, 3> kEvents = {PollEvent::kIn | PollEvent::kReadNormal | PollEvent::kReadBand,
                                                      PollEvent::kOut | PollEvent::kWriteNormal | PollEvent::kWriteBand,
                                                      PollEvent::kPri};
  // What makes a descriptor appear in each set. Linux: POLLIN_SET, POLLOUT_SET, POLLEX_SET.
  static constexpr std::array<uint32_t, 3> kTold = {kEvents[0] | PollEvent::kHup | PollEvent::kErr,
                                                    kEvents[1] | PollEvent::kErr, PollEvent::kPri};

  Status load(Task& task) {
    for (size_t set = 0; set < words.size(); ++set) {
      words[set].assign((count + 31) / 32, 0);
      if (at[set].value() != 0) {
        FL_TRY(task.user().read(std::as_writable_bytes(std::span(words[set])), at[set]));
      }
    }
    return {};
  }
  bool has(size_t set, uint32_t fd) const { return (words[set][fd / 32] >> (fd % 32) & 1) != 0; }
};

// The end of a call with a time argument: the mask of before is in force again unless a signal is to be handled, and
// what is left of the time is given back where it stood, unless it was 0. That this cannot be stored is no error, but
// then the call cannot be done again. Linux: poll_select_finish.
template <typename Time>
Result<uint32_t> finish(Kernel& kernel, Task& task, VirtAddr time, Timeout asked, Timeout deadline,
                        const Result<uint32_t>& result) {
  if (!result && result.error() == kCallSleeps) {
    return result;
  }
  const bool interrupted = !result && result.error() == kRestartNoHand;
  if (!interrupted) {
    restore_mask(task);
  }
  if (!deadline || (!task.wait.resumed && asked == 0u)) {
    return result;
  }
  const uint64_t now = kernel.time().now_ns();
  const bool stored = task.user().put(time, Time::from_ns(*deadline > now ? *deadline - now : 0)).has_value();
  return interrupted && !stored ? fail(Errno::kEINTR) : result;
}

Result<uint32_t> select_call(Kernel& kernel, Task& task, const SyscallArgs& args, Timeout timeout_ns) {
  if (args.s(0) < 0) {
    return fail(Errno::kEINVAL);
  }
  // Bits beyond the table are not even read.
  const uint32_t max_fds = task.files->max_fds(kernel.profile().kernel_pointer_bytes);
  FdSets sets{std::min(args[0], max_fds), {args.ptr(1), args.ptr(2), args.ptr(3)}, {}};
  FL_TRY(sets.load(task));
  std::vector<Watch> watches;
  for (uint32_t fd = 0; fd < sets.count; ++fd) {
    uint32_t events = 0;
    for (size_t set = 0; set < sets.words.size(); ++set) {
      events |= sets.has(set, fd) ? FdSets::kEvents[set] : 0;
    }
    if (events != 0) {
      FL_TRY(file_for_io(task, fd));
      watches.push_back({fd, events});
    }
  }
  FL_TRY(poll_until_ready(kernel, task, watches, timeout_ns));
  uint32_t ready = 0;
  FdSets result{sets.count, sets.at, {}};
  for (size_t set = 0; set < sets.words.size(); ++set) {
    result.words[set].assign(sets.words[set].size(), 0);
  }
  for (const Watch& watch : watches) {
    for (size_t set = 0; set < sets.words.size(); ++set) {
      if (sets.has(set, watch.fd) && (watch.ready & FdSets::kTold[set]) != 0) {
        result.words[set][watch.fd / 32] |= 1u << (watch.fd % 32);
        ++ready;
      }
    }
  }
  for (size_t set = 0; set < sets.words.size(); ++set) {
    if (sets.at[set].value() != 0) {
      FL_TRY(task.user().write(sets.at[set], std::as_bytes(std::span(result.words[set]))));
    }
  }
  return ready;
}

// A relative time argument; null: for ever. EINVAL if it is no time.
template <typename Timespec>
Result<std::optional<uint64_t>> timeout_argument(Task& task, VirtAddr from) {
  if (from.value() == 0) {
    return std::optional<uint64_t>();
  }
  FL_TRY_ASSIGN(const auto time, task.user().template get<Timespec>(from));
  const std::optional<uint64_t> ns = to_ns(time);
  return ns ? Result<std::optional<uint64_t>>(ns) : fail(Errno::kEINVAL);
}

Result<std::optional<uint64_t>> timeval_timeout(Task& task, VirtAddr from) {
  if (from.value() == 0) {
    return std::optional<uint64_t>();
  }
  FL_TRY_ASSIGN(const auto time, task.user().get<Timeval32>(from));
  if (time.seconds < 0 || time.microseconds < 0) {
    return fail(Errno::kEINVAL);
  }
  return std::optional(static_cast<uint64_t>(time.seconds) * kNsPerSecond +
                       static_cast<uint64_t>(time.microseconds) * 1000);
}

Result<uint32_t> poll_or_restart(Kernel& kernel, Task& task, VirtAddr array, uint32_t count, Timeout timeout_ns,
                                 Timeout deadline) {
  const auto ready = poll_call(kernel, task, array, count, timeout_ns);
  if (ready || ready.error() != kRestartNoHand) {
    return ready;
  }
  task.restart = {.call = RestartBlock::Call::kPoll, .deadline_ns = deadline, .address = array.value(), .value = count};
  return fail(kRestartRestartBlock);
}

// fds, count, timeout, mask, size of the mask.
template <typename Timespec>
Result<uint32_t> ppoll(Kernel& kernel, Task& task, const SyscallArgs& args) {
  FL_TRY_ASSIGN(const auto timeout, timeout_argument<Timespec>(task, args.ptr(2)));
  FL_TRY(install_mask(task, args.ptr(3), args[4]));
  const Timeout deadline = deadline_of(kernel, task, timeout);
  return finish<Timespec>(kernel, task, args.ptr(2), timeout, deadline,
                          poll_call(kernel, task, args.ptr(0), args[1], timeout));
}

// n, in, out, ex, timeout, pointer to {mask, size}.
template <typename Timespec>
Result<uint32_t> pselect6(Kernel& kernel, Task& task, const SyscallArgs& args) {
  struct MaskArgument {
    uint32_t mask, size;
  };
  MaskArgument mask{};
  if (args[5] != 0) {
    FL_TRY_ASSIGN(mask, task.user().get<MaskArgument>(args.ptr(5)));
  }
  FL_TRY_ASSIGN(const Timeout timeout, timeout_argument<Timespec>(task, args.ptr(4)));
  FL_TRY(install_mask(task, VirtAddr(mask.mask), mask.size));
  const Timeout deadline = deadline_of(kernel, task, timeout);
  return finish<Timespec>(kernel, task, args.ptr(4), timeout, deadline, select_call(kernel, task, args, timeout));
}

}  // namespace

// After a signal that no handler took it goes on until the time that it was given at first. Linux: do_restart_poll.
Result<uint32_t> sys_poll(Kernel& kernel, Task& task, const SyscallArgs& args) {
  const std::optional<uint64_t> timeout = args.s(2) < 0 ? std::nullopt : std::optional(uint64_t{args[2]} * kNsPerMs);
  const Timeout deadline = deadline_of(kernel, task, timeout);
  return poll_or_restart(kernel, task, args.ptr(0), args[1], timeout, deadline);
}
Result<uint32_t> restart_poll(Kernel& kernel, Task& task) {
  const Timeout deadline = task.restart.deadline_ns;
  const uint64_t now = kernel.time().now_ns();
  const Timeout left = deadline ? std::optional(*deadline > now ? *deadline - now : 0) : std::nullopt;
  return poll_or_restart(kernel, task, VirtAddr(task.restart.address), task.restart.value, left, deadline);
}
Result<uint32_t> sys_ppoll(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return ppoll<Timespec32>(kernel, task, args);
}
Result<uint32_t> sys_ppoll_time64(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return ppoll<Timespec64>(kernel, task, args);
}

Result<uint32_t> sys_newselect(Kernel& kernel, Task& task, const SyscallArgs& args) {
  FL_TRY_ASSIGN(const Timeout timeout, timeval_timeout(task, args.ptr(4)));
  const Timeout deadline = deadline_of(kernel, task, timeout);
  return finish<Timeval32>(kernel, task, args.ptr(4), timeout, deadline, select_call(kernel, task, args, timeout));
}
// The five arguments stand in memory. Linux: sys_old_select.
Result<uint32_t> sys_select(Kernel& kernel, Task& task, const SyscallArgs& args) {
  FL_TRY_ASSIGN(const auto words, (task.user().get<std::array<uint32_t, 5>>(args.ptr(0))));
  return sys_newselect(kernel, task, SyscallArgs{{words[0], words[1], words[2], words[3], words[4], 0}});
}
Result<uint32_t> sys_pselect6(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return pselect6<Timespec32>(kernel, task, args);
}
Result<uint32_t> sys_pselect6_time64(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return pselect6<Timespec64>(kernel, task, args);
}

}  // namespace fl::guest
