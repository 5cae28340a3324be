// User and group ids, 32-bit and 16-bit. The guest is who started the emulator; changing ids changes only what the
// guest sees. Linux counterparts: kernel/sys.c (sys_setuid ...), kernel/groups.c, kernel/uid16.c.
#include <vector>

#include "guest/kernel.hpp"
#include "guest/syscall/syscall.hpp"
#include "guest/task.hpp"

namespace fl::guest {
namespace {

constexpr uint32_t kUnchanged = ~0u;
constexpr uint32_t kOverflowId = 65534;
constexpr uint32_t kMaxGroups = 65536;

uint32_t low_id(uint32_t id) { return id > 0xffff ? kOverflowId : id; }
// 16-bit -1 means "unchanged" too.
uint32_t high_id(uint32_t id) { return (id & 0xffff) == 0xffff ? kUnchanged : id & 0xffff; }

// The four ids of one kind, so that users and groups share the rules.
struct Ids {
  uint32_t &real, &effective, &saved, &fs;
};
bool privileged(const Task& task) { return task.cred.euid == 0; }
// The task counts as the new user's, with its capabilities. Linux: set_user, commit_creds.
Result<uint32_t> recharge(Task& task, const Result<uint32_t>& result) {
  if (task.cred.uid != task.charged_uid) {
    --task.kernel.user_use(task.charged_uid).tasks;
    task.charged_uid = task.cred.uid;
    ++task.kernel.user_use(task.charged_uid).tasks;
  }
  task.mm->set_may_map_low(privileged(task));
  return result;
}
Ids user_ids(Task& task) { return {task.cred.uid, task.cred.euid, task.cred.suid, task.cred.fsuid}; }
Ids group_ids(Task& task) { return {task.cred.gid, task.cred.egid, task.cred.sgid, task.cred.fsgid}; }

Result<uint32_t> set_id(Task& task, Ids ids, uint32_t id) {
  if (id == kUnchanged) {
    return fail(Errno::kEINVAL);
  }
  if (privileged(task)) {
    ids.real = ids.saved = id;
  } else if (id != ids.real && id != ids.saved) {
    return fail(Errno::kEPERM);
  }
  ids.effective = ids.fs = id;
  return 0;
}

Result<uint32_t> set_re_id(Task& task, Ids ids, uint32_t real, uint32_t effective) {
  const bool root = privileged(task);
  if (real != kUnchanged && !root && real != ids.real && real != ids.effective) {
    return fail(Errno::kEPERM);
  }
  if (effective != kUnchanged && !root && effective != ids.real && effective != ids.effective &&
      effective != ids.saved) {
    return fail(Errno::kEPERM);
  }
  const uint32_t old_real = ids.real;
  if (real != kUnchanged) {
    ids.real = real;
  }
  if (effective != kUnchanged) {
    ids.effective = effective;
  }
  if (real != kUnchanged || (effective != kUnchanged && effective != old_real)) {
    ids.saved = ids.effective;
  }
  ids.fs = ids.effective;
  return 0;
}

Result<uint32_t> set_res_id(Task& task, Ids ids, uint32_t real, uint32_t effective, uint32_t saved) {
  if (!privileged(task)) {
    for (const uint32_t id : {real, effective, saved}) {
      if (id != kUnchanged && id != ids.real && id != ids.effective && id != ids.saved) {
        return fail(Errno::kEPERM);
      }
    }
  }
  if (real != kUnchanged) {
    ids.real = real;
  }
  if (effective != kUnchanged) {
    ids.effective = effective;
  }
  if (saved != kUnchanged) {
    ids.saved = saved;
  }
  ids.fs = ids.effective;
  return 0;
}

Result<uint32_t> set_fs_id(Task& task, Ids ids, uint32_t id) {
  const uint32_t old = ids.fs;
  if (id != kUnchanged &&
      (privileged(task) || id == ids.real || id == ids.effective || id == ids.saved || id == ids.fs)) {
    ids.fs = id;
  }
  return old;
}

template <typename Id>
Result<uint32_t> get_res_id(Task& task, Ids ids, const SyscallArgs& args) {
  vm::UserAccess user = task.user();
  const auto shown = [](uint32_t id) { return static_cast<Id>(sizeof(Id) == 2 ? low_id(id) : id); };
  FL_TRY(user.put(args.ptr(0), shown(ids.real)));
  FL_TRY(user.put(args.ptr(1), shown(ids.effective)));
  FL_TRY(user.put(args.ptr(2), shown(ids.saved)));
  return 0;
}

template <typename Id>
Result<uint32_t> get_groups(Task& task, const SyscallArgs& args) {
  const GroupList& groups = task.cred.groups;
  if (args.s(0) < 0) {
    return fail(Errno::kEINVAL);
  }
  if (args[0] != 0) {
    if (groups.size() > args[0]) {
      return fail(Errno::kEINVAL);
    }
    std::vector<Id> shown;
    shown.reserve(groups.size());
    for (const uint32_t group : groups) {
      shown.push_back(static_cast<Id>(sizeof(Id) == 2 ? low_id(group) : group));
    }
    FL_TRY(task.user().write(args.ptr(1), std::as_bytes(std::span(shown))));
  }
  return static_cast<uint32_t>(groups.size());
}

template <typename Id>
Result<uint32_t> set_groups(Task& task, const SyscallArgs& args) {
  if (!privileged(task)) {
    return fail(Errno::kEPERM);
  }
  if (args[0] > kMaxGroups) {
    return fail(Errno::kEINVAL);
  }
  std::vector<Id> wanted(args[0]);
  FL_TRY(task.user().read(std::as_writable_bytes(std::span(wanted)), args.ptr(1)));
  task.cred.groups.assign(wanted.begin(), wanted.end());
  return 0;
}

}  // namespace

using Args = const SyscallArgs&;
using Answer = Result<uint32_t>;

Answer sys_getuid32(Kernel&, Task& task, Args) { return task.cred.uid; }
Answer sys_geteuid32(Kernel&, Task& task, Args) { return task.cred.euid; }
Answer sys_getgid32(Kernel&, Task& task, Args) { return task.cred.gid; }
Answer sys_getegid32(Kernel&, Task& task, Args) { return task.cred.egid; }
Answer sys_getuid(Kernel&, Task& task, Args) { return low_id(task.cred.uid); }
Answer sys_geteuid(Kernel&, Task& task, Args) { return low_id(task.cred.euid); }
Answer sys_getgid(Kernel&, Task& task, Args) { return low_id(task.cred.gid); }
Answer sys_getegid(Kernel&, Task& task, Args) { return low_id(task.cred.egid); }

Answer sys_setuid32(Kernel&, Task& task, Args args) { return recharge(task, set_id(task, user_ids(task), args[0])); }
Answer sys_setgid32(Kernel&, Task& task, Args args) { return set_id(task, group_ids(task), args[0]); }
Answer sys_setuid(Kernel&, Task& task, Args args) {
  return recharge(task, set_id(task, user_ids(task), high_id(args[0])));
}
Answer sys_setgid(Kernel&, Task& task, Args args) { return set_id(task, group_ids(task), high_id(args[0])); }

Answer sys_setreuid32(Kernel&, Task& task, Args args) {
  return recharge(task, set_re_id(task, user_ids(task), args[0], args[1]));
}
Answer sys_setregid32(Kernel&, Task& task, Args args) { return set_re_id(task, group_ids(task), args[0], args[1]); }
Answer sys_setreuid(Kernel&, Task& task, Args args) {
  return recharge(task, set_re_id(task, user_ids(task), high_id(args[0]), high_id(args[1])));
}
Answer sys_setregid(Kernel&, Task& task, Args args) {
  return set_re_id(task, group_ids(task), high_id(args[0]), high_id(args[1]));
}

Answer sys_setresuid32(Kernel&, Task& task, Args args) {
  return recharge(task, set_res_id(task, user_ids(task), args[0], args[1], args[2]));
}
Answer sys_setresgid32(Kernel&, Task& task, Args args) {
  return set_res_id(task, group_ids(task), args[0], args[1], args[2]);
}
Answer sys_setresuid(Kernel&, Task& task, Args args) {
  return recharge(task, set_res_id(task, user_ids(task), high_id(args[0]), high_id(args[1]), high_id(args[2])));
}
Answer sys_setresgid(Kernel&, Task& task, Args args) {
  return set_res_id(task, group_ids(task), high_id(args[0]), high_id(args[1]), high_id(args[2]));
}

Answer sys_setfsuid32(Kernel&, Task& task, Args args) { return set_fs_id(task, user_ids(task), args[0]); }
Answer sys_setfsgid32(Kernel&, Task& task, Args args) { return set_fs_id(task, group_ids(task), args[0]); }

Answer sys_getresuid32(Kernel&, Task& task, Args args) { return get_res_id<uint32_t>(task, user_ids(task), args); }
Answer sys_getresgid32(Kernel&, Task& task, Args args) { return get_res_id<uint32_t>(task, group_ids(task), args); }
Answer sys_getresuid(Kernel&, Task& task, Args args) { return get_res_id<uint16_t>(task, user_ids(task), args); }
Answer sys_getresgid(Kernel&, Task& task, Args args) { return get_res_id<uint16_t>(task, group_ids(task), args); }

Answer sys_getgroups32(Kernel&, Task& task, Args args) { return get_groups<uint32_t>(task, args); }
Answer sys_getgroups(Kernel&, Task& task, Args args) { return get_groups<uint16_t>(task, args); }
Answer sys_setgroups32(Kernel&, Task& task, Args args) { return set_groups<uint32_t>(task, args); }
Answer sys_setgroups(Kernel&, Task& task, Args args) { return set_groups<uint16_t>(task, args); }

}  // namespace fl::guest
