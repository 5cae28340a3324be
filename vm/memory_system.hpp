// MemorySystem: the memory side of the machine, booted. It owns what Linux keeps in globals: mem_map, the page
// allocator, the page cache, the zero page, the kernel's directory. Address spaces borrow it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "mmu/base/addr.hpp"
#include "mmu/base/result.hpp"
#include "mmu/kernel_map.hpp"
#include "mmu/layout.hpp"
#include "mmu/mmu.hpp"
#include "mmu/ram.hpp"
#include "mmu/tlb_port.hpp"
#include "vm/block/request_queue.hpp"
#include "vm/boot/boot_memory.hpp"
#include "vm/cache/page_cache.hpp"
#include "vm/compact/compaction.hpp"
#include "vm/fault/fault_record.hpp"
#include "vm/kernel_space/kernel_mappings.hpp"
#include "vm/memory_event.hpp"
#include "vm/memory_probe.hpp"
#include "vm/mm/address_space.hpp"
#include "vm/mm/overcommit.hpp"
#include "vm/phys/mem_map.hpp"
#include "vm/phys/mempolicy.hpp"
#include "vm/phys/page_allocator.hpp"
#include "vm/profile.hpp"
#include "vm/reclaim/faulted_pages.hpp"
#include "vm/reclaim/lru.hpp"
#include "vm/reclaim/mem_cgroup.hpp"
#include "vm/slab/slab_allocator.hpp"
#include "vm/swap/swap_in.hpp"

namespace fl::vm {

class KernelCaches;
class PageReclaim;
class SwapCache;
class SwapSpace;

// How much the invariant walkers check. Each level includes the one before.
enum class VerifyLevel : uint8_t { kOff, kMmCalls, kFaults };

class MemorySystem {
 public:
  // Lays out RAM and gives what is free to the page allocator. EINVAL if RAM is too small to boot (or for so many
  // nodes). `ram`, `mmu` and `tlb` must outlive it.
  static Result<std::unique_ptr<MemorySystem>> boot(const mmu::Ram& ram, mmu::Mmu& mmu, mmu::TlbPort& tlb,
                                                    const KernelProfile& profile, const BootOptions& options = {});
  MemorySystem(const MemorySystem&) = delete;
  MemorySystem& operator=(const MemorySystem&) = delete;
  ~MemorySystem();

  const mmu::Ram& ram() const { return ram_; }
  mmu::Mmu& mmu() { return mmu_; }
  mmu::TlbPort& tlb() { return tlb_; }
  const KernelProfile& profile() const { return profile_; }
  const mmu::KernelMap& kernel_map() const { return kernel_map_; }
  MemMap& mem_map() { return mem_map_; }
  Page& page(Pfn pfn) { return mem_map_[pfn]; }
  PageAllocator& pages() { return pages_; }
  // Kernel objects and kmalloc.
  SlabAllocator& slab() { return *slab_; }
  // The kernel's addresses above its direct map, and what lives there.
  KernelSpace& kernel_space() { return mappings_->space; }
  KmapSlots& kmap_slots() { return mappings_->slots; }
  Kmap& kmap() { return mappings_->kmap; }
  Vmalloc& vmalloc() { return mappings_->vmalloc; }
  // The caches of vm's objects.
  KernelCaches& caches() { return *caches_; }
  PageCache& cache() { return cache_; }
  // The disk, in time.
  RequestQueue& disk() { return disk_; }
  // Which pages are in use, and getting rid of others.
  Lru& lru() { return lru_; }
  PageReclaim& reclaim() { return *reclaim_; }
  // What --memory-limit set; null: none.
  MemCgroup* memcg() { return memcg_.get(); }
  // What is allocated from now on is charged. Once. ENOMEM.
  Status set_memory_limit(uint64_t pages);
  SwapCache& swap_cache() { return *swap_cache_; }
  SwapClusterReadahead& swap_cluster() { return swap_cluster_; }
  // What the running instruction has faulted in; whoever runs the machine clears it when another one faults.
  FaultedPages& faulted_pages() { return faulted_pages_; }
  Compaction& compaction() { return compaction_; }
  // The swap areas; none at boot.
  SwapSpace& swap() { return *swap_; }
  // What programs were promised.
  Overcommit& overcommit() { return *overcommit_; }
  // Most areas of one address space. Linux: vm.max_map_count.
  uint32_t max_map_count() const { return max_map_count_; }
  void set_max_map_count(uint32_t count) { max_map_count_ = count; }
  // Where the kernel finds an object of low memory, and back.
  VirtAddr kernel_address(const void* object) const { return slab_->direct_map().address_of(object); }
  template <typename T>
  T* kernel_pointer(VirtAddr address) const {
    return slab_->direct_map().pointer<T>(address);
  }
  // The frame of zeros that all untouched anonymous memory reads. Linux: ZERO_PAGE(0).
  Pfn zero_page() const { return boot_->image().zero_page; }
  // How memory was laid out at boot: e820 map, memblock's regions, the kernel's image.
  const BootMemory& boot_memory() const { return *boot_; }
  // What dmesg would show of it, line by line.
  const std::vector<std::string>& boot_log() const { return boot_->log().lines(); }

