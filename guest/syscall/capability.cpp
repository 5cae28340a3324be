// capget, capset. Linux counterpart: kernel/capability.c.
#include <algorithm>
#include <array>
#include <span>

#include "guest/kernel.hpp"
#include "guest/syscall/syscall.hpp"
#include "guest/task.hpp"

namespace fl::guest {
namespace {

// struct __user_cap_header_struct, struct __user_cap_data_struct (linux/capability.h).
struct CapHeader {
  uint32_t version;
  int32_t pid;
};
struct CapData {
  uint32_t effective, permitted, inheritable;
  bool operator==(const CapData&) const = default;
};
constexpr uint32_t kCapVersion1 = 0x19980330, kCapVersion2 = 0x20071026, kCapVersion3 = 0x20080522;

// Words of each set, by version; none: unknown, the version to use is told. Linux: cap_validate_magic.
Result<size_t> cap_words(Task& task, VirtAddr header, uint32_t version) {
  if (version == kCapVersion1) {
    return 1;
  }
  if (version == kCapVersion2 || version == kCapVersion3) {
    return 2;
  }
  FL_TRY(task.user().put(header, kCapVersion3));
  return fail(Errno::kEINVAL);
}

// User 0 has all capabilities, everybody else none; single ones cannot be given up.
std::array<CapData, 2> capabilities(const Task& task) {
  constexpr uint32_t kHighWord = 0x1ff;  // up to CAP_CHECKPOINT_RESTORE
  const auto all = [](bool has, uint32_t mask) { return has ? mask : 0; };
  const bool effective = task.cred.euid == 0;
  const bool permitted = effective || task.cred.uid == 0 || task.cred.suid == 0;
  return {CapData{all(effective, ~0u), all(permitted, ~0u), 0},
          CapData{all(effective, kHighWord), all(permitted, kHighWord), 0}};
}

}  // namespace

Result<uint32_t> sys_capget(Kernel& kernel, Task& task, const SyscallArgs& args) {
  vm::UserAccess user = task.user();
  FL_TRY_ASSIGN(const auto header, user.get<CapHeader>(args.ptr(0)));
  const auto words = cap_words(task, args.ptr(0), header.version);
  if (!words) {
    // Asking for the version with a null pointer is no error.
    return args[1] == 0 && words.error() == Errno::kEINVAL ? Result<uint32_t>(0) : fail(words.error());
  }
  if (header.pid < 0) {
    return fail(Errno::kEINVAL);
  }
  const Task* const target = header.pid == 0 ? &task : kernel.find_task(static_cast<uint32_t>(header.pid));
  if (target == nullptr) {
    return fail(Errno::kESRCH);
  }
  const auto sets = capabilities(*target);
  FL_TRY(user.write(args.ptr(1), std::as_bytes(std::span(sets).first(*words))));
  return 0;
}

// Nothing can be given up or gained: EPERM unless it is what the task has.
Result<uint32_t> sys_capset(Kernel&, Task& task, const SyscallArgs& args) {
  vm::UserAccess user = task.user();
  FL_TRY_ASSIGN(const auto header, user.get<CapHeader>(args.ptr(0)));
  FL_TRY_ASSIGN(const size_t words, cap_words(task, args.ptr(0), header.version));
  if (header.pid != 0 && static_cast<uint32_t>(header.pid) != task.tid) {
    return fail(Errno::kEPERM);
  }
  std::array<CapData, 2> wanted{};
  FL_TRY(user.read(std::as_writable_bytes(std::span(wanted).first(words)), args.ptr(1)));
  const auto sets = capabilities(task);
  return std::equal(wanted.begin(), wanted.begin() + static_cast<ptrdiff_t>(words), sets.begin()) ? Result<uint32_t>(0)
                                                                                                  : fail(Errno::kEPERM);
}

}  // namespace fl::guest
