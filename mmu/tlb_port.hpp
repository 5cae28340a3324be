// What the kernel may ask of the processor's caches. Implemented by the CPU (emu/cpu); tests record the calls.
//
// The kernel runs only between two runs of the CPU, so an implementation may gather requests and act before the next
// run. Linux counterparts: flush_tlb_mm/range/page; on real i386 there is no counterpart to code_changed, because
// hardware watches stores to code that it has decoded.
#pragma once

#include "mmu/base/addr.hpp"

namespace fl::mmu {

class TlbPort {
 public:
  virtual ~TlbPort() = default;

  // Translations handed out so far may be wrong: forget them all. Must be asked for whenever an entry whose A bit was
  // set loses a right, changes its frame, or has its A or D bit cleared. Gaining rights needs no flush.
  virtual void flush() = 0;
  // The frame was freed or written by the kernel (not by guest stores): code translated from it is stale.
  virtual void code_changed(Pfn pfn) = 0;
};

}  // namespace fl::mmu
