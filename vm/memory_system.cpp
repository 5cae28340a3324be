// Booting the memory system: RAM from frame 0 up holds the kernel's directory, mem_map and the zero page, then free
// memory. A boot allocator (memblock) takes this over when there are zones.
#include "vm/memory_system.hpp"

#include "mmu/layout.hpp"

namespace fl::vm {
namespace {

constexpr Pfn kKernelDirectory(1);  // frame 0 stays unused, as on a PC
constexpr Pfn kMemMapStart(2);
// A machine that cannot hold its tables and a small program is refused.
constexpr uint32_t kMinFrames = 64;

}  // namespace

Result<std::unique_ptr<MemorySystem>> MemorySystem::boot(const mmu::Ram& ram, mmu::Mmu& mmu, mmu::TlbPort& tlb,
                                                         const KernelProfile& profile) {
  if (ram.frames() < kMinFrames) {
    return fail(Errno::kEINVAL);
  }
  const Pfn zero_page = kMemMapStart + MemMap::frames_needed(ram.frames());
  const Pfn first_free = zero_page + 1;
  return std::unique_ptr<MemorySystem>(
      new MemorySystem(ram, mmu, tlb, profile, kKernelDirectory, kMemMapStart, zero_page, first_free));
}

MemorySystem::MemorySystem(const mmu::Ram& ram, mmu::Mmu& mmu, mmu::TlbPort& tlb, const KernelProfile& profile,
                           Pfn directory, Pfn mem_map, Pfn zero_page, Pfn first_free)
    : ram_(ram),
      mmu_(mmu),
      tlb_(tlb),
      profile_(profile),
      kernel_map_(ram, directory),
      mem_map_(ram, mem_map),
      pages_(ram, mem_map_, tlb),
      cache_(mem_map_, pages_),
      zero_page_(zero_page) {
  for (uint32_t frame = 0; frame < first_free.value(); ++frame) {
    Page& page = mem_map_[Pfn(frame)];
    page.set(PageFlag::kReserved);
    page.refcount = 1;
  }
  pages_.add_free_range(first_free, ram.frames() - first_free.value());
  slab_ = std::make_unique<SlabAllocator>(ram_, mem_map_, pages_, SlabDebug::kOff);
  reclaimer_ = std::make_unique<MemoryReclaimer>(cache_, *slab_);
  pages_.set_reclaimer(reclaimer_.get());
}

MemorySystem::~MemorySystem() = default;

}  // namespace fl::vm
