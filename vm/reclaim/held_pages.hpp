// HeldPages: what a task's instruction has faulted in, held while the task waits for the disk and others run, so that
// it finds its pages when it is tried again. Linux counterpart: the reference to the folio that who waits for it has.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "vm/phys/page_pin.hpp"
#include "vm/reclaim/faulted_pages.hpp"

namespace fl::vm {

class MemorySystem;

class HeldPages {
 public:
  bool empty() const { return count_ == 0; }
  // Takes hold, beside what it has, of what has been faulted in, as far as it is mapped still.
  void hold(MemorySystem& memory);
  // Lets them go; reclaim goes on to spare them, as FaultedPages.
  void release_to(FaultedPages& faulted);
  void clear();

 private:
  std::array<std::optional<PagePin>, FaultedPages::kMost> pins_;
  uint32_t count_ = 0;
};

}  // namespace fl::vm
