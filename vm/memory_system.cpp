// Booting the memory system: BootMemory lays out RAM and hands what is free to the page allocator.
#include "vm/memory_system.hpp"

#include "mmu/layout.hpp"
#include "vm/kernel_caches.hpp"
#include "vm/reclaim/page_reclaim.hpp"
#include "vm/swap/swap_cache.hpp"
#include "vm/swap/swap_space.hpp"

namespace fl::vm {

Result<std::unique_ptr<MemorySystem>> MemorySystem::boot(const mmu::Ram& ram, mmu::Mmu& mmu, mmu::TlbPort& tlb,
                                                         const KernelProfile& profile, const BootOptions& options) {
  FL_TRY_ASSIGN(std::unique_ptr<BootMemory> boot, BootMemory::start(ram, options));
  return std::unique_ptr<MemorySystem>(new MemorySystem(ram, mmu, tlb, profile, std::move(boot)));
}

MemorySystem::MemorySystem(const mmu::Ram& ram, mmu::Mmu& mmu, mmu::TlbPort& tlb, const KernelProfile& profile,
                           std::unique_ptr<BootMemory> boot)
    : ram_(ram),
      mmu_(mmu),
      tlb_(tlb),
      profile_(profile),
      boot_(std::move(boot)),
      kernel_map_(ram, boot_->image().directory, boot_->options().large_pages, [this] { return boot_->early_table(); }),
      mem_map_(ram, boot_->mem_map()),
      pages_(ram, mem_map_, tlb, boot_->nodes()),
      cache_(*this),
      lru_(mem_map_, pages_, profile.rotations_cost) {
  boot_->init_mem_map(mem_map_);
  boot_->hand_over(mem_map_, pages_);
  slab_ = std::make_unique<SlabAllocator>(ram_, mem_map_, pages_, boot_->options().slab_debug);
  mappings_ = std::make_unique<KernelMappings>(ram_, mmu_, kernel_map_, pages_, *slab_);
  pages_.set_kmap_slots(&mappings_->slots);
  caches_ = std::make_unique<KernelCaches>(*slab_);
  swap_ = std::make_unique<SwapSpace>(mappings_->vmalloc, *slab_, pages_, profile_.swap_clusters);
  swap_cache_ = std::make_unique<SwapCache>(*this);
  swap_->set_user(swap_cache_.get());
  reclaim_ = std::make_unique<PageReclaim>(*this);
  pages_.set_reclaimer(reclaim_.get());
  pages_.set_compactor(&compaction_);
  overcommit_ = std::make_unique<Overcommit>(*this);
}

MemorySystem::~MemorySystem() = default;

void MemorySystem::set_probe(MemoryProbe* probe, uint32_t points) {
  probe_ = probe;
  probe_points_ = probe != nullptr ? points : 0;
  pages_.set_probe((probe_points_ & MemoryProbe::kPages) != 0 ? probe : nullptr);
}

Status MemorySystem::set_memory_limit(uint64_t pages) {
  FL_CHECK(memcg_ == nullptr, "there is a memory limit already");
  FL_TRY_ASSIGN(memcg_, MemCgroup::create(*this, pages));
  lru_.set_memcg(memcg_.get());
  pages_.set_charger(memcg_.get());
  return {};
}

}  // namespace fl::vm
