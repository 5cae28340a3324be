// The invariants of the memory system, checked by walking everything. Slow; for tests and --verify.
// Linux counterparts: validate_mm, CONFIG_DEBUG_VM, page_alloc debugging. Numbers are those of the list in
// vm/README.md.
#pragma once

#include <string>
#include <vector>

namespace fl::vm {

class AddressSpace;
class MemorySystem;

// One line for each violation found in the machine and all its address spaces, "invariant 5: ..."; empty if all is
// well. At most a hundred lines. It trusts no field: a corrupt list or entry is reported, never followed out of bounds.
std::vector<std::string> verify(MemorySystem& memory);

// Verifies the machine that the address space belongs to; a violation is an internal error.
void verify_or_die(AddressSpace& mm);

// Stands at the top of every call that changes an address space: verifies when the outermost such call returns, if the
// machine's level asks for it. (Inside, areas may for a moment be unmerged or counters behind.)
class MmCall {
 public:
  explicit MmCall(AddressSpace& mm);
  MmCall(const MmCall&) = delete;
  MmCall& operator=(const MmCall&) = delete;
  ~MmCall();

 private:
  AddressSpace& mm_;
};

}  // namespace fl::vm
