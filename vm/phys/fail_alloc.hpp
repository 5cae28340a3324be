// FailAlloc: makes allocations fail on purpose, pages and slab objects counted alike. Linux counterpart:
// fail_page_alloc, failslab (lib/fault-inject.c).
//
// Three modes: the n-th allocation from now, once; every n-th; each with a probability, from a generator of its own, so
// that a seed names a run. Off, or between failures, it costs one counter test.
#pragma once

#include <cstdint>
#include <string_view>

#include "mmu/base/result.hpp"

namespace fl::vm {

class FailAlloc {
 public:
  // The n-th allocation from now fails (1 = the next), once. 0 switches all failing off.
  void fail_nth(uint64_t n);
  // Every n-th from now fails. 0 switches off.
  void fail_every(uint64_t n);
  // Each fails with probability p, 0 to 1.
  void fail_with_probability(double p, uint64_t seed);
  void off() { fail_nth(0); }
  // "nth=N", "every=N" or "p=X". EINVAL for anything else.
  Status configure(std::string_view text, uint64_t seed);

  // Asked once by each allocation that may fail.
  bool should_fail() {
    if (countdown_ == 0 || --countdown_ != 0) [[likely]] {
      return false;
    }
    return fire();
  }
  bool armed() const { return countdown_ != 0; }
  // Allocations that asked while it was armed, and those made to fail.
  uint64_t asked() const { return asked_before_ + (armed_for_ - countdown_); }
  uint64_t failures() const { return failures_; }

 private:
  void arm(uint64_t allocations);
  bool fire();
  uint64_t allocations_until_failure();

  uint64_t countdown_ = 0;  // 0: off
  uint64_t every_ = 0;
  uint64_t threshold_ = 0;  // of 2^53; 0: no probability
  uint64_t random_ = 0;
  uint64_t failures_ = 0;
  uint64_t armed_for_ = 0;     // countdown_ when it was armed last
  uint64_t asked_before_ = 0;  // up to then
};

}  // namespace fl::vm
