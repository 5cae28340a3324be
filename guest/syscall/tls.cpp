// set_thread_area, get_thread_area, modify_ldt, arch_prctl. Linux counterparts: arch/x86/kernel/tls.c, ldt.c,
// process.c. There is no LDT: reading it gives nothing, writing it is ENOSYS.
#include <cstddef>

#include "guest/kernel.hpp"
#include "guest/process/tls.hpp"
#include "guest/syscall/syscall.hpp"
#include "guest/task.hpp"

namespace fl::guest {
namespace {

Result<TlsDescriptor*> slot(const Kernel& kernel, Task& task, uint32_t entry) {
  const uint32_t first = kernel.profile().first_tls_entry;
  if (entry < first || entry >= first + kTlsDescriptors) {
    return fail(Errno::kEINVAL);
  }
  return &task.tls[entry - first];
}

}  // namespace

Result<uint32_t> sys_set_thread_area(Kernel& kernel, Task& task, const SyscallArgs& args) {
  FL_TRY(set_thread_area(kernel, task.user(), args.ptr(0), task.tls, AnyTlsEntry::kAllocate));
  return 0;
}

Result<uint32_t> sys_get_thread_area(Kernel& kernel, Task& task, const SyscallArgs& args) {
  vm::UserAccess user = task.user();
  FL_TRY_ASSIGN(const auto entry, user.get<uint32_t>(args.ptr(0) + offsetof(UserDesc, entry_number)));
  FL_TRY_ASSIGN(const TlsDescriptor* const source, slot(kernel, task, entry));
  UserDesc desc = unpack_descriptor(*source);
  desc.entry_number = entry;
  FL_TRY(user.put(args.ptr(0), desc));
  return 0;
}

Result<uint32_t> sys_modify_ldt(Kernel& kernel, Task& task, const SyscallArgs& args) {
  constexpr uint32_t kRead = 0;
  return args[0] == kRead ? Result<uint32_t>(0) : sys_ni_syscall(kernel, task, args);
}

Result<uint32_t> sys_arch_prctl(Kernel&, Task&, const SyscallArgs& args) {
  constexpr uint32_t kGetCpuid = 0x1011, kSetCpuid = 0x1012;
  switch (args[0]) {
    case kGetCpuid:
      return 1;
    case kSetCpuid:
      return fail(Errno::kENODEV);  // CPUID cannot be made to fault
    default:
      return fail(Errno::kEINVAL);
  }
}

}  // namespace fl::guest