  // Told of every fault; null for nobody.
  void set_observer(FaultObserver* observer) { observer_ = observer; }
  FaultObserver* observer() const { return observer_; }
  void tell(const MemoryEvent& event) const {
    if (observer_ != nullptr) {
      observer_->on_event(event);
    }
    if (MemoryProbe* const at = probe(MemoryProbe::kEvents); at != nullptr) [[unlikely]] {
      at->on_event(event);
    }
  }
  // Told of what happens at these points (MemoryProbe::Point); null, or no points: nobody.
  void set_probe(MemoryProbe* probe, uint32_t points);
  // Null unless it wants to hear of the point.
  MemoryProbe* probe(MemoryProbe::Point point) const { return (probe_points_ & point) != 0 ? probe_ : nullptr; }
  // Asked for decisions; null: nobody.
  void set_chooser(MemoryChooser* chooser) { chooser_ = chooser; }
  MemoryChooser* chooser() const { return chooser_; }
  // Faults of the whole machine.
  FaultCounters& faults() { return faults_; }
  const FaultCounters& faults() const { return faults_; }

  // Every address space of the machine, in the order they were made. Kept by AddressSpace. Linux: init_mm.mmlist.
  using Spaces = boost::intrusive::list<
      AddressSpace, boost::intrusive::member_hook<AddressSpace, AddressSpace::ListHook, &AddressSpace::list_hook>>;
  Spaces& spaces() { return spaces_; }

  // The policy of the task that runs: for pages whose area has none. Linux: current->mempolicy.
  void set_task_policy(const MemPolicy& policy) { task_policy_ = policy; }
  const MemPolicy& task_policy() const { return task_policy_; }

  void set_verify_level(VerifyLevel level) { verify_level_ = level; }
  VerifyLevel verify_level() const { return verify_level_; }

 private:
  MemorySystem(const mmu::Ram& ram, mmu::Mmu& mmu, mmu::TlbPort& tlb, const KernelProfile& profile,
               std::unique_ptr<BootMemory> boot);

  const mmu::Ram& ram_;
  mmu::Mmu& mmu_;
  mmu::TlbPort& tlb_;
  const KernelProfile& profile_;
  std::unique_ptr<BootMemory> boot_;
  mmu::KernelMap kernel_map_;
  MemMap mem_map_;
  PageAllocator pages_;
  // Made when there are free pages to make it of.
  std::unique_ptr<SlabAllocator> slab_;
  std::unique_ptr<KernelMappings> mappings_;
  std::unique_ptr<KernelCaches> caches_;
  MemCgroup::Ptr memcg_;  // outlives all pages that are charged
  RequestQueue disk_;
  PageCache cache_;
  Lru lru_;
  std::unique_ptr<SwapSpace> swap_;
  std::unique_ptr<SwapCache> swap_cache_;
  SwapClusterReadahead swap_cluster_;
  FaultedPages faulted_pages_;
  std::unique_ptr<PageReclaim> reclaim_;
  Compaction compaction_{*this};
  std::unique_ptr<Overcommit> overcommit_;
  uint32_t max_map_count_ = kDefaultMaxMapCount;
  FaultObserver* observer_ = nullptr;
  uint32_t probe_points_ = 0;
  MemoryProbe* probe_ = nullptr;
  MemoryChooser* chooser_ = nullptr;
  FaultCounters faults_;
  Spaces spaces_;
  MemPolicy task_policy_;
  VerifyLevel verify_level_ = VerifyLevel::kOff;
};

}  // namespace fl::vm
