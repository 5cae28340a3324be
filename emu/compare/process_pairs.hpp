// ProcessPair: one process on both sides: what it counted and how it ended.
//
// The reference's count of a process is the whole truth only where the kernel's accounting told it (NativeProcess::
// gup_faults); else get_user_pages faults are left out on both sides.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "emu/compare/align.hpp"
#include "emu/compare/our_run.hpp"
#include "emu/compare/pair.hpp"
#include "emu/record/native_record.hpp"

namespace fl::emu {

struct ProcessPair {
  uint32_t real = kNoIndex, ours = kNoIndex;  // index in the lists; one of them may be missing
  uint32_t depth = 0;                         // 0: the program itself
  std::string comm;                           // the last one it had
  Pair minor, major;
  bool gup_counted = false;
  std::optional<Pair> exit_status;  // none: not known on one side
  uint64_t differences = 0;         // faults that differ at the level

  bool matched() const { return real != kNoIndex && ours != kNoIndex; }
  bool equal_totals() const { return minor.equal() && major.equal(); }
  bool equal_status() const { return !exit_status || exit_status->equal(); }
};

// In the order of the reference, then those that are only here. `real` and `ours` are the lists that were aligned.
std::vector<ProcessPair> pair_processes(const NativeRecord& record, const OurRun& run, const FaultList& real,
                                        const FaultList& ours, const Alignment& alignment, Level level,
                                        const ReferenceView& view);

}  // namespace fl::emu
