// timerfd: a timer as a file. Linux counterpart: fs/timerfd.c.
//
// A periodic timer is armed again when it is read or looked at; what it missed is counted then. The clocks cannot be
// set, so nothing is ever cancelled (TFD_TIMER_CANCEL_ON_SET), and the alarm clocks are like the others.
#include <optional>

#include "guest/fs/anon_file.hpp"
#include "guest/syscall/clock_id.hpp"
#include "guest/syscall/itimerspec.hpp"
#include "guest/syscall/syscall.hpp"
#include "guest/task/wait_queue.hpp"

namespace fl::guest {
namespace {

class TimerFile final : public AnonFile {
 public:
  TimerFile(uint32_t flags, std::shared_ptr<LivePath> path, Kernel& kernel, int32_t clock)
      : AnonFile(flags, std::move(path)), kernel_(kernel), clock_(clock), timer_(*this) {}

  int32_t clock() const { return clock_; }

  Result<uint32_t> read(IoBuffer& to, uint64_t&) override {
    if (to.left() < sizeof ticks_) {
      return fail(Errno::kEINVAL);
    }
    if (ticks_ == 0) {
      return fail(Errno::kEAGAIN);
    }
    catch_up();
    const uint64_t taken = std::exchange(ticks_, 0);
    expired_ = false;
    if (to.put(std::as_bytes(std::span(&taken, 1))) < sizeof taken) {
      return fail(Errno::kEFAULT);
    }
    return sizeof taken;
  }
  uint32_t poll() override { return ticks_ > 0 ? uint32_t{PollEvent::kIn} : 0u; }
  WaitQueue* wait_queue() override { return &waiting_; }

  TimerSetting setting() {
    catch_up();
    return {interval_ns_, left_ns()};
  }
  // Of timerfd_settime.
  void note_flags(uint32_t flags) { settime_flags_ = flags; }
  // As it stands, without catching up. Linux: timerfd_show.
  std::string fdinfo(const vm::KernelProfile&) override {
    const uint64_t left = left_ns();
    return fmt::format("clockid: {}\nticks: {}\nsettime flags: 0{:o}\nit_value: ({}, {})\nit_interval: ({}, {})\n",
                       clock_, ticks_, settime_flags_, left / kNsPerSecond, left % kNsPerSecond,
                       interval_ns_ / kNsPerSecond, interval_ns_ % kNsPerSecond);
  }
  // None: stops it.
  void set(std::optional<uint64_t> deadline_ns, uint64_t interval_ns) {
    timer_.cancel();
    ticks_ = 0;
    expired_ = false;
    interval_ns_ = interval_ns;
    if (deadline_ns) {
      kernel_.timers().arm(timer_, *deadline_ns);
    }
  }

 private:
  class FileTimer final : public Timer {
   public:
    explicit FileTimer(TimerFile& file) : file_(file) {}
    void expire() override {
      file_.expired_ = true;
      file_.expired_at_ = deadline_ns();
      ++file_.ticks_;
      file_.waiting_.wake_all(PollEvent::kIn);
    }

   private:
    TimerFile& file_;
  };

  uint64_t left_ns() const {
    const uint64_t now = kernel_.time().now_ns();
    return timer_.armed() && timer_.deadline_ns() > now ? timer_.deadline_ns() - now : 0;
  }

  // Linux: hrtimer_forward_now in timerfd_read and do_timerfd_gettime.
  void catch_up() {
    if (!expired_ || interval_ns_ == 0) {
      return;
    }
    expired_ = false;
    const uint64_t missed = (kernel_.time().now_ns() - expired_at_) / interval_ns_;
    ticks_ += missed;
    kernel_.timers().arm(timer_, expired_at_ + (missed + 1) * interval_ns_);
  }

