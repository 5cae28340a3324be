// The machine seen by a program: uname, sysinfo, random numbers; and the answer of calls that are not there.
// Linux counterparts: kernel/sys.c, drivers/char/random.c, kernel/sys_ni.c.
#include <algorithm>
#include <array>
#include <string_view>

#include "guest/kernel.hpp"
#include "guest/syscall/syscall.hpp"
#include "guest/task.hpp"
#include "vm/info/totals.hpp"
#include "vm/memory_system.hpp"
#include "vm/swap/swap_space.hpp"

namespace fl::guest {
namespace {

constexpr size_t kNameLength = 65;
using Name = std::array<char, kNameLength>;

Name to_name(std::string_view text) {
  Name name{};
  std::copy_n(text.data(), std::min(text.size(), kNameLength - 1), name.data());
  return name;
}

}  // namespace

Result<uint32_t> sys_ni_syscall(Kernel& kernel, Task& task, const SyscallArgs&) {
  kernel.note_unimplemented(task, task.orig_eax.value_or(0));
  return fail(Errno::kENOSYS);
}

Result<uint32_t> sys_uname(Kernel& kernel, Task& task, const SyscallArgs& args) {
  const vm::KernelProfile& profile = kernel.profile();
  constexpr uint32_t kUname26 = 0x0020000;
  constexpr uint32_t kLinux32 = 0x0008;
  constexpr uint32_t kPersonalityMask = 0xff;
  // struct new_utsname.
  const std::array<Name, 6> names{to_name("Linux"),
                                  to_name(kernel.options().host_name),
                                  to_name((task.personality & kUname26) != 0 ? "2.6.40" : profile.release),
                                  to_name(profile.version),
                                  to_name((task.personality & kPersonalityMask) == kLinux32 ? "i686" : profile.machine),
                                  to_name("(none)")};
  FL_TRY(task.user().put(args.ptr(0), names));
  return 0;
}

Result<uint32_t> sys_sysinfo(Kernel& kernel, Task& task, const SyscallArgs& args) {
  // struct sysinfo of i386; memory in units of mem_unit bytes.
  struct SysInfo {
    int32_t uptime;
    std::array<uint32_t, 3> loads;
    uint32_t total_ram, free_ram, shared_ram, buffer_ram, total_swap, free_swap;
    uint16_t processes, padding;
    uint32_t total_high, free_high, mem_unit;
    std::array<char, 8> reserved;
  };
  static_assert(sizeof(SysInfo) == 64);
  SysInfo info{};
  info.uptime = static_cast<int32_t>(kernel.time().now_ns() / kNsPerSecond);
  const vm::MemoryTotals totals = vm::memory_totals(kernel.memory());
  const vm::SwapSpace& swap = kernel.memory().swap();
  // The same numbers as meminfo's. Pages, if bytes do not fit.
  const bool fits = totals.managed + swap.total_swap_pages() <= UINT32_MAX / kPageSize;
  info.mem_unit = fits ? 1 : kPageSize;
  const uint32_t page = fits ? kPageSize : 1;
  const auto in_units = [page](uint64_t pages) { return static_cast<uint32_t>(pages * page); };
  info.total_ram = in_units(totals.managed);
  info.free_ram = in_units(totals.free);
  info.total_high = in_units(totals.high_managed);
  info.free_high = in_units(totals.high_free);
  info.shared_ram = in_units(vm::shared_pages(kernel.memory()));
  info.total_swap = in_units(swap.total_swap_pages());
  info.free_swap = in_units(swap.free_swap_pages());
  info.processes = static_cast<uint16_t>(
      std::count_if(kernel.tasks().begin(), kernel.tasks().end(), [](const Task& other) { return other.alive(); }));
  FL_TRY(task.user().put(args.ptr(0), info));
  return 0;
}

Result<uint32_t> sys_getrandom(Kernel& kernel, Task& task, const SyscallArgs& args) {
  constexpr uint32_t kNonBlock = 1, kRandom = 2, kInsecure = 4;
  constexpr uint32_t kMost = 0x7fffffff;
  const uint32_t flags = args[2];
  if ((flags & ~(kNonBlock | kRandom | kInsecure)) != 0 || (flags & (kRandom | kInsecure)) == (kRandom | kInsecure)) {
    return fail(Errno::kEINVAL);
  }
  const uint32_t length = std::min(args[1], kMost);
  vm::UserAccess user = task.user();
  std::array<std::byte, 512> piece;
  uint32_t done = 0;
  while (done < length) {
    const uint32_t wanted = std::min<uint32_t>(length - done, piece.size());
    kernel.random_bytes(std::span(piece).first(wanted));
    const uint32_t copied = user.copy_to(args.ptr(0) + done, std::span(piece).first(wanted));
    done += copied;
    if (copied < wanted) {
      break;
    }
  }
  if (done == 0 && length != 0) {
    return fail(Errno::kEFAULT);
  }
  return done;
}

}  // namespace fl::guest
