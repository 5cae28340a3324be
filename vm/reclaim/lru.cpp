// Lists and counters together.
#include "vm/reclaim/lru.hpp"

#include <numeric>

#include "mmu/base/check.hpp"

namespace fl::vm {
namespace {

// Changes the flags that say where the page belongs; if it is on a list, it goes to the front of that one.
void relist(Lru& lru, Page& page, Pfn pfn, uint32_t set, uint32_t clear) {
  const bool listed = page.has(PageFlag::kLru);
  lru.remove(pfn);
  page.set(set);
  page.clear(clear);
  if (listed) {
    lru.add(pfn);
  }
}

}  // namespace

void Lru::count(const Page& page, LruList list, int64_t delta) {
  pages_.count(page, node_stat_of(list), delta);
  pages_.zone_of(page).stat.add(zone_stat_of(list), delta);
  uint32_t& size = lruvec_of(page).zone_sizes[index_of(list)][page.zone()];
  size = static_cast<uint32_t>(size + delta);
}

void Lru::add_to(Pfn pfn, bool back) {
  Page& page = mem_map_[pfn];
  FL_CHECK(!page.has(PageFlag::kLru), "frame {:#x} is on a list already, flags {:#x}", pfn.value(), page.flags);
  page.set(PageFlag::kLru);
  const LruList list = list_of(page);
  PageList& pages = lruvec_of(page).list(list);
  if (back) {
    push_back(mem_map_, pages, pfn);
  } else {
    push_front(mem_map_, pages, pfn);
  }
  count(page, list, 1);
}

void Lru::remove(Pfn pfn) {
  Page& page = mem_map_[pfn];
  if (!page.has(PageFlag::kLru)) {
    return;
  }
  const LruList list = list_of(page);
  unlink(mem_map_, lruvec_of(page).list(list), pfn);
  page.clear(PageFlag::kLru);
  count(page, list, -1);
}

void Lru::replace(Pfn from, Pfn to) {
  Page& old_page = mem_map_[from];
  Page& new_page = mem_map_[to];
  if (!old_page.has(PageFlag::kLru)) {
    return;
  }
  // The new frame may be on another node: it goes to the front there. Else it stands where the old one stood.
  new_page.clear(PageFlag::kLru);
  if (old_page.node() != new_page.node()) {
    remove(from);
    add(to);
    return;
  }
  const LruList list = list_of(old_page);
  PageList& pages = lruvec_of(old_page).list(list);
  new_page.lru_next = old_page.lru_next;
  new_page.lru_prev = old_page.lru_prev;
  (new_page.lru_prev == kNoPage ? pages.head : mem_map_[Pfn(new_page.lru_prev)].lru_next) = to.value();
  (new_page.lru_next == kNoPage ? pages.tail : mem_map_[Pfn(new_page.lru_next)].lru_prev) = to.value();
  count(old_page, list, -1);
  old_page.clear(PageFlag::kLru);
  new_page.set(PageFlag::kLru);
  count(new_page, list, 1);
}

void Lru::activate(Pfn pfn) {
  Page& page = mem_map_[pfn];
  if (page.has(PageFlag::kActive | PageFlag::kUnevictable)) {
    return;
  }
  relist(*this, page, pfn, PageFlag::kActive, 0);
  pages_.events().add(VmEvent::kPgactivate, 1);
}

void Lru::deactivate(Pfn pfn) {
  Page& page = mem_map_[pfn];
  if (page.has(PageFlag::kUnevictable) || !page.has(PageFlag::kLru) || !page.has(PageFlag::kActive)) {
    return;
  }
  relist(*this, page, pfn, 0, PageFlag::kActive | PageFlag::kReferenced);
  pages_.events().add(VmEvent::kPgdeactivate, 1);
}

void Lru::mark_accessed(Pfn pfn) {
  Page& page = mem_map_[pfn];
  if (!page.has(PageFlag::kReferenced)) {
    page.set(PageFlag::kReferenced);
  } else if (!page.has(PageFlag::kActive | PageFlag::kUnevictable)) {
    activate(pfn);
    page.clear(PageFlag::kReferenced);
    // Linux: workingset_activation.
    age_nonresident(lruvec_of(page));
  }
}

void Lru::mlock(Pfn pfn) {
  Page& page = mem_map_[pfn];
  if (page.has(PageFlag::kMlocked)) {
    return;
  }
  relist(*this, page, pfn, PageFlag::kMlocked | PageFlag::kUnevictable, PageFlag::kActive);
  pages_.zone_of(page).stat.add(ZoneStat::kNrMlock, 1);
  pages_.events().add(VmEvent::kUnevictablePgsMlocked, 1);
}

void Lru::munlock(Pfn pfn) {
  Page& page = mem_map_[pfn];
  if (!page.has(PageFlag::kMlocked)) {
    return;
  }
  relist(*this, page, pfn, 0, PageFlag::kMlocked | PageFlag::kUnevictable);
  pages_.zone_of(page).stat.add(ZoneStat::kNrMlock, -1);
  pages_.events().add(VmEvent::kUnevictablePgsMunlocked, 1);
}

uint64_t Lru::size(const Node& node, LruList list, ZoneType highest) {
  int64_t size = 0;
  for (uint32_t zone = 0; zone <= index_of(highest); ++zone) {
    size += node.zones[zone].stat[zone_stat_of(list)];
  }
  return static_cast<uint64_t>(size);
}

LruvecState Lru::state(const Lruvec& lruvec) {
  if (lruvec.memcg != nullptr) {
    return lruvec.memcg->flushed(lruvec.node->id);
  }
  const NodeStats& stat = lruvec.node->stat;
  LruvecState state;
  for (uint32_t list = 0; list < kEvictableLists; ++list) {
    state.pages[list] = static_cast<uint64_t>(stat[node_stat_of(static_cast<LruList>(list))]);
  }
  state.activated = {static_cast<uint64_t>(stat[NodeStat::kWorkingsetActivateAnon]),
                     static_cast<uint64_t>(stat[NodeStat::kWorkingsetActivateFile])};
  return state;
}

void Lru::age_nonresident(Lruvec& lruvec) {
  ++lruvec.nonresident_age;
  if (lruvec.memcg != nullptr) {
    ++lruvec.node->lruvec.nonresident_age;
  }
}

void Lru::note_cost(Lruvec& lruvec, bool file, uint32_t io, uint32_t rotated) {
  constexpr uint32_t kIoCost = 32;  // Linux: SWAP_CLUSTER_MAX
  if (rotations_cost_ && io == 0 && rotated == 0) {
    return;
  }
  (file ? lruvec.file_cost : lruvec.anon_cost) += rotations_cost_ ? uint64_t{io} * kIoCost + rotated : io;
  const LruvecState current = state(lruvec);
  const uint64_t size = std::accumulate(current.pages.begin(), current.pages.end(), uint64_t{0});
  // What was long ago counts less.
  if (lruvec.anon_cost + lruvec.file_cost > size / 4) {
    lruvec.anon_cost /= 2;
    lruvec.file_cost /= 2;
  }
  if (lruvec.memcg != nullptr) {
    note_cost(lruvec.node->lruvec, file, io, rotated);
  }
}

}  // namespace fl::vm
