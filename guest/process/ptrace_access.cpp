// The rules of ptrace(2), "Ptrace access mode checking".
#include "guest/process/ptrace_access.hpp"

namespace fl::guest {

bool ptrace_may_access(const Task& caller, const Task& target, PtraceIds ids) {
  if (caller.group == target.group) {
    return true;
  }
  const bool privileged = caller.cred.euid == 0;
  const uint32_t uid = ids == PtraceIds::kFs ? caller.cred.fsuid : caller.cred.uid;
  const uint32_t gid = ids == PtraceIds::kFs ? caller.cred.fsgid : caller.cred.gid;
  const Credentials& cred = target.cred;
  const bool same = uid == cred.euid && uid == cred.suid && uid == cred.uid && gid == cred.egid && gid == cred.sgid &&
                    gid == cred.gid;
  constexpr uint32_t kDumpableByUser = 1;  // SUID_DUMP_USER
  return privileged || (same && target.group->dumpable == kDumpableByUser);
}

Result<std::shared_ptr<vm::AddressSpace>> mm_access(const Task& caller, const Task& target, PtraceIds ids) {
  if (target.mm == nullptr) {
    return fail(Errno::kESRCH);
  }
  if (target.mm != caller.mm && !ptrace_may_access(caller, target, ids)) {
    return fail(Errno::kEACCES);
  }
  return target.mm;
}

}  // namespace fl::guest
