// Pageout: what reclaim writes to swap, from the pass that asks for it until the disk is done. Linux counterparts:
// pageout, the plug of shrink_lruvec (mm/vmscan.c, block/blk-core.c), PG_writeback and PG_reclaim, folio_end_writeback,
// folio_rotate_reclaimable (mm/filemap.c, mm/swap.c).
//
// The bytes are in the slot at once, for the host took them; that the disk is not done is said by kWriteback alone, and
// for how long by RequestQueue. Meanwhile the page is in the swap cache, and whoever faults finds it there. When it is
// done the page moves to the back of the inactive list, where the next pass takes it, unless it was used (kReclaim is
// gone). So a pass writes more than is wanted back, the slower the disk the more of it.
//
// While a task has a plug its requests wait, so that neighbours become one: a pass of reclaim has one, and so has a
// readahead from swap, which keeps it through all the reclaim that its pages need. That can take nearly all pages of
// the list, for nothing is done before anybody has to wait.
//
// With a disk that takes no time no page is ever under writeback: it goes to the back of the list as it is written.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "mmu/base/addr.hpp"
#include "mmu/base/result.hpp"
#include "vm/swap/swap_entry.hpp"

namespace fl::vm {

class MemorySystem;

class Pageout {
 public:
  explicit Pageout(MemorySystem& memory) : memory_(memory) {}

  // As long as it lives, what is asked of the disk waits. One within another does nothing. Linux: struct blk_plug.
  class Plug {
   public:
    explicit Plug(Pageout& pageout) : pageout_(pageout) { ++pageout_.plugs_; }
    Plug(const Plug&) = delete;
    Plug& operator=(const Plug&) = delete;
    ~Plug() {
      if (--pageout_.plugs_ == 0) {
        pageout_.flush_plug();
      }
    }

   private:
    Pageout& pageout_;
  };

  // Writes a page of the swap cache to its slot. EIO.
  Status write(Pfn pfn);
  // Somebody with a plug reads from swap.
  void note_read() { read_is_first_ |= plugs_ != 0 && plug_.empty(); }

  // Whatever the disk is done with by now is under writeback no longer. Linux: folio_end_writeback.
  void end_writeback() {
    if (!writes_.empty()) [[unlikely]] {
      end_due_writes();
    }
  }
  // Something is being written.
  bool busy() const { return !plug_.empty() || !writes_.empty(); }
  // Lets time go by until the page is written. Linux: folio_wait_writeback.
  void wait_on_writeback(Pfn pfn);
  // Until all are.
  void wait_on_all();
  // So long a reclaimer waits for writeback at most. Linux: HZ / 10.
  static constexpr uint64_t kThrottleNs = 100'000'000;
  // Lets time go by until one page more is written, or so long. Linux: reclaim_throttle.
  void throttle();
  // When so many pages more are written, or so long is over: for who sleeps by himself.
  uint64_t throttle_end(uint64_t pages);

 private:
  // Pages of neighbouring slots, written together.
  struct Request {
    SwapEntry first;
    std::vector<Pfn> pages;
    uint64_t done = 0;
  };
  void flush_plug();
  void end_due_writes();
  void sleep_until(uint64_t done);
  void end_page_writeback(Pfn pfn, SwapEntry entry);

  MemorySystem& memory_;
  uint32_t plugs_ = 0;
  bool read_is_first_ = false;  // a read waits in the plug, and came before all writes
  std::vector<Request> plug_;
  std::deque<Request> writes_;  // in the order in which they are done
};

}  // namespace fl::vm
