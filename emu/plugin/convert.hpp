// What the machine knows, in the structs of faultline/plugin.h. Looks and changes nothing.
#pragma once

#include "emu/plugin/include/faultline/plugin.h"
#include "guest/task.hpp"
#include "vm/memory_system.hpp"
#include "vm/mm/address_space.hpp"

namespace fl::emu {

// The kernel's address of the mm_struct: the name of an address space. 0 for none.
uint32_t mm_name(const vm::AddressSpace* mm);
// With its name, which lives as long as the area; `named` false: without.
faultline_vma to_vma(const vm::AddressSpace& mm, const vm::AreaShape& area);
faultline_vma to_named_vma(const vm::AddressSpace& mm, const vm::VmArea& area);
faultline_page to_page(vm::MemorySystem& memory, Pfn pfn);
faultline_walk to_walk(const vm::AddressSpace& mm, VirtAddr addr);
faultline_task to_task(const guest::Task& task, const guest::Task* current);
faultline_registers to_registers(const guest::Registers& regs);

}  // namespace fl::emu
