// The argument strings of a program being executed: path, environment and arguments, copied down from the top of the
// stack that the program will have. Linux counterpart: the memory part of struct linux_binprm (fs/exec.c: bprm_mm_init,
// bprm_stack_limits, copy_strings, remove_arg_zero, setup_arg_pages).
//
// Each page the strings reach is one get_user_pages write fault (rule C1). Linux builds the stack at the highest
// address there is and moves it later; here it is built where it will stay, which takes the same faults.
#pragma once

#include <cstdint>
#include <string_view>

#include "loaders/elf/elf.hpp"
#include "mmu/base/addr.hpp"
#include "mmu/base/result.hpp"
#include "vm/fault/fault_record.hpp"
#include "vm/kernel_space/kmap_local.hpp"
#include "vm/mm/address_space.hpp"

namespace fl::loaders {

// Longest string, with its NUL. Linux: MAX_ARG_STRLEN.
inline constexpr uint32_t kMaxArgString = 32 * kPageSize;

class ArgumentStrings {
 public:
  // Makes the stack's first page, below `stack_top`. `pointers` is the number of arguments and variables, which count
  // against the limit for the strings: a quarter of RLIMIT_STACK, at most 6 MiB, at least 128 KiB. E2BIG, ENOMEM.
  static Result<ArgumentStrings> create(vm::AddressSpace& mm, vm::FaultCounters& task, VirtAddr stack_top,
                                        uint64_t pointers);

  // Copies a string (up to its first NUL, if any) and a NUL below the others. E2BIG if it or all are too long, or if
  // there is no memory for them. Linux: copy_string_kernel.
  Status push(std::string_view text);
  // Gives up the lowest string. Linux: remove_arg_zero.
  Status remove_lowest();
  // The address of the lowest string. Linux: bprm->p.
  VirtAddr position() const { return position_; }

  // The stack gets the rights that the program asks for and grows to its first size, 128 KiB more than the strings'
  // pages, without faults. ENOMEM, EFAULT. Linux: setup_arg_pages.
  Status finish_stack(ExecStack exec_stack);

 private:
  ArgumentStrings(vm::AddressSpace& mm, vm::FaultCounters& task, VirtAddr stack_top)
      : mm_(&mm), task_(&task), stack_top_(stack_top) {}
  // The bytes of the page at `at`; E2BIG.
  Result<vm::KmapLocal> page(VirtAddr at, mmu::Access access);

  vm::AddressSpace* mm_;
  vm::FaultCounters* task_;
  VirtAddr stack_top_;
  VirtAddr position_;
  VirtAddr lowest_;  // Linux: bprm->argmin
};

}  // namespace fl::loaders
