// poll, select and their relatives. Linux counterpart: fs/select.c.
//
// Ready at once is the common case. Else the task sleeps on the files' wait queues; if some file is the host's (a
// terminal, a pipe from outside), the whole machine waits in the host's poll, because nobody else could make that file
// ready.
#include <poll.h>

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <vector>

#include "guest/signal/send.hpp"
#include "guest/syscall/file_support.hpp"
#include "guest/syscall/restart.hpp"
#include "guest/syscall/syscall.hpp"
#include "guest/syscall/time_types.hpp"

namespace fl::guest {
namespace {

constexpr uint64_t kNsPerMs = 1'000'000;
constexpr int kSliceMs = 100;

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

// Waits in the host until one of its files is ready or a slice of time is over.
void wait_in_host(const Task& task, const std::vector<Watch>& watches, int slice_ms) {
  std::vector<pollfd> request;
  for (const Watch& watch : watches) {
    const OpenFile* const file = task.files->get(watch.fd);
    if (file != nullptr && file->host_poll_fd() >= 0) {
      const uint32_t events = watch.events & uint32_t{PollEvent::kIn | PollEvent::kOut | PollEvent::kPri};
      request.push_back({file->host_poll_fd(), static_cast<short>(events), 0});
    }
  }
  ::poll(request.data(), request.size(), slice_ms);
}

bool any_host_file(const Task& task, const std::vector<Watch>& watches) {
  return std::any_of(watches.begin(), watches.end(), [&](const Watch& watch) {
    const OpenFile* const file = task.files->get(watch.fd);
    return file != nullptr && file->host_poll_fd() >= 0;
  });
}

// When the time of this call is over. A call that slept keeps what it decided at first.
std::optional<uint64_t> deadline_of(Kernel& kernel, const Task& task, std::optional<uint64_t> timeout_ns) {
  if (task.wait.resumed) {
    return task.wait.deadline_ns;
  }
  constexpr uint64_t kForEver = std::numeric_limits<uint64_t>::max() / 4;
  return timeout_ns ? std::optional(kernel.time().now_ns() + std::min(*timeout_ns, kForEver)) : std::nullopt;
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
  while (true) {
    if (const uint32_t count = look(task, watches); count > 0) {
      return count;
    }
    const uint64_t now = kernel.time().now_ns();
    if (deadline && now >= *deadline) {
      return 0;
    }
    kernel.fire_timers();
    std::optional<uint64_t> wake = kernel.timers().next_ns();
    if (signal_pending(task)) {
      return fail(kRestartNoHand);
    }
    if (!any_host_file(task, watches)) {
      break;
    }
    if (deadline && (!wake || *deadline < *wake)) {
      wake = deadline;
    }
    const uint64_t left_ms = wake ? (*wake - now + kNsPerMs - 1) / kNsPerMs : kSliceMs;
    const int slice = static_cast<int>(std::min<uint64_t>(left_ms, kSliceMs));
    wait_in_host(task, watches, slice);
    if (kernel.stop_requested()) {
      return fail(kRestartNoHand);
    }
    // The time that passed outside passes inside too.
    const uint64_t passed = now + static_cast<uint64_t>(slice) * kNsPerMs;
    if (wake && look(task, watches) == 0) {
      kernel.time().sleep_until(std::min(passed, *wake));
    }
  }
  FL_TRY(wait_on_all(kernel, task, watches));
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

// A time argument: none is for ever.
using Timeout = std::optional<uint64_t>;

// Linux gives what is left of the time back where the time stood, except of a time of 0; that it cannot be stored is no
// error. Linux: poll_select_finish.
template <typename Time>
void put_time_left(Kernel& kernel, Task& task, VirtAddr to, Timeout asked, Timeout deadline) {
  if (!deadline || asked == 0) {
    return;
  }
  const uint64_t now = kernel.time().now_ns();
  static_cast<void>(task.user().put(to, Time::from_ns(*deadline > now ? *deadline - now : 0)));
}

Result<uint32_t> select_call(Kernel& kernel, Task& task, const SyscallArgs& args, Timeout timeout_ns) {
  if (args.s(0) < 0) {
    return fail(Errno::kEINVAL);
  }
  // Linux looks no further than the table is long, in steps of 64; bits beyond are not even read.
  const auto table = static_cast<uint32_t>((task.files->entries().size() + 255) / 256 * 256);
  FdSets sets{std::min(args[0], table), {args.ptr(1), args.ptr(2), args.ptr(3)}, {}};
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

// The signal mask of ppoll and pselect6, put in place for the length of the call.
Status install_mask(Task& task, VirtAddr mask, uint32_t size) {
  if (mask.value() == 0 || task.wait.resumed) {
    return {};
  }
  if (size != sizeof(uint64_t)) {
    return fail(Errno::kEINVAL);
  }
  FL_TRY_ASSIGN(const auto bits, task.user().get<uint64_t>(mask));
  set_temporary_mask(task, SignalSet(bits));
  return {};
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
  const auto ready = poll_call(kernel, task, args.ptr(0), args[1], timeout);
  if (ready) {
    put_time_left<Timespec>(kernel, task, args.ptr(2), timeout, deadline);
  }
  return ready;
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
  const auto ready = select_call(kernel, task, args, timeout);
  if (ready) {
    put_time_left<Timespec>(kernel, task, args.ptr(4), timeout, deadline);
  }
  return ready;
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
  const auto ready = select_call(kernel, task, args, timeout);
  if (ready) {
    put_time_left<Timeval32>(kernel, task, args.ptr(4), timeout, deadline);
  }
  return ready;
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
