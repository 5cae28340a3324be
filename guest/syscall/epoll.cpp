// epoll_create, epoll_ctl, epoll_wait and their variants. Linux counterpart: the system calls of fs/eventpoll.c.
#include "guest/fs/epoll.hpp"

#include "guest/fs/anon_file.hpp"
#include "guest/ipc/ipc.hpp"
#include "guest/syscall/poll_support.hpp"
#include "guest/syscall/syscall.hpp"
#include "guest/syscall/time_types.hpp"

namespace fl::guest {
namespace {

constexpr uint64_t kNsPerMs = 1'000'000;

Result<uint32_t> create(Kernel& kernel, Task& task, uint32_t flags) {
  if ((flags & ~uint32_t{OpenFlag::kCloseOnExec}) != 0) {
    return fail(Errno::kEINVAL);
  }
  FL_TRY_ASSIGN(auto file,
                make_anon_file<EpollFile>(kernel, "[eventpoll]", OpenFlag::kReadWrite, kernel.ipc().epoll_item));
  return install_file(task, std::move(file), flags);
}

// Linux: EPOLLEXCLUSIVE_OK_BITS.
constexpr uint32_t kExclusiveMayHave = PollEvent::kIn | PollEvent::kOut | PollEvent::kErr | PollEvent::kHup |
                                       EpollEvent::kWakeUp | EpollEvent::kEdge | EpollEvent::kExclusive;

struct EpollWait {
  uint32_t fd;
  VirtAddr events;
  int32_t most;
  Timeout timeout_ns;
};

// Linux: do_epoll_wait, ep_poll.
Result<uint32_t> wait(Kernel& kernel, Task& task, const EpollWait& call) {
  constexpr int32_t kMostEvents = INT32_MAX / static_cast<int32_t>(sizeof(EpollEvent));
  if (call.most <= 0 || call.most > kMostEvents) {
    return fail(Errno::kEINVAL);
  }
  if (!vm::UserAccess::access_ok(call.events, uint64_t{sizeof(EpollEvent)} * static_cast<uint32_t>(call.most))) {
    return fail(Errno::kEFAULT);
  }
  FL_TRY_ASSIGN(const std::shared_ptr<OpenFile> file, file_of_call(task, call.fd));
  auto* const epoll = dynamic_cast<EpollFile*>(file.get());
  if (epoll == nullptr) {
    return fail(Errno::kEINVAL);
  }
  const Timeout deadline = deadline_of(kernel, task, call.timeout_ns);
  vm::UserAccess user = task.user();
  VirtAddr to = call.events;
  FL_TRY_ASSIGN(const uint32_t count, epoll->collect(static_cast<uint32_t>(call.most), [&](const EpollEvent& event) {
    const bool stored = user.put(to, event).has_value();
    to += static_cast<uint32_t>(sizeof event);
    return stored;
  }));
  if (count > 0 || (deadline && kernel.time().now_ns() >= *deadline)) {
    return count;
  }
  if (signal_pending(task)) {
    return fail(Errno::kEINTR);
  }
  epoll->wait_queue()->add(task.waiter);
  task.wait.file = file;
  return kernel.sleep(task, "epoll_wait", call.fd, deadline);
}

Result<uint32_t> masked_wait(Kernel& kernel, Task& task, const EpollWait& call, VirtAddr mask, uint32_t size) {
  FL_TRY(install_mask(task, mask, size));
  const Result<uint32_t> result = wait(kernel, task, call);
  if (result || (result.error() != kCallSleeps && result.error() != Errno::kEINTR)) {
    restore_mask(task);
  }
  return result;
}

Timeout from_ms(int32_t ms) { return ms < 0 ? std::nullopt : std::optional(static_cast<uint64_t>(ms) * kNsPerMs); }

}  // namespace

Result<uint32_t> sys_epoll_create(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return args.s(0) <= 0 ? fail(Errno::kEINVAL) : create(kernel, task, 0);
}
Result<uint32_t> sys_epoll_create1(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return create(kernel, task, args[0]);
}

// epoll, operation, fd, event.
Result<uint32_t> sys_epoll_ctl(Kernel&, Task& task, const SyscallArgs& args) {
  enum Operation : uint32_t { kAdd = 1, kDelete = 2, kModify = 3 };
  EpollEvent event;
  if (args[1] != kDelete) {
    FL_TRY_ASSIGN(event, task.user().get<EpollEvent>(args.ptr(3)));
  }
  FL_TRY_ASSIGN(const std::shared_ptr<OpenFile> outer, file_of_call(task, args[0]));
  FL_TRY_ASSIGN(const std::shared_ptr<OpenFile> file, file_of_call(task, args[2]));
  if (!file->can_poll()) {
    return fail(Errno::kEPERM);
  }
  event.events &= ~uint32_t{EpollEvent::kWakeUp};  // there is no suspend
  auto* const epoll = dynamic_cast<EpollFile*>(outer.get());
  if (outer == file || epoll == nullptr) {
    return fail(Errno::kEINVAL);
  }
  if ((event.events & EpollEvent::kExclusive) != 0 && args[1] != kDelete) {
    const bool nested = dynamic_cast<EpollFile*>(file.get()) != nullptr;
    if (args[1] == kModify || (args[1] == kAdd && (nested || (event.events & ~kExclusiveMayHave) != 0))) {
      return fail(Errno::kEINVAL);
    }
  }
  switch (args[1]) {
    case kAdd:
      return zero_or(epoll->add(file, args[2], event));
    case kDelete:
      return zero_or(epoll->remove(*file, args[2]));
    case kModify:
      return zero_or(epoll->modify(*file, args[2], event));
    default:
      return fail(Errno::kEINVAL);
  }
}

Result<uint32_t> sys_epoll_wait(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return wait(kernel, task, {args[0], args.ptr(1), args.s(2), from_ms(args.s(3))});
}
// epoll, events, room, milliseconds, mask, size of the mask.
Result<uint32_t> sys_epoll_pwait(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return masked_wait(kernel, task, {args[0], args.ptr(1), args.s(2), from_ms(args.s(3))}, args.ptr(4), args[5]);
}
Result<uint32_t> sys_epoll_pwait2(Kernel& kernel, Task& task, const SyscallArgs& args) {
  Timeout timeout;
  if (args[3] != 0) {
    FL_TRY_ASSIGN(const auto time, task.user().get<Timespec64>(args.ptr(3)));
    timeout = to_ns(time);
    if (!timeout) {
      return fail(Errno::kEINVAL);
    }
  }
  return masked_wait(kernel, task, {args[0], args.ptr(1), args.s(2), timeout}, args.ptr(4), args[5]);
}

}  // namespace fl::guest
