// PageAllocator: how everybody gets and returns frames. An allocation walks the zonelist of a node and takes from the
// first zone whose watermark allows it: from its per-CPU lists, which the buddy system refills. When none allows it,
// page_allocator_slow.cpp tries harder. Linux counterpart: alloc_pages, __free_pages (mm/page_alloc.c).
//
// Simplified: no cpusets, no highatomic reserve.
#pragma once

#include <cstdint>
#include <span>
#include <utility>

#include "mmu/base/addr.hpp"
#include "mmu/base/result.hpp"
#include "mmu/frame_source.hpp"
#include "mmu/ram.hpp"
#include "mmu/tlb_port.hpp"
#include "vm/phys/alloc_flags.hpp"
#include "vm/phys/buddy.hpp"
#include "vm/phys/fail_alloc.hpp"
#include "vm/phys/gfp.hpp"
#include "vm/phys/mem_map.hpp"
#include "vm/phys/node.hpp"
#include "vm/phys/pcp.hpp"

namespace fl::vm {

// Gives frames back when there are few left. Linux: try_to_free_pages, wakeup_kswapd.
class Reclaimer {
 public:
  virtual ~Reclaimer() = default;
  // Frees pages of zones up to `highest`, about 32; how many.
  virtual uint32_t try_to_free_pages(Gfp gfp, uint32_t order, ZoneType highest) = 0;
  // A zone is below its low watermark. Frees nothing now.
  virtual void wakeup_kswapd(ZoneType highest) = 0;
};

// Asked when reclaim finds nothing any more. Linux: out_of_memory.
class OomKiller {
 public:
  enum class Action : uint8_t {
    kRetry,       // somebody was killed, and what he had is free
    kUseReserve,  // the one who allocates is to die: he gets what there is
    kFail,        // nobody can be killed
  };
  virtual ~OomKiller() = default;
  virtual Action out_of_memory(Gfp gfp, uint32_t order) = 0;
  // The same when only the memory limit is reached. Linux: mem_cgroup_out_of_memory.
  virtual Action memcg_out_of_memory(Gfp gfp, uint32_t order) = 0;
};

// Counts what is charged, and limits it. Linux: mem_cgroup_charge, __memcg_kmem_charge_page,
// mem_cgroup_uncharge.
class PageCharger {
 public:
  virtual ~PageCharger() = default;
  // 2^order fresh pages; `memalloc`: for somebody who frees memory, who must not be refused. ENOMEM.
  virtual Status charge(Gfp gfp, uint32_t order, bool memalloc) = 0;
  virtual void uncharge(uint32_t pages) = 0;
};

// Makes large blocks out of scattered free frames. Linux: try_to_compact_pages.
class Compactor {
 public:
  virtual ~Compactor() = default;
  // Moves pages so that a block of 2^order frames becomes free in a zone up to `highest`; whether anything was moved.
  // It allocates no memory.
  virtual bool compact(uint32_t order, ZoneType highest) = 0;
};

class KmapSlots;
class MemoryProbe;

class PageAllocator : public mmu::FrameSource {
 public:
  // `nodes` stand in RAM, their zones have their ranges, nothing is free yet.
  PageAllocator(const mmu::Ram& ram, MemMap& mem_map, mmu::TlbPort& tlb, std::span<Node> nodes);

  // --- boot ---
  // How much there will be decides whether memory is grouped by mobility.
  void start_boot(uint32_t total_pages);
  // Hands a range of frames to the zones they lie in, once. Their struct pages know their place.
  void add_free_range(Pfn first, uint32_t frames);
  // Everything free has been handed over: zonelists, watermarks, per-CPU lists. `min_free_kbytes` 0: Linux's default.
  void finish_boot(uint32_t min_free_kbytes);

  // --- allocating ---
  // 2^order adjacent frames, reference count of the first 1; reclaims if need be and `gfp` allows it. They count as the
  // kernel's own (kKernel) until they become something else. ENOMEM.
  Result<Pfn> alloc_pages(Gfp gfp, uint32_t order = 0) { return alloc_pages_node(gfp, order, kCpuNode); }
  // Prefers `node`, and uses only nodes of `allowed`. Linux: __alloc_pages.
  Result<Pfn> alloc_pages_node(Gfp gfp, uint32_t order, uint32_t node, NodeMask allowed = kAllNodes);
  // A block that was just allocated is charged, or given back and ENOMEM; with kGfpAccount it is already. Linux:
  // mem_cgroup_charge.
  Result<Pfn> charge(Pfn first, Gfp gfp, uint32_t order = 0);
  // Gives a block back; its first frame's reference is the last one.
  void free_pages(Pfn first, uint32_t order = 0);

  // FrameSource.
  Result<Pfn> alloc_table() override;
  void free_table(Pfn pfn) override;

  // --- for compaction ---
  // Takes a free block, by its head, out of the buddy system as single allocated frames; its order.
  // Linux: __isolate_free_page, split_map_pages.
  uint32_t isolate_free_block(Pfn head);
  // Makes 2^order single pages of a block that is no compound page. Linux: split_page.
  void split_page(Pfn first, uint32_t order);
  // All pages of per-CPU lists go back to the buddy system. Linux: drain_all_pages.
  void drain_all_pages();

