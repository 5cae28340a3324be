// Thread-local-storage descriptors: struct user_desc to a processor's segment descriptor and back.
// Linux counterparts: arch/x86/kernel/tls.c, fill_ldt, fill_user_desc.
#pragma once

#include <cstdint>

#include "guest/cpu/registers.hpp"
#include "mmu/base/result.hpp"
#include "vm/user_access.hpp"

namespace fl::guest {

class Kernel;

// struct user_desc (asm/ldt.h).
struct UserDesc {
  enum Bit : uint32_t {
    kSeg32Bit = 1,
    kContentsMask = 6,  // 0 data, 1 data growing down, 2 and 3 code
    kReadExecOnly = 8,
    kLimitInPages = 16,
    kSegNotPresent = 32,
    kUseable = 64,
  };
  uint32_t entry_number, base_addr, limit;
  uint32_t bits;

  // Both ways to ask for no descriptor. Linux: LDT_empty, LDT_zero.
  bool empty() const;
  // What a program may set: a 32-bit data segment that is present, or none. Linux: tls_desc_okay.
  bool acceptable() const;
};

// The accessed bit is set, so that the processor never writes to the table.
TlsDescriptor pack_descriptor(const UserDesc& desc);
// Whether entry_number -1 asks for any free entry, whose number is stored, or is wrong (CLONE_SETTLS).
enum class AnyTlsEntry : bool { kRefuse, kAllocate };
// Puts the user_desc at `at` into a task's descriptors. EFAULT, EINVAL, ESRCH (none free). Linux: do_set_thread_area.
Status set_thread_area(const Kernel& kernel, vm::UserAccess user, VirtAddr at, TlsArray& tls, AnyTlsEntry any);
// entry_number is left 0.
UserDesc unpack_descriptor(const TlsDescriptor& descriptor);

}  // namespace fl::guest
