// Charging, and what happens at the limit.
#include "vm/reclaim/mem_cgroup.hpp"

#include <algorithm>
#include <new>

#include "vm/memory_system.hpp"
#include "vm/reclaim/page_reclaim.hpp"

namespace fl::vm {
namespace {

// Pages that are charged together, so that the next charges cost nothing. Linux: MEMCG_CHARGE_BATCH.
constexpr uint32_t kChargeBatch = 64;
// Linux: FLUSH_TIME.
constexpr uint64_t kFlushTimeNs = 2'000'000'000;

}  // namespace

void MemCgroup::Deleter::operator()(MemCgroup* memcg) const {
  memcg->~MemCgroup();
  slab->kfree(memcg);
}

Result<MemCgroup::Ptr> MemCgroup::create(MemorySystem& memory, uint64_t limit_pages) {
  void* const place = memory.slab().kmalloc(sizeof(MemCgroup), kGfpKernel);
  if (place == nullptr) {
    return fail(Errno::kENOMEM);
  }
  return Ptr(new (place) MemCgroup(memory, limit_pages), Deleter{&memory.slab()});
}

MemCgroup::MemCgroup(MemorySystem& memory, uint64_t limit_pages) : memory_(memory), limit_(limit_pages) {
  for (Node& node : memory.pages().nodes()) {
    lruvecs_[node.id].node = &node;
    lruvecs_[node.id].memcg = this;
  }
}

// Linux: page_counter_try_charge.
bool MemCgroup::try_charge_counter(uint32_t pages) {
  if (usage_ + pages > limit_) {
    ++failcnt_;
    return false;
  }
  usage_ += pages;
  max_usage_ = std::max(max_usage_, usage_);
  return true;
}

Status MemCgroup::charge(Gfp gfp, uint32_t order, bool memalloc) {
  const uint32_t pages = 1u << order;
  uint32_t batch = std::max(kChargeBatch, pages);
  uint32_t retries = kMaxReclaimRetries;
  bool drained = false;
  while (true) {
    if (stock_ >= pages) {
      stock_ -= pages;
      return {};
    }
    if (try_charge_counter(batch)) {
      // What is left of an old stock goes. Linux: refill_stock.
      usage_ -= batch > pages ? stock_ : 0;
      stock_ = batch > pages ? batch - pages : stock_;
      return {};
    }
    if (batch > pages) {
      batch = pages;
      continue;
    }
    if (memalloc) {
      break;
    }
    if (!gfp.has(kGfpDirectReclaim)) {
      return fail(Errno::kENOMEM);
    }
    const uint32_t reclaimed = memory_.reclaim().try_to_free_mem_cgroup_pages(*this, pages, gfp);
    if (margin() >= pages) {
      continue;
    }
    if (!drained) {
      usage_ -= std::exchange(stock_, 0);
      drained = true;
      continue;
    }
    if (gfp.has(kGfpNoRetry)) {
      return fail(Errno::kENOMEM);
    }
    if (reclaimed != 0 || retries-- != 0) {
      continue;
    }
    if (gfp.has(kGfpRetryMayFail)) {
      return fail(Errno::kENOMEM);
    }
    OomKiller* const killer = memory_.pages().oom_killer();
    flush_stats();
    const OomKiller::Action action =
        killer != nullptr ? killer->memcg_out_of_memory(gfp, order) : OomKiller::Action::kFail;
    if (action == OomKiller::Action::kFail) {
      return fail(Errno::kENOMEM);
    }
    if (action == OomKiller::Action::kUseReserve) {
      break;  // who needs it is to die: so long he may go beyond the limit
    }
    retries = kMaxReclaimRetries;
  }
  usage_ += pages;
  max_usage_ = std::max(max_usage_, usage_);
  return {};
}

void MemCgroup::uncharge(uint32_t pages) {
  FL_CHECK(usage_ >= pages + stock_, "{} pages are uncharged of {}, {} in stock", pages, usage_, stock_);
  usage_ -= pages;
}

void MemCgroup::flush_stats() {
  for (const Node& node : memory_.pages().nodes()) {
    const Lruvec& lruvec = lruvecs_[node.id];
    LruvecState& state = flushed_[node.id];
    for (uint32_t list = 0; list < kEvictableLists; ++list) {
      state.pages[list] = lruvec.size(static_cast<LruList>(list));
    }
    state.activated = lruvec.activated;
  }
}

void MemCgroup::flush_if_exact() {
  if (!memory_.profile().memcg_stats_late) {
    flush_stats();
  }
}

void MemCgroup::tick(uint64_t now_ns) {
  if (next_flush_ns_ == 0) {
    next_flush_ns_ = now_ns + kFlushTimeNs;
  } else if (now_ns >= next_flush_ns_) {
    next_flush_ns_ = now_ns + kFlushTimeNs;
    flush_stats();
  }
}

}  // namespace fl::vm
