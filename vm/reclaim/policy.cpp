// What all policies share, and choosing one.
#include "vm/reclaim/policy.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "vm/memory_system.hpp"
#include "vm/reclaim/lru.hpp"
#include "vm/reclaim/page_reclaim.hpp"

namespace fl::vm {
namespace {

constexpr std::array<std::string_view, 3> kNames{"lru", "clock", "fifo"};
// Processor time that a page costs which is looked at and put back, traced on 6.18.
constexpr uint64_t kLookNs = 400;

void put_back(MemorySystem& memory, Pfn pfn, Verdict verdict) {
  Page& page = memory.page(pfn);
  if (page.has(PageFlag::kMlocked)) {
    page.set(PageFlag::kUnevictable);
  }
  switch (verdict) {
    case Verdict::kFreed:
      return;
    case Verdict::kActivate:
      page.set(PageFlag::kActive);
      memory.pages().events().add(VmEvent::kPgactivate, 1);
      return memory.lru().add(pfn);
    case Verdict::kKeep:
      return memory.lru().add(pfn);
    case Verdict::kWritten:
      if (page.has(PageFlag::kWriteback)) {
        return memory.lru().add(pfn);  // until it is written (Pageout)
      }
      memory.pages().events().add(VmEvent::kPgrotated, 1);
      return memory.lru().add_tail(pfn);
  }
}

// Who did it counts only when it was for the machine. Linux: !cgroup_reclaim(sc).
void count_by_kind(MemorySystem& memory, VmEvent kswapd, VmEvent direct, VmEvent anon, const ScanControl& scan,
                   bool file, uint32_t pages) {
  VmEvents& events = memory.pages().events();
  if (scan.memcg == nullptr) {
    events.add(scan.kswapd ? kswapd : direct, pages);
  }
  events.add(static_cast<VmEvent>(static_cast<uint32_t>(anon) + (file ? 1 : 0)), pages);
}

// What somebody else would rather do with the pages. Who is desperate asks nobody, so that reclaim cannot be made to
// fail.
using Choices = std::array<EvictionChoice, ScanControl::kSwapClusterMax>;
Choices choose(MemorySystem& memory, std::span<const Pfn> pages, const ScanControl& scan) {
  Choices choices{};
  if (MemoryChooser* const chooser = memory.chooser(); chooser != nullptr && scan.priority > 0 && !scan.by_advice)
      [[unlikely]] {
    FL_CHECK(pages.size() <= choices.size());
    chooser->evict(memory, pages, std::span(choices).first(pages.size()));
  }
  return choices;
}

Verdict evict_as_chosen(MemorySystem& memory, Pfn pfn, ScanControl& scan, EvictionChoice choice) {
  switch (choice) {
    case EvictionChoice::kKeep:
      return Verdict::kKeep;
    case EvictionChoice::kEvict: {
      const bool spared = std::exchange(scan.ignore_references, true);
      const Verdict verdict = evict_page(memory, pfn, scan);
      scan.ignore_references = spared;
      return verdict;
    }
    case EvictionChoice::kDefault:
      break;
  }
  return evict_page(memory, pfn, scan);
}

}  // namespace

Isolated isolate_pages(MemorySystem& memory, Lruvec& lruvec, LruList list, uint32_t count, ScanControl& scan) {
  memory.reclaim().pageout().end_writeback();
  Isolated taken;
  PageList& pages = lruvec.list(list);
  std::array<Pfn, ScanControl::kSwapClusterMax> skipped;
  uint32_t skips = 0;
  while (taken.count < count && skips < skipped.size() && !pages.empty()) {
    const Pfn pfn(pages.tail);
    memory.lru().remove(pfn);
    if (memory.page(pfn).zone() > index_of(scan.highest)) {
      const auto first = static_cast<uint32_t>(VmEvent::kPgskipDma);
      memory.pages().events().add(static_cast<VmEvent>(first + memory.page(pfn).zone()), 1);
      skipped[skips++] = pfn;
      continue;
    }
    taken.pages[taken.count++] = pfn;
  }
  for (uint32_t i = 0; i < skips; ++i) {
    memory.lru().add(skipped[i]);
  }
  memory.disk().spend(kLookNs * taken.count);
  scan.nr_scanned += taken.count;
  if (!is_active(list)) {
    count_by_kind(memory, VmEvent::kPgscanKswapd, VmEvent::kPgscanDirect, VmEvent::kPgscanAnon, scan, is_file(list),
                  taken.count);
  }
  return taken;
}

Evicted evict_pages(MemorySystem& memory, std::span<const Pfn> pages, ScanControl& scan) {
  Evicted done;
  const Choices choices = choose(memory, pages, scan);
  for (size_t i = 0; i < pages.size(); ++i) {
    const Pfn pfn = pages[i];
    const bool file = !memory.page(pfn).has(PageFlag::kSwapBacked);
    const Verdict verdict = evict_as_chosen(memory, pfn, scan, choices[i]);
    put_back(memory, pfn, verdict);
    done.written += verdict == Verdict::kWritten ? 1 : 0;
    if (verdict == Verdict::kFreed) {
      ++done.freed;
      count_by_kind(memory, VmEvent::kPgstealKswapd, VmEvent::kPgstealDirect, VmEvent::kPgstealAnon, scan, file, 1);
    }
  }
  scan.nr_reclaimed += done.freed;
  scan.nr_taken += pages.size();
  return done;
}

std::unique_ptr<EvictionPolicy> make_policy(std::string_view name) {
  return name == kNames[0]   ? make_two_list_policy()
         : name == kNames[1] ? make_clock_policy()
         : name == kNames[2] ? make_fifo_policy()
                             : nullptr;
}

std::span<const std::string_view> policy_names() { return kNames; }

}  // namespace fl::vm
