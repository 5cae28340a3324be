// What the kernel may ask of the processor's caches. Implemented by the CPU (emu/cpu); tests record the calls.
//
// The kernel runs only between two runs of the CPU, so an implementation may gather requests and act before the next
// run. Linux counterparts: flush_tlb_mm/range/page; on real i386 there is no counterpart to code_changed, because
// hardware watches stores to code that it has decoded.
#pragma once

#include <vector>

#include "mmu/base/addr.hpp"
#include "mmu/pte.hpp"

namespace fl::mmu {

// A translation that the processor may still use: of a page, by its entry as it was when it was handed out.
struct CachedTranslation {
  VirtAddr page;
  Pte entry;
};

class TlbPort {
 public:
  virtual ~TlbPort() = default;

  // Translations handed out so far may be wrong: forget them all. Must be asked for whenever an entry whose A bit was
  // set loses a right, changes its frame, or has its A or D bit cleared. Gaining rights needs no flush.
  virtual void flush() = 0;
  // The frame was freed or written by the kernel (not by guest stores): code translated from it is stale.
  virtual void code_changed(Pfn pfn) = 0;

  // For verification. The translations in use: handed out since the last flush, none if a flush is asked for. A port
  // that does not keep them (it costs time at each fill) has none to show.
  virtual std::vector<CachedTranslation> cached_translations() const { return {}; }
  // Whether code translated from the frame may run again as it is; not after code_changed.
  virtual bool has_code(Pfn /*pfn*/) const { return false; }
};

}  // namespace fl::mmu
