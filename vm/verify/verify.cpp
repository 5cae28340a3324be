// Running the checks in order: first those that count, then those that compare.
#include "vm/verify/verify.hpp"

#include "mmu/base/check.hpp"
#include "vm/memory_system.hpp"
#include "vm/mm/address_space.hpp"
#include "vm/verify/checks.hpp"

namespace fl::vm {

std::vector<std::string> verify(MemorySystem& memory) {
  Violations out;
  FrameUserTable uses(memory.mem_map().size());
  check_buddy(memory, uses, out);
  for (AddressSpace& mm : memory.spaces()) {
    check_areas(mm, out);
    check_tables(mm, uses, out);
  }
  check_cache(memory, out);
  check_lru(memory, out);
  check_swap(memory, out);
  check_commitments(memory, out);
  check_pages(memory, uses, out);
  check_slab(memory, out);
  check_rmap(memory, uses, out);
  check_translations(memory, uses, out);
  return out.take();
}

void verify_or_die(AddressSpace& mm) {
  const std::vector<std::string> lines = verify(mm.memory());
  if (lines.empty()) {
    return;
  }
  std::string all;
  for (const std::string& line : lines) {
    all += "\n  " + line;
  }
  FL_CHECK(lines.empty(), "{}", all);
}

MmCall::MmCall(AddressSpace& mm) : mm_(mm) { ++mm_.call_depth_; }

MmCall::~MmCall() {
  if (--mm_.call_depth_ == 0 && mm_.memory().verify_level() >= VerifyLevel::kMmCalls) {
    verify_or_die(mm_);
  }
}

}  // namespace fl::vm
