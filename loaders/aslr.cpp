// The offsets of address-space layout randomisation. See aslr.hpp.
#include "loaders/aslr.hpp"

#include <algorithm>

namespace fl::loaders {
namespace {

constexpr uint32_t kMmapRandomBits = 8;          // vm.mmap_rnd_bits of i386, mmap_rnd_compat_bits of x86-64
constexpr uint32_t kStackRandomPages = 0x7ff;    // STACK_RND_MASK
constexpr uint32_t kStackRandomBytes = 8192;     // arch_align_stack
constexpr uint32_t kBrkRandomBytes = 32u << 20;  // arch_randomize_brk
constexpr uint64_t kMinMmapGap = 128u << 20;

VirtAddr page_up(uint64_t value) { return VirtAddr(static_cast<uint32_t>(page_align_up(value))); }

}  // namespace

// splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators).
uint64_t Aslr::random() {
  if (!on_) {
    return 0;
  }
  uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

VirtAddr Aslr::stack_top(const vm::KernelProfile& profile) {
  const auto pages = static_cast<uint32_t>(random() & kStackRandomPages);
  return page_up(align_stack(profile.stack_top - (pages << kPageShift)).value());
}

VirtAddr Aslr::mmap_base(const vm::KernelProfile& profile, uint32_t stack_limit) {
  const uint64_t task_size = profile.stack_top.value();
  const uint64_t stack_random = on_ ? uint64_t{kStackRandomPages} << kPageShift : 0;
  const uint64_t gap = std::clamp(stack_limit + stack_random + vm::kStackGuardGap, kMinMmapGap, task_size / 6 * 5);
  return page_up(task_size - gap - image_offset());
}

uint32_t Aslr::image_offset() { return static_cast<uint32_t>(random() & ((1u << kMmapRandomBits) - 1)) << kPageShift; }

VirtAddr Aslr::align_stack(VirtAddr sp) {
  const VirtAddr moved = sp - static_cast<uint32_t>(random() % kStackRandomBytes);
  return VirtAddr(moved.value() & ~15u);
}

VirtAddr Aslr::randomize_brk(VirtAddr brk) {
  const auto pages = static_cast<uint32_t>(random() % (kBrkRandomBytes >> kPageShift));
  return brk + (pages << kPageShift);
}

}  // namespace fl::loaders
