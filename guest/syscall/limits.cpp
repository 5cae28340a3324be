// Resource limits. Linux counterparts: kernel/sys.c (do_prlimit, sys_getrlimit, sys_old_getrlimit).
#include <algorithm>
#include <array>
#include <optional>

#include "guest/kernel.hpp"
#include "guest/process/limits.hpp"
#include "guest/syscall/syscall.hpp"
#include "guest/task.hpp"

namespace fl::guest {
namespace {

constexpr uint64_t kMaxFiles = 1048576;  // Linux: sysctl_nr_open
constexpr uint32_t kInfinity32 = 0xffffffff;

using Rlimit32 = std::array<uint32_t, 2>;
struct Rlimit64 {
  uint64_t current, maximum;
};

// Linux: do_prlimit. Gives the old limit.
Result<Rlimit> change_limit(Task& task, uint32_t resource, const std::optional<Rlimit>& wanted) {
  if (resource >= Rlimit::kCount) {
    return fail(Errno::kEINVAL);
  }
  Rlimit& limit = task.group->limits[resource];
  const Rlimit old = limit;
  if (wanted) {
    if (wanted->current > wanted->maximum) {
      return fail(Errno::kEINVAL);
    }
    if (resource == Rlimit::kNofile && wanted->maximum > kMaxFiles) {
      return fail(Errno::kEPERM);
    }
    if (wanted->maximum > old.maximum && task.cred.euid != 0) {
      return fail(Errno::kEPERM);
    }
    limit = *wanted;
    task.mm->set_limits(memory_limits(task.group->limits));
  }
  return old;
}

uint32_t narrow(uint64_t value, uint32_t most) { return static_cast<uint32_t>(std::min<uint64_t>(value, most)); }
uint64_t widen(uint32_t value) { return value == kInfinity32 ? Rlimit::kInfinity : value; }

Result<uint32_t> get_limit(Task& task, const SyscallArgs& args, uint32_t most) {
  FL_TRY_ASSIGN(const Rlimit limit, change_limit(task, args[0], std::nullopt));
  FL_TRY(task.user().put(args.ptr(1), Rlimit32{narrow(limit.current, most), narrow(limit.maximum, most)}));
  return 0;
}

}  // namespace

Result<uint32_t> sys_ugetrlimit(Kernel&, Task& task, const SyscallArgs& args) {
  return get_limit(task, args, kInfinity32);
}

Result<uint32_t> sys_getrlimit(Kernel&, Task& task, const SyscallArgs& args) {
  constexpr uint32_t kOldInfinity = 0x7fffffff;
  return get_limit(task, args, kOldInfinity);
}

Result<uint32_t> sys_setrlimit(Kernel&, Task& task, const SyscallArgs& args) {
  FL_TRY_ASSIGN(const auto wanted, task.user().get<Rlimit32>(args.ptr(1)));
  FL_TRY(change_limit(task, args[0], Rlimit{widen(wanted[0]), widen(wanted[1])}));
  return 0;
}

Result<uint32_t> sys_prlimit64(Kernel& kernel, Task& task, const SyscallArgs& args) {
  std::optional<Rlimit> wanted;
  if (args[2] != 0) {
    FL_TRY_ASSIGN(const auto given, task.user().get<Rlimit64>(args.ptr(2)));
    wanted = Rlimit{given.current, given.maximum};
  }
  Task* target = args[0] == 0 ? &task : kernel.find_task(args[0]);
  if (target == nullptr || !target->alive()) {
    return fail(Errno::kESRCH);
  }
  FL_TRY_ASSIGN(const Rlimit old, change_limit(*target, args[1], wanted));
  if (args[3] != 0) {
    FL_TRY(task.user().put(args.ptr(3), Rlimit64{old.current, old.maximum}));
  }
  return 0;
}

}  // namespace fl::guest
