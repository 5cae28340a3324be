// Address-space layout: where stack, mappings, heap and position-independent images go, and how far they are moved when
// randomisation is on. Linux counterparts: arch_pick_mmap_layout, randomize_stack_top, arch_align_stack, arch_mmap_rnd,
// arch_randomize_brk, as a 32-bit program sees them (8 bits for mmap, 11 bits for the stack, 32 MiB for the heap).
//
// All offsets follow from one seed, so a run with ASLR can be repeated. Without a seed each function gives what Linux
// gives under ADDR_NO_RANDOMIZE.
#pragma once

#include <cstdint>
#include <optional>

#include "mmu/base/addr.hpp"
#include "vm/profile.hpp"

namespace fl::loaders {

class Aslr {
 public:
  explicit Aslr(std::optional<uint64_t> seed) : on_(seed.has_value()), state_(seed.value_or(0)) {}
  bool on() const { return on_; }

  // End of the stack; a page boundary. Linux: randomize_stack_top, then arch_align_stack and PAGE_ALIGN.
  VirtAddr stack_top(const vm::KernelProfile& profile);
  // Top of the region for mappings without an address: below the stack's limit, at least 128 MiB below its top.
  // `stack_limit` is RLIMIT_STACK in bytes.
  VirtAddr mmap_base(const vm::KernelProfile& profile, uint32_t stack_limit);
  // What is added to the base of a position-independent program with an interpreter: whole pages. Linux: arch_mmap_rnd.
  uint32_t image_offset();
  // The stack pointer below the argument strings, a multiple of 16.
  VirtAddr align_stack(VirtAddr sp);
  // The start of the heap for a program whose bss ends at page `brk`.
  VirtAddr randomize_brk(VirtAddr brk);

 private:
  // 0 if off.
  uint64_t random();

  bool on_;
  uint64_t state_;
};

}  // namespace fl::loaders
