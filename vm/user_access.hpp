// The kernel's accesses to user memory. Each untouched page is a counted fault in kernel mode, in ascending order, as
// on Linux; an address that cannot be had is EFAULT. Linux counterparts: copy_to_user, copy_from_user,
// strncpy_from_user, copy_struct_from_user, clear_user, access_ok.
//
// The address space need not be the one in CR3. Frames that are written tell the CPU (translated code).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <type_traits>

#include "mmu/base/addr.hpp"
#include "mmu/base/result.hpp"
#include "mmu/mmu.hpp"
#include "vm/fault/fault_record.hpp"
#include "vm/kernel_space/kmap_local.hpp"
#include "vm/mm/address_space.hpp"

namespace fl::vm {

class UserAccess {
 public:
  // `task` is charged with the faults.
  UserAccess(AddressSpace& mm, FaultCounters& task) : mm_(mm), task_(task) {}

  // [addr, addr + length) lies in user space.
  static bool access_ok(VirtAddr addr, uint64_t length);

  // Bytes copied before the first address that cannot be had; less than asked for means EFAULT to most callers.
  uint32_t copy_to(VirtAddr to, std::span<const std::byte> from);
  uint32_t copy_from(std::span<std::byte> to, VirtAddr from);
  // EFAULT unless all of it.
  Status write(VirtAddr to, std::span<const std::byte> from);
  Status read(std::span<std::byte> to, VirtAddr from);
  Status clear(VirtAddr to, uint32_t length);

  template <typename T>
  Status put(VirtAddr to, const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    return write(to, std::as_bytes(std::span<const T, 1>(&value, 1)));
  }
  template <typename T>
  Result<T> get(VirtAddr from) {
    static_assert(std::is_trivially_copyable_v<T>);
    T value;
    FL_TRY(read(std::as_writable_bytes(std::span<T, 1>(&value, 1)), from));
    return value;
  }
  // A structure of which the program says how many bytes it knows: what it does not know is zero, and what it knows and
  // this kernel does not must be zero in its memory: E2BIG. EFAULT. Linux: copy_struct_from_user.
  template <typename T>
  Result<T> get_struct(VirtAddr from, uint32_t size) {
    static_assert(std::is_trivially_copyable_v<T>);
    T value{};
    const auto known = std::min(size, static_cast<uint32_t>(sizeof(T)));
    FL_TRY(check_zeros(from + known, size - known));
    FL_TRY(read(std::as_writable_bytes(std::span<T, 1>(&value, 1)).first(known), from));
    return value;
  }
  // A NUL-terminated string of fewer than `max` bytes, without the NUL. EFAULT; `too_long` if there is no NUL in `max`
  // bytes. Reads a word of the kernel at a time, from an address of any alignment, and so may touch the page behind the
  // one with the NUL. Linux: strncpy_from_user.
  Result<std::string> string(VirtAddr from, uint32_t max, Errno too_long = Errno::kENAMETOOLONG);

  // The next bytes of user memory that lie in one frame, made accessible: for copying between a file and user memory
  // without a buffer between. At most `length`, at least 1 byte; EFAULT. The frame is pinned,
  // and a high one mapped, as long as the answer lives.
  Result<KmapSpan> chunk(VirtAddr at, uint32_t length, mmu::Access access);

 private:
  // E2BIG unless all bytes are zero. EFAULT. Linux: check_zeroed_user.
  Status check_zeros(VirtAddr from, uint32_t length);

  AddressSpace& mm_;
  FaultCounters& task_;
};

}  // namespace fl::vm
