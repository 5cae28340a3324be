// What a system call is to its handler: six registers in, a value or an errno out; and the table of all of
// them.
//
// guest/syscall/table.inc is the one list of calls; dispatch, names and --strace are made from it
// (table.cpp). A handler is a plain function `Result<uint32_t> sys_xxx(Kernel&, Task&, const SyscallArgs&)`
// in a syscall/*.cpp file; it is declared by the table. A call without a handler answers ENOSYS through
// sys_ni_syscall, is counted and logged once. Linux counterparts: arch/x86/entry/syscalls/syscall_32.tbl,
// ia32_sys_call_table, sys_ni_syscall.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "mmu/base/addr.hpp"
#include "mmu/base/result.hpp"

namespace fl::guest {

class Kernel;
struct Task;

// ebx, ecx, edx, esi, edi, ebp at the call.
struct SyscallArgs {
  std::array<uint32_t, 6> a;
  uint32_t operator[](size_t index) const { return a[index]; }
  int32_t s(size_t index) const { return static_cast<int32_t>(a[index]); }
  VirtAddr ptr(size_t index) const { return VirtAddr(a[index]); }
  // A 64-bit value in two argument registers, low word first.
  uint64_t u64(size_t index) const { return a[index] | uint64_t{a[index + 1]} << 32; }
};

using SyscallHandler = Result<uint32_t> (*)(Kernel& kernel, Task& task, const SyscallArgs& args);

struct SyscallEntry {
  SyscallHandler handler;  // never null
  std::string_view name;   // empty: Linux has no call of this number either
  // One letter an argument: d signed, u unsigned, x hexadecimal, p pointer, s string, f file descriptor, o
  // octal mode, O open flags, P PROT_ bits, M MAP_ bits, S signal number. ":x" at the end: the result is an
  // address.
  std::string_view format;
};

// Numbers beyond the table are unknown calls. Linux: NR_syscalls.
inline constexpr uint32_t kSyscalls = 470;
extern const std::array<SyscallEntry, kSyscalls> kSyscallTable;

inline const SyscallEntry& syscall_entry(uint32_t number) {
  return kSyscallTable[number < kSyscalls ? number : kSyscalls - 1];
}
// "mmap2"; empty for a number without a call.
inline std::string_view syscall_name(uint32_t number) { return syscall_entry(number).name; }

// The handler of all calls that have none.
Result<uint32_t> sys_ni_syscall(Kernel& kernel, Task& task, const SyscallArgs& args);

// Answers of a handler that a program never sees (linux/errno.h). After a signal the kernel turns them into
// EINTR or does the call again.
inline constexpr Errno kRestartSys = static_cast<Errno>(512);           // again if SA_RESTART or no handler ran
inline constexpr Errno kRestartNoIntr = static_cast<Errno>(513);        // again in any case
inline constexpr Errno kRestartNoHand = static_cast<Errno>(514);        // again only if no handler ran
inline constexpr Errno kRestartRestartBlock = static_cast<Errno>(516);  // again through restart_syscall, else EINTR
// The call sleeps: the handler has filled in task.wait and will be called again, with the same arguments,
// when the task is woken (see Kernel::sleep). Ours; Linux keeps a kernel stack instead.
inline constexpr Errno kCallSleeps = static_cast<Errno>(600);
// The call replaced the registers (sigreturn): eax is not to be written.
inline constexpr Errno kRegistersReplaced = static_cast<Errno>(601);

}  // namespace fl::guest
