// Maps an ELF image into an address space. Linux counterpart: the second half of load_elf_binary (elf_map, elf_load,
// padzero) and load_elf_interp (fs/binfmt_elf.c).
//
// Mapping takes no fault; clearing the tail of a segment's last file page is one kernel write fault (rule C3).
#pragma once

#include <memory>

#include "loaders/aslr.hpp"
#include "loaders/elf/elf.hpp"
#include "mmu/base/addr.hpp"
#include "mmu/base/result.hpp"
#include "vm/fault/fault_record.hpp"
#include "vm/mm/address_space.hpp"

namespace fl::loaders {

struct LoadedImage {
  VirtAddr entry;  // below the end of user space, unless an interpreter runs first
  VirtAddr phdr;   // AT_PHDR
  uint32_t bias;   // simulated address minus address in the file
};

// Maps the program and sets code, data and heap of mm.layout(). Linux has killed the old program by now, so there an
// error is a SIGSEGV. Errors: those of plan_elf and mmap; EINVAL for an entry outside user space; EFAULT if a tail
// cannot be cleared.
Result<LoadedImage> load_elf(vm::AddressSpace& mm, vm::FaultCounters& task, Aslr& aslr,
                             const std::shared_ptr<const vm::MappedFile>& file, const ElfImage& image);

// Maps an interpreter (PT_INTERP); `program` has been loaded. Errors as above, ENOMEM for a segment that does not fit.
Result<LoadedImage> load_elf_interpreter(vm::AddressSpace& mm, vm::FaultCounters& task,
                                         const std::shared_ptr<const vm::MappedFile>& file, const ElfImage& image,
                                         const LoadedImage& program);

}  // namespace fl::loaders
