// What the kernel puts below the argument strings before the program starts: platform string, random bytes, auxiliary
// vector, and the tables of argument and environment pointers. Linux counterpart: create_elf_tables (fs/binfmt_elf.c).
//
//   stack pointer -> argc | argv[0] ... 0 | envp[0] ... 0 | auxv ... AT_NULL | (0..15 bytes) | random | "i686" |
//   strings
//
// All of it is written in kernel mode: one fault for each page below the strings' pages (rule C2).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "loaders/aslr.hpp"
#include "loaders/auxv.hpp"
#include "mmu/base/addr.hpp"
#include "mmu/base/result.hpp"
#include "vm/fault/fault_record.hpp"
#include "vm/mm/address_space.hpp"

namespace fl::loaders {

struct InitialStack {
  VirtAddr stack_pointer;
  std::vector<uint32_t> auxv;  // as it stands on the stack
};

// `strings` is the lowest argument string: `argc` arguments, then `envc` variables, each NUL-terminated. Sets the
// argument and environment borders of mm.layout(). `aux` lacks only what is decided here: random and platform.
// EFAULT; ENOMEM; EINVAL if a string is damaged.
Result<InitialStack> create_elf_tables(vm::AddressSpace& mm, vm::FaultCounters& task, Aslr& aslr, VirtAddr strings,
                                       uint32_t argc, uint32_t envc, AuxValues aux,
                                       const std::array<std::byte, 16>& random);

}  // namespace fl::loaders
