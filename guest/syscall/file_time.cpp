// Setting the times of files. Linux counterparts: fs/utimes.c.
//
// "Now" is the host's time, because the files are the host's: a build tool compares them with files that others made.
#include <limits>

#include "guest/syscall/file_support.hpp"
#include "guest/syscall/syscall.hpp"
#include "guest/syscall/time_types.hpp"

namespace fl::guest {
namespace {

constexpr uint32_t kUtimeNow = 0x3fffffff;
constexpr uint32_t kUtimeOmit = 0x3ffffffe;

template <typename Timespec>
Result<TimeChange> time_change(const Timespec& time) {
  const auto nanoseconds = static_cast<uint32_t>(time.nanoseconds);
  if (nanoseconds == kUtimeNow) {
    return TimeChange{TimeChange::Kind::kNow, {}};
  }
  if (nanoseconds == kUtimeOmit) {
    return TimeChange{TimeChange::Kind::kOmit, {}};
  }
  if (nanoseconds >= kNsPerSecond) {
    return fail(Errno::kEINVAL);
  }
  return TimeChange{TimeChange::Kind::kSet, {time.seconds, nanoseconds}};
}

// The pair of times of utimensat; none given: both now.
template <typename Timespec>
Result<TimeChanges> times_argument(Task& task, VirtAddr from) {
  if (from.value() == 0) {
    return TimeChanges{};
  }
  struct Pair {
    Timespec access, modification;
  };
  FL_TRY_ASSIGN(const Pair pair, task.user().template get<Pair>(from));
  TimeChanges changes;
  FL_TRY_ASSIGN(changes.access, time_change(pair.access));
  FL_TRY_ASSIGN(changes.modification, time_change(pair.modification));
  return changes;
}

Result<TimeChanges> timeval_argument(Task& task, VirtAddr from) {
  if (from.value() == 0) {
    return TimeChanges{};
  }
  struct Pair {
    Timeval32 access, modification;
  };
  FL_TRY_ASSIGN(const Pair pair, task.user().get<Pair>(from));
  TimeChanges changes;
  for (const auto& [time, change] :
       {std::pair{&pair.access, &changes.access}, std::pair{&pair.modification, &changes.modification}}) {
    constexpr int32_t kMicrosecondsPerSecond = 1'000'000;
    if (time->microseconds < 0 || time->microseconds >= kMicrosecondsPerSecond) {
      return fail(Errno::kEINVAL);
    }
    *change = {TimeChange::Kind::kSet, {time->seconds, static_cast<uint32_t>(time->microseconds) * 1000}};
  }
  return changes;
}

// Linux: do_utimes. A null name means the descriptor's own file.
Result<uint32_t> set_times(Kernel& kernel, Task& task, int32_t dirfd, VirtAddr name, const TimeChanges& times,
                           uint32_t flags) {
  if ((flags & ~uint32_t{AtFlag::kSymlinkNoFollow | AtFlag::kEmptyPath}) != 0) {
    return fail(Errno::kEINVAL);
  }
  std::string path;
  if (name.value() != 0) {
    FL_TRY_ASSIGN(path, user_path(task, name));
  }
  if ((name.value() == 0 && dirfd != kAtFdCwd) || (path.empty() && (flags & AtFlag::kEmptyPath) != 0)) {
    if (name.value() == 0 && flags != 0) {
      return fail(Errno::kEINVAL);
    }
    FL_TRY_ASSIGN(OpenFile * file, any_file(task, static_cast<uint32_t>(dirfd)));
    return zero_or(file->set_times(caller_of(task), times));
  }
  if (name.value() == 0) {
    return fail(Errno::kEFAULT);
  }
  FL_TRY_ASSIGN(const At at, at_directory(task, dirfd, path));
  return zero_or(kernel.vfs().set_times(at, path, times, follow_unless((flags & AtFlag::kSymlinkNoFollow) != 0)));
}

bool leaves_both(const TimeChanges& times) {
  return times.access.kind == TimeChange::Kind::kOmit && times.modification.kind == TimeChange::Kind::kOmit;
}

}  // namespace

Result<uint32_t> sys_utime(Kernel& kernel, Task& task, const SyscallArgs& args) {
  struct Utimbuf {
    int32_t access, modification;
  };
  TimeChanges changes;
  if (args[1] != 0) {
    FL_TRY_ASSIGN(const auto times, task.user().get<Utimbuf>(args.ptr(1)));
    changes.access = {TimeChange::Kind::kSet, {times.access, 0}};
    changes.modification = {TimeChange::Kind::kSet, {times.modification, 0}};
  }
  return set_times(kernel, task, kAtFdCwd, args.ptr(0), changes, 0);
}

Result<uint32_t> sys_utimes(Kernel& kernel, Task& task, const SyscallArgs& args) {
  FL_TRY_ASSIGN(const TimeChanges changes, timeval_argument(task, args.ptr(1)));
  return set_times(kernel, task, kAtFdCwd, args.ptr(0), changes, 0);
}
Result<uint32_t> sys_futimesat(Kernel& kernel, Task& task, const SyscallArgs& args) {
  FL_TRY_ASSIGN(const TimeChanges changes, timeval_argument(task, args.ptr(2)));
  return set_times(kernel, task, args.s(0), args.ptr(1), changes, 0);
}

Result<uint32_t> sys_utimensat(Kernel& kernel, Task& task, const SyscallArgs& args) {
  FL_TRY_ASSIGN(const TimeChanges changes, times_argument<Timespec32>(task, args.ptr(2)));
  return leaves_both(changes) ? Result<uint32_t>(0u)
                              : set_times(kernel, task, args.s(0), args.ptr(1), changes, args[3]);
}
Result<uint32_t> sys_utimensat_time64(Kernel& kernel, Task& task, const SyscallArgs& args) {
  FL_TRY_ASSIGN(const TimeChanges changes, times_argument<Timespec64>(task, args.ptr(2)));
  return leaves_both(changes) ? Result<uint32_t>(0u)
                              : set_times(kernel, task, args.s(0), args.ptr(1), changes, args[3]);
}

}  // namespace fl::guest
