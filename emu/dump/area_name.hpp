// The name of a mapping, as /proc/PID/maps shows it. Linux counterparts: show_map_vma, vma_is_initial_heap, _stack.
#pragma once

#include <string_view>

#include "vm/mm/address_space.hpp"
#include "vm/mm/vm_area.hpp"

namespace fl::emu {

// The file's path, "[vdso]", "[vvar]", "[heap]", "[stack]", or empty. Lives as long as the area.
std::string_view area_name(const vm::AddressSpace& mm, const vm::VmArea& area);

}  // namespace fl::emu
