// EventFile and its calls. Linux counterpart: fs/eventfd.c.
#include "guest/fs/eventfd.hpp"

#include "guest/syscall/syscall.hpp"

namespace fl::guest {

Result<uint32_t> EventFile::read(IoBuffer& to, uint64_t&) {
  if (to.left() < sizeof count_) {
    return fail(Errno::kEINVAL);
  }
  if (count_ == 0) {
    return fail(Errno::kEAGAIN);
  }
  const uint64_t taken = semaphore_ == Semaphore::kYes ? 1 : count_;
  count_ -= taken;
  waiting_.wake_all(PollEvent::kOut);
  if (to.put(std::as_bytes(std::span(&taken, 1))) < sizeof taken) {
    return fail(Errno::kEFAULT);
  }
  return sizeof taken;
}

Result<uint32_t> EventFile::write(IoBuffer& from, uint64_t&) {
  uint64_t added = 0;
  if (from.left() < sizeof added) {
    return fail(Errno::kEINVAL);
  }
  if (from.take(std::as_writable_bytes(std::span(&added, 1))) < sizeof added) {
    return fail(Errno::kEFAULT);
  }
  if (added == kMost) {
    return fail(Errno::kEINVAL);
  }
  if (kMost - count_ <= added) {
    return fail(Errno::kEAGAIN);
  }
  count_ += added;
  waiting_.wake_all(PollEvent::kIn);
  from.advance(from.left());  // what is longer than a number is not looked at
  return sizeof added;
}

uint32_t EventFile::poll() {
  return (count_ > 0 ? uint32_t{PollEvent::kIn} : 0u) | (count_ < kMost - 1 ? uint32_t{PollEvent::kOut} : 0u);
}

std::string EventFile::fdinfo(const vm::KernelProfile& profile) {
  std::string text = fmt::format("eventfd-count: {:16x}\neventfd-id: {}\n", count_, id_);
  if (profile.proc_text == vm::ProcText::k6_18) {
    text += fmt::format("eventfd-semaphore: {}\n", semaphore_ == Semaphore::kYes ? 1 : 0);
  }
  return text;
}

namespace {

Result<uint32_t> eventfd(Kernel& kernel, Task& task, uint32_t count, uint32_t flags) {
  constexpr uint32_t kSemaphore = 1;
  if ((flags & ~(kSemaphore | OpenFlag::kCloseOnExec | OpenFlag::kNonBlock)) != 0) {
    return fail(Errno::kEINVAL);
  }
  const auto semaphore = (flags & kSemaphore) != 0 ? EventFile::Semaphore::kYes : EventFile::Semaphore::kNo;
  FL_TRY_ASSIGN(auto file,
                make_anon_file<EventFile>(kernel, "[eventfd]", OpenFlag::kReadWrite | (flags & OpenFlag::kNonBlock),
                                          count, semaphore, kernel.vfs().next_eventfd_id()));
  return install_file(task, std::move(file), flags);
}

}  // namespace

Result<uint32_t> sys_eventfd(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return eventfd(kernel, task, args[0], 0);
}
Result<uint32_t> sys_eventfd2(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return eventfd(kernel, task, args[0], args[1]);
}

}  // namespace fl::guest
