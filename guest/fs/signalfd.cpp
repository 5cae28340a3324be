// signalfd: signals as something to read. Linux counterpart: fs/signalfd.c.
//
// As there, the signals are those of who reads or polls, not of who made the file.
#include <array>

#include "guest/fs/anon_file.hpp"
#include "guest/signal/send.hpp"
#include "guest/syscall/syscall.hpp"

namespace fl::guest {
namespace {

struct SignalfdSiginfo {
  uint32_t signal;
  int32_t error, code;
  uint32_t pid, uid;
  int32_t fd;
  uint32_t tid, band, overrun, trap;
  int32_t status, number;
  uint64_t pointer, utime, stime, addr;
  uint16_t addr_lsb, padding;
  int32_t syscall;
  uint64_t call_addr;
  uint32_t arch;
  std::array<uint8_t, 28> rest;
};
static_assert(sizeof(SignalfdSiginfo) == 128);

// Linux: signalfd_copyinfo.
SignalfdSiginfo to_user(const SignalInfo& info) {
  SignalfdSiginfo user{};
  user.signal = static_cast<uint32_t>(info.signal);
  user.error = info.error;
  user.code = info.code;
  switch (signal_info_layout(info.signal, info.code)) {
    case SignalInfoLayout::kKill:
      user.pid = info.pid;
      user.uid = info.uid;
      break;
    case SignalInfoLayout::kTimer:
      user.tid = info.pid;
      user.overrun = static_cast<uint32_t>(info.overrun);
      user.pointer = info.value;
      user.number = static_cast<int32_t>(info.value);
      break;
    case SignalInfoLayout::kFault:
      user.addr = info.addr.value();
      break;
    case SignalInfoLayout::kChild:
      user.pid = info.pid;
      user.uid = info.uid;
      user.status = info.status;
      user.utime = info.utime;
      break;
    case SignalInfoLayout::kQueued:
      user.pid = info.pid;
      user.uid = info.uid;
      user.pointer = info.value;
      user.number = static_cast<int32_t>(info.value);
      break;
  }
  return user;
}

class SignalFile final : public AnonFile {
 public:
  SignalFile(uint32_t flags, std::shared_ptr<LivePath> path, Kernel& kernel, SignalSet mask)
      : AnonFile(flags, std::move(path)), kernel_(kernel), mask_(mask) {}

  void set_mask(SignalSet mask) {
    mask_ = mask;
    task().group->signalled.wake_all();
  }

  Result<uint32_t> read(IoBuffer& to, uint64_t&) override {
    uint32_t count = to.left() / static_cast<uint32_t>(sizeof(SignalfdSiginfo));
    if (count == 0) {
      return fail(Errno::kEINVAL);
    }
    uint32_t done = 0;
    for (; count > 0; --count) {
      const SignalInfo info = dequeue_signal(task(), ~mask_);
      if (info.signal == 0) {
        break;
      }
      const SignalfdSiginfo user = to_user(info);
      if (to.put(std::as_bytes(std::span(&user, 1))) < sizeof user) {
        return done > 0 ? Result<uint32_t>(done) : fail(Errno::kEFAULT);
      }
      done += static_cast<uint32_t>(sizeof user);
    }
    return done > 0 ? Result<uint32_t>(done) : fail(Errno::kEAGAIN);
  }
  uint32_t poll() override { return (pending_set(task()) & mask_).empty() ? 0u : uint32_t{PollEvent::kIn}; }
  WaitQueue* wait_queue() override { return &task().group->signalled; }
  std::string fdinfo(const vm::KernelProfile&) override { return fmt::format("sigmask:\t{:016x}\n", mask_.bits()); }

 private:
  Task& task() { return *kernel_.current(); }

  Kernel& kernel_;
  SignalSet mask_;
};

// fd or -1, mask, its size; flags.
Result<uint32_t> signalfd(Kernel& kernel, Task& task, const SyscallArgs& args, uint32_t flags) {
  if (args[2] != sizeof(uint64_t)) {
    return fail(Errno::kEINVAL);
  }
  FL_TRY_ASSIGN(const auto words, (task.user().get<std::array<uint32_t, 2>>(args.ptr(1))));
  const SignalSet mask = SignalSet(words[0] | uint64_t{words[1]} << 32).blockable();
  if ((flags & ~uint32_t{OpenFlag::kCloseOnExec | OpenFlag::kNonBlock}) != 0) {
    return fail(Errno::kEINVAL);
  }
  if (args.s(0) == -1) {
    FL_TRY_ASSIGN(auto file,
                  make_anon_file<SignalFile>(kernel, "[signalfd]", OpenFlag::kReadWrite | (flags & OpenFlag::kNonBlock),
                                             kernel, mask));
    return install_file(task, std::move(file), flags);
  }
  FL_TRY_ASSIGN(OpenFile* const file, file_for_io(task, args[0]));
  auto* const signals = dynamic_cast<SignalFile*>(file);
  if (signals == nullptr) {
    return fail(Errno::kEINVAL);
  }
  signals->set_mask(mask);
  return args[0];
}

}  // namespace

Result<uint32_t> sys_signalfd(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return signalfd(kernel, task, args, 0);
}
Result<uint32_t> sys_signalfd4(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return signalfd(kernel, task, args, args[3]);
}

}  // namespace fl::guest
