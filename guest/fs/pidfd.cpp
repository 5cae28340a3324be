// pidfd_open and pidfd_send_signal. Linux counterpart: kernel/pid.c, kernel/signal.c.
#include "guest/fs/pidfd.hpp"

#include "guest/signal/frame_layout.hpp"
#include "guest/signal/send.hpp"
#include "guest/syscall/syscall.hpp"

namespace fl::guest {

Result<uint32_t> open_pidfd(Kernel& kernel, Task& task, std::shared_ptr<ThreadGroup> group, uint32_t flags) {
  FL_TRY_ASSIGN(auto file, make_anon_file<PidFile>(kernel, "[pidfd]", OpenFlag::kReadWrite | flags, std::move(group)));
  return install_file(task, std::move(file), OpenFlag::kCloseOnExec);
}

Result<std::shared_ptr<PidFile>> pid_file(const Task& task, uint32_t fd) {
  auto file = std::dynamic_pointer_cast<PidFile>(task.files->share(fd));
  return file != nullptr ? Result<std::shared_ptr<PidFile>>(std::move(file)) : fail(Errno::kEBADF);
}

Result<uint32_t> sys_pidfd_open(Kernel& kernel, Task& task, const SyscallArgs& args) {
  if ((args[1] & ~uint32_t{OpenFlag::kNonBlock}) != 0 || args.s(0) <= 0) {
    return fail(Errno::kEINVAL);
  }
  const Task* const target = kernel.find_task(args[0]);
  if (target == nullptr) {
    return fail(Errno::kESRCH);
  }
  return target->is_leader() ? open_pidfd(kernel, task, target->group, args[1]) : fail(Errno::kEINVAL);
}

// fd, signal, siginfo or null, flags.
Result<uint32_t> sys_pidfd_send_signal(Kernel& kernel, Task& task, const SyscallArgs& args) {
  if (args[3] != 0) {
    return fail(Errno::kEINVAL);
  }
  FL_TRY_ASSIGN(const std::shared_ptr<PidFile> file, pid_file(task, args[0]));
  ThreadGroup& group = file->group();
  const int signal = args.s(1);
  SignalInfo info{.signal = signal, .code = SiCode::kUser, .pid = task.tgid, .uid = task.cred.uid};
  if (args[2] != 0) {
    FL_TRY_ASSIGN(const auto given, task.user().get<SigInfo32>(args.ptr(2)));
    if (given.signal != signal) {
      return fail(Errno::kEINVAL);
    }
    if (&group != task.group.get() && (given.code >= 0 || given.code == SiCode::kTkill)) {
      return fail(Errno::kEPERM);
    }
    info.code = given.code;
    info.error = given.error;
    info.pid = given.fields[0];
    info.uid = given.fields[1];
    info.value = given.fields[2];
  }
  if (group.reaped) {
    return fail(Errno::kESRCH);
  }
  if (signal != 0 && !valid_signal(signal)) {
    return fail(Errno::kEINVAL);
  }
  if (!may_signal(task, *group.leader, signal)) {
    return fail(Errno::kEPERM);
  }
  if (signal != 0) {
    FL_TRY(send_signal(kernel, group, info));
  }
  return 0;
}

}  // namespace fl::guest
