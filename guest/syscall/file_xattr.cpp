// Extended attributes: no file has any. Linux counterpart: fs/xattr.c over a file system without them (no IOP_XATTR):
// setting, reading and removing answer EOPNOTSUPP once the arguments are found good, listing gives an empty list.
#include "guest/syscall/file_support.hpp"
#include "guest/syscall/syscall.hpp"

namespace fl::guest {
namespace {

constexpr uint32_t kNameMax = 255, kSizeMax = 65536;

// The file must be there.
Status check_path(Kernel& kernel, Task& task, VirtAddr name, Follow follow) {
  FL_TRY_ASSIGN(const std::string path, user_path(task, name));
  FL_TRY(kernel.vfs().stat(at_cwd(task), path, follow));
  return {};
}

// The attribute's name: ERANGE if it is empty or too long.
Status check_name(Task& task, VirtAddr name) {
  FL_TRY_ASSIGN(const std::string text, task.user().string(name, kNameMax + 1, Errno::kERANGE));
  return text.empty() ? fail(Errno::kERANGE) : Status{};
}

// name, value, size, flags behind the file.
Result<uint32_t> set(Task& task, const SyscallArgs& args, const Status& file) {
  constexpr uint32_t kCreate = 1, kReplace = 2;
  FL_TRY(file);
  if ((args[4] & ~(kCreate | kReplace)) != 0) {
    return fail(Errno::kEINVAL);
  }
  FL_TRY(check_name(task, args.ptr(1)));
  return fail(args[3] > kSizeMax ? Errno::kE2BIG : Errno::kEOPNOTSUPP);
}

Result<uint32_t> get_or_remove(Task& task, const SyscallArgs& args, const Status& file) {
  FL_TRY(file);
  FL_TRY(check_name(task, args.ptr(1)));
  return fail(Errno::kEOPNOTSUPP);
}

Result<uint32_t> list(const Status& file) {
  FL_TRY(file);
  return 0;
}

Status check_fd(Task& task, uint32_t fd) {
  FL_TRY(file_for_io(task, fd));
  return {};
}

}  // namespace

Result<uint32_t> sys_setxattr(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return set(task, args, check_path(kernel, task, args.ptr(0), Follow::kYes));
}
Result<uint32_t> sys_lsetxattr(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return set(task, args, check_path(kernel, task, args.ptr(0), Follow::kNo));
}
Result<uint32_t> sys_fsetxattr(Kernel&, Task& task, const SyscallArgs& args) {
  return set(task, args, check_fd(task, args[0]));
}
Result<uint32_t> sys_getxattr(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return get_or_remove(task, args, check_path(kernel, task, args.ptr(0), Follow::kYes));
}
Result<uint32_t> sys_lgetxattr(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return get_or_remove(task, args, check_path(kernel, task, args.ptr(0), Follow::kNo));
}
Result<uint32_t> sys_fgetxattr(Kernel&, Task& task, const SyscallArgs& args) {
  return get_or_remove(task, args, check_fd(task, args[0]));
}
Result<uint32_t> sys_listxattr(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return list(check_path(kernel, task, args.ptr(0), Follow::kYes));
}
Result<uint32_t> sys_llistxattr(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return list(check_path(kernel, task, args.ptr(0), Follow::kNo));
}
Result<uint32_t> sys_flistxattr(Kernel&, Task& task, const SyscallArgs& args) { return list(check_fd(task, args[0])); }
Result<uint32_t> sys_removexattr(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return get_or_remove(task, args, check_path(kernel, task, args.ptr(0), Follow::kYes));
}
Result<uint32_t> sys_lremovexattr(Kernel& kernel, Task& task, const SyscallArgs& args) {
  return get_or_remove(task, args, check_path(kernel, task, args.ptr(0), Follow::kNo));
}
Result<uint32_t> sys_fremovexattr(Kernel&, Task& task, const SyscallArgs& args) {
  return get_or_remove(task, args, check_fd(task, args[0]));
}

}  // namespace fl::guest
