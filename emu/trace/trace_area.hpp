// TraceArea: what a trace says of the mapping that a fault was in.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "mmu/base/addr.hpp"
#include "vm/mm/vm_area.hpp"

namespace fl::emu {

struct TraceArea {
  VirtAddr start, end;
  std::array<char, 4> perm{'-', '-', '-', 'p'};
  std::string_view name;  // path, "[heap]", "[stack]", "[vdso]", "[vvar]"; empty: anonymous
  uint32_t pgoff = 0;
};

// `area` belongs to an address space; the name is valid as long as the area is.
TraceArea describe_area(const vm::VmArea& area);

}  // namespace fl::emu