  Kernel& kernel_;
  int32_t clock_;
  uint32_t settime_flags_ = 0;
  FileTimer timer_;
  WaitQueue waiting_;
  uint64_t interval_ns_ = 0;
  uint64_t ticks_ = 0;
  bool expired_ = false;  // and not armed again yet
  uint64_t expired_at_ = 0;
};

// EBADF, EINVAL: not one of these.
Result<std::shared_ptr<TimerFile>> timer_file(const Task& task, uint32_t fd) {
  const std::shared_ptr<OpenFile> file = task.files->share(fd);
  if (file == nullptr || file->path_only()) {
    return fail(Errno::kEBADF);
  }
  auto timer = std::dynamic_pointer_cast<TimerFile>(file);
  return timer != nullptr ? Result<std::shared_ptr<TimerFile>>(std::move(timer)) : fail(Errno::kEINVAL);
}

// fd, flags, new, old.
template <typename Timespec>
Result<uint32_t> settime(Kernel& kernel, Task& task, const SyscallArgs& args) {
  constexpr uint32_t kCancelOnSet = 2;
  FL_TRY_ASSIGN(const auto spec, task.user().get<Itimerspec<Timespec>>(args.ptr(2)));
  const std::optional<TimerSetting> wanted = to_setting(spec);
  if ((args[1] & ~(kTimerAbstime | kCancelOnSet)) != 0 || !wanted) {
    return fail(Errno::kEINVAL);
  }
  FL_TRY_ASSIGN(const auto file, timer_file(task, args[0]));
  const TimerSetting old = file->setting();
  file->note_flags(args[1]);
  if (wanted->value_ns == 0) {
    file->set(std::nullopt, wanted->interval_ns);
  } else {
    file->set(first_expiry(*wanted, (args[1] & kTimerAbstime) != 0, *clock_now(kernel, task, file->clock()),
                           kernel.time().now_ns()),
              wanted->interval_ns);
    kernel.fire_timers();  // a time that has passed is over at once
  }
  if (args[3] != 0) {
    FL_TRY(task.user().put(args.ptr(3), old.shown<Timespec>()));
  }
  return 0;
}

template <typename Timespec>
Result<uint32_t> gettime(Task& task, const SyscallArgs& args) {
  FL_TRY_ASSIGN(const auto file, timer_file(task, args[0]));
  FL_TRY(task.user().put(args.ptr(1), file->setting().shown<Timespec>()));
  return 0;
}

}  // namespace

Result<uint32_t> sys_timerfd_create(Kernel& kernel, Task& task, const SyscallArgs& args) {
  const int32_t clock = args.s(0);
  const bool alarm = clock == ClockId::kRealtimeAlarm || clock == ClockId::kBoottimeAlarm;
  const bool known =
      clock == ClockId::kRealtime || clock == ClockId::kMonotonic || clock == ClockId::kBoottime || alarm;
  if ((args[1] & ~uint32_t{OpenFlag::kCloseOnExec | OpenFlag::kNonBlock}) != 0 || !known) {
    return fail(Errno::kEINVAL);
  }
  if (alarm && task.cred.euid != 0) {
    return fail(Errno::kEPERM);
  }
  FL_TRY_ASSIGN(auto file,
                make_anon_file<TimerFile>(kernel, "[timerfd]", OpenFlag::kReadWrite | (args[1] & OpenFlag::kNonBlock),
                                          kernel, clock));
  return install_file(task, std::move(file), args[1]);
}

Result<uint32_t> sys_timerfd_settime(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return settime<Timespec32>(kernel, task, args);
}
Result<uint32_t> sys_timerfd_settime64(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return settime<Timespec64>(kernel, task, args);
}
Result<uint32_t> sys_timerfd_gettime(Kernel&, Task& task, const SyscallArgs& args) {
  return gettime<Timespec32>(task, args);
}
Result<uint32_t> sys_timerfd_gettime64(Kernel&, Task& task, const SyscallArgs& args) {
  return gettime<Timespec64>(task, args);
}

}  // namespace fl::guest
