// The invariants of the memory system, checked by walking everything. Slow; for tests and --verify.
// Linux counterparts: validate_mm, CONFIG_DEBUG_VM, page_alloc debugging. Numbers are those of the list in vm/README.md.
#pragma once

#include <string>
#include <vector>

namespace fl::vm {

class AddressSpace;
class MemorySystem;

// One line for each violation found; empty if all is well. `spaces`: every address space of the machine.
std::vector<std::string> verify(MemorySystem& memory, const std::vector<AddressSpace*>& spaces);

// Verifies a machine with this one address space; a violation is an internal error.
void verify_or_die(AddressSpace& mm);

}  // namespace fl::vm