  void set_reclaimer(Reclaimer* reclaimer) { reclaimer_ = reclaimer; }
  // Null: an allocation that reclaim cannot help fails.
  void set_oom_killer(OomKiller* killer) { oom_killer_ = killer; }
  OomKiller* oom_killer() const { return oom_killer_; }
  // While this lives, what is allocated is needed to free memory: it gets the reserve, and does not reclaim itself.
  // Linux: memalloc_noreclaim_save, PF_MEMALLOC.
  class Reclaiming {
   public:
    explicit Reclaiming(PageAllocator& pages) : pages_(pages), before_(std::exchange(pages.reclaiming_, true)) {}
    Reclaiming(const Reclaiming&) = delete;
    Reclaiming& operator=(const Reclaiming&) = delete;
    ~Reclaiming() { pages_.reclaiming_ = before_; }

   private:
    PageAllocator& pages_;
    bool before_;
  };
  // How high pages are zeroed; before, none may be asked for with kGfpZero that was used already.
  void set_kmap_slots(KmapSlots* slots) { kmap_slots_ = slots; }
  // Null: nothing is charged from now on. Pages that are stay so until they are free, for this charger.
  void set_charger(PageCharger* charger) { charger_ = charger; }
  void set_compactor(Compactor* compactor) { compactor_ = compactor; }
  // Told of each block that is allocated or freed; null: nobody.
  void set_probe(MemoryProbe* probe) { probe_ = probe; }

  // --- settings (/proc/sys/vm) ---
  const WatermarkSettings& watermark_settings() const { return settings_; }
  // New values: watermarks, reserves and list sizes follow. Linux: setup_per_zone_wmarks and its callers.
  void set_watermark_settings(const WatermarkSettings& settings);
  // Pages that user allocations never get, over all zones. Linux: totalreserve_pages.
  uint32_t total_reserve_pages() const;

  // --- looking ---
  std::span<Node> nodes() { return nodes_; }
  std::span<const Node> nodes() const { return nodes_; }
  Zone& zone_of(const Page& page) { return nodes_[page.node()].zones[page.zone()]; }
  Zone& zone_of(Pfn pfn) { return zone_of(mem_map_[pfn]); }
  // Calls visit(Zone&) for each zone of each node, empty ones too.
  template <typename Visit>
  void for_each_zone(Visit&& visit) {
    for (Node& node : nodes_) {
      for (Zone& zone : node.zones) {
        visit(zone);
      }
    }
  }
  template <typename Visit>
  void for_each_zone(Visit&& visit) const {
    for (const Node& node : nodes()) {
      for (const Zone& zone : node.zones) {
        visit(zone);
      }
    }
  }
  // Changes a counter of the node that a page is on. Linux: mod_node_page_state.
  void count(const Page& page, NodeStat item, int64_t delta) { nodes_[page.node()].stat.add(item, delta); }
  VmEvents& events() { return events_; }
  const VmEvents& events() const { return events_; }

  // Frames that nobody uses: in the buddy system and on per-CPU lists.
  uint32_t free_frames() const { return managed_frames_ - used_frames_; }
  // In the buddy system only. Linux: NR_FREE_PAGES, what MemFree tells.
  uint32_t nr_free_pages() const;
  uint32_t managed_frames() const { return managed_frames_; }
  uint32_t table_frames() const { return table_frames_; }
  // Highest number of frames in use so far.
  uint32_t peak_used() const { return peak_used_; }
  const Buddy& buddy() const { return buddy_; }

  FailAlloc& fail_alloc() { return fail_alloc_; }
  // Tests: the n-th allocation from now fails (1 = the next). 0 = none.
  void fail_allocation(uint32_t n) { fail_alloc_.fail_nth(n); }

 private:
  // One allocation's constants. Linux: struct alloc_context.
  struct Request {
    Gfp gfp;
    uint32_t order;
    ZoneType highest;
    MigrateType type;
    NodeMask allowed;
    std::span<Zone* const> zones;
    bool usable(const Zone& zone) const { return zone.type <= highest && (allowed >> zone.node & 1) != 0; }
  };
  uint32_t get_page_from_freelist(const Request& request, uint32_t flags);
  uint32_t rmqueue(Zone& zone, const Request& request);
  uint32_t alloc_slow(const Request& request);
  uint32_t reclaim_and_retry(const Request& request, uint32_t flags);
  uint32_t compact_and_retry(const Request& request, uint32_t flags);
  uint32_t direct_reclaim(const Request& request);
  void zone_statistics(Zone& preferred, Zone& zone, uint32_t pages);
  void prepare(Pfn first, Gfp gfp, uint32_t order);
  void clear_page(Pfn pfn);
  MigrateType migrate_type(Gfp gfp) const {
    return buddy_.mobility_grouping() ? gfp_migratetype(gfp) : MigrateType::kUnmovable;
  }

  const mmu::Ram& ram_;
  MemMap& mem_map_;
  mmu::TlbPort& tlb_;
  std::span<Node> nodes_;
  Buddy buddy_;
  PcpLists pcp_;
  WatermarkSettings settings_;
  Reclaimer* reclaimer_ = nullptr;
  OomKiller* oom_killer_ = nullptr;
  KmapSlots* kmap_slots_ = nullptr;
  Compactor* compactor_ = nullptr;
  PageCharger* charger_ = nullptr;
  MemoryProbe* probe_ = nullptr;
  bool reclaiming_ = false;
  VmEvents events_;
  FailAlloc fail_alloc_;
  uint32_t managed_frames_ = 0;
  uint32_t used_frames_ = 0;
  uint32_t table_frames_ = 0;
  uint32_t peak_used_ = 0;
};

}  // namespace fl::vm
