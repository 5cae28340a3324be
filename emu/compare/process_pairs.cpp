// Who belongs to whom, and adding up. See process_pairs.hpp.
#include "emu/compare/process_pairs.hpp"

#include <algorithm>

namespace fl::emu {
namespace {

struct Totals {
  uint64_t minor = 0, major = 0;
};

// What a process here counted of what the reference could see of it.
Totals visible_totals(const OurRun& run, uint32_t process, const ReferenceView& view) {
  Totals totals;
  for (const OurFault& fault : run.faults) {
    if (fault.process == process && fault.mode != vm::FaultMode::kGup &&
        (view.kernel || fault.mode == vm::FaultMode::kUser)) {
      ++(fault.major ? totals.major : totals.minor);
    }
  }
  return totals;
}

template <typename Process>
uint32_t depth_of(const std::vector<Process>& processes, uint32_t index) {
  uint32_t depth = 0;
  for (int32_t parent = processes[index].parent; parent >= 0; parent = processes[static_cast<size_t>(parent)].parent) {
    ++depth;
  }
  return depth;
}

void add_ours(const OurRun& run, const ReferenceView& view, ProcessPair& pair) {
  const OurProcess& process = run.processes[pair.ours];
  Totals totals{process.minflt, process.majflt};
  if (!pair.gup_counted) {
    totals = visible_totals(run, pair.ours, view);
  }
  pair.minor.ours = totals.minor;
  pair.major.ours = totals.major;
}

}  // namespace

std::vector<ProcessPair> pair_processes(const NativeRecord& record, const OurRun& run, const FaultList& real,
                                        const FaultList& ours, const Alignment& alignment, Level level,
                                        const ReferenceView& view) {
  const std::vector<uint32_t> match = match_processes(real.processes, ours.processes);
  std::vector<ProcessPair> pairs;
  std::vector<uint32_t> place(ours.processes.size(), kNoIndex);  // in `pairs`
  for (uint32_t i = 0; i < record.processes.size(); ++i) {
    const NativeProcess& process = record.processes[i];
    ProcessPair pair;
    pair.real = i;
    pair.ours = match[i];
    pair.depth = depth_of(record.processes, i);
    pair.comm = process.comm;
    pair.gup_counted = process.gup_faults.has_value();
    pair.minor.real = process.minflt;
    pair.major.real = process.majflt;
    if (pair.ours != kNoIndex) {
      place[pair.ours] = i;
      add_ours(run, view, pair);
      const int32_t status = run.processes[pair.ours].exit_status;
      if (process.exit_status >= 0 && status >= 0) {
        pair.exit_status = Pair{static_cast<uint64_t>(process.exit_status), static_cast<uint64_t>(status)};
      }
    }
    pairs.push_back(std::move(pair));
  }
  for (uint32_t i = 0; i < run.processes.size(); ++i) {
    if (place[i] == kNoIndex) {
      place[i] = static_cast<uint32_t>(pairs.size());
      ProcessPair pair;
      pair.ours = i;
      pair.depth = depth_of(run.processes, i);
      pair.comm = run.names[run.processes[i].comm];
      pair.gup_counted = true;
      add_ours(run, view, pair);
      pairs.push_back(std::move(pair));
    }
  }
  for (const AlignedFault& aligned : alignment.faults) {
    if (differs(aligned.relation, level)) {
      const uint32_t at =
          aligned.real != kNoIndex ? real.faults[aligned.real].process : place[ours.faults[aligned.ours].process];
      ++pairs[at].differences;
    }
  }
  return pairs;
}

}  // namespace fl::emu
