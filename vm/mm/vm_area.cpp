// An area's rights in four letters. Linux counterpart: show_vma_header_prefix.
#include "vm/mm/vm_area.hpp"

namespace fl::vm {

std::string permissions(const VmArea& area) {
  // A read-only mapping of a file that may not be written is shared too, though VM_SHARED is off.
  return {area.has(VmFlag::kRead) ? 'r' : '-', area.has(VmFlag::kWrite) ? 'w' : '-',
          area.has(VmFlag::kExec) ? 'x' : '-', area.has(VmFlag::kMayShare) ? 's' : 'p'};
}

}  // namespace fl::vm
