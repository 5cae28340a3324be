// Kswapd: a node's background reclaim. An allocation that finds no zone above its low watermark wakes it; it works in
// passes until one zone is above its high watermark. Linux counterparts: kswapd, wakeup_kswapd, balance_pgdat,
// pgdat_balanced (mm/vmscan.c).
//
// This is the thread's state and its next piece of work. When it has the processor decides who runs the machine
// (guest/task/kswapd_thread.hpp).
#pragma once

#include <cstdint>
#include <optional>

#include "vm/phys/node.hpp"
#include "vm/phys/zone_type.hpp"
#include "vm/reclaim/evict.hpp"

namespace fl::vm {

class MemorySystem;

class Kswapd {
 public:
  Kswapd(MemorySystem& memory, Node& node) : memory_(memory), node_(node) {}

  // True: it slept, and has something to do. Linux: wakeup_kswapd.
  bool wake(ZoneType highest);
  // Works until it sleeps: until it is woken (none), or until then, while pages are being written that it could take
  // afterwards. Linux: balance_pgdat.
  std::optional<uint64_t> run();

  // Some page of this node was reclaimed. Linux: shrink_node.
  void note_progress() { failures_ = 0; }
  // It found nothing so often that it is not woken any more, until somebody else finds something. Linux:
  // kswapd_failures.
  bool hopeless() const { return failures_ >= kMaxReclaimRetries; }

 private:
  bool balanced(ZoneType highest) const;
  void begin(ZoneType highest);
  void pass();
  void finish();

  MemorySystem& memory_;
  Node& node_;
  bool asleep_ = true;  // it waits to be woken
  int highest_ = -1;    // the highest zone that somebody has wanted since it began. Linux: kswapd_highest_zoneidx
  uint32_t failures_ = 0;
  // What it is at.
  ScanControl scan_;
  uint64_t scanned_ = 0, reclaimed_ = 0;
};

}  // namespace fl::vm
