// Comparison: a record and a run of ours side by side: what is equal, what is not.
//
// Everything that a report prints follows from it. compare() looks at nothing outside of its arguments.
#pragma once

#include <string>
#include <vector>

#include "emu/compare/align.hpp"
#include "emu/compare/fault_list.hpp"
#include "emu/compare/our_run.hpp"
#include "emu/compare/process_pairs.hpp"
#include "emu/record/native_record.hpp"
#include "vm/profile.hpp"

namespace fl::emu {

enum class Verdict : uint8_t {
  kEqual,
  kDifferent,
  // All that the reference could see is equal, and that is not enough for the level: kernel-mode faults are hidden from
  // an unprivileged recorder.
  kUndecided,
};

// What the caller knows besides the record itself.
struct ComparisonContext {
  const vm::KernelProfile* profile = nullptr;  // imitated
  Level level = Level::kOrder;
  std::string source;            // "recorded live" or the record's file
  std::string program;           // the file that was run here
  bool program_changed = false;  // it is not the one that was recorded
};

struct MappingCount {
  std::string label;  // "r-xp hello"
  Pair count;
};

struct Comparison {
  Comparison(NativeRecord taken, OurRun made, ComparisonContext told);

  ComparisonContext context;
  NativeRecord record;
  OurRun run;
  const vm::KernelProfile* reference_profile;  // of the kernel that the record was taken on
  AddressMap map;
  ReferenceView view;
  FaultList real, ours;
  Alignment alignment;

  Pair minor, major, exit_status;
  Pair user, kernel, gup;  // counted faults; kernel.real means nothing unless view.kernel
  std::vector<MappingCount> mappings;
  std::vector<ProcessPair> processes;  // one: nothing that the totals do not say
  bool same_output = false;

  Verdict verdict = Verdict::kDifferent;
  // "equal: ...", "different: ...": the first line of a report.
  std::string summary;

  const NativeFault& real_fault(const AlignedFault& aligned) const;
  const OurFault& our_fault(const AlignedFault& aligned) const;
  // The area here around an address of ours; null if no fault here was in one. The latest, if areas came and went.
  const OurArea* area_at(uint32_t addr) const;
  // The area of either side's fault.
  const OurArea* area_of(const AlignedFault& aligned) const;
};

// "6.18-compat" for a record of a 64-bit kernel, "6.1-i386" for one of a 32-bit kernel.
const vm::KernelProfile& fitting_profile(const NativeRecord& record);
// Was it taken on QEMU's TCG, which asks to read and then to write where a processor asks once (rule B1)?
bool made_by_tcg(const NativeRecord& record);

}  // namespace fl::emu
