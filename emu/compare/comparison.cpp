// Counting both sides, and the verdict.
#include "emu/compare/comparison.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <unordered_map>

namespace fl::emu {
namespace {

std::string label_of(const OurRun& run, const OurArea* area) {
  if (area == nullptr) {
    return "no mapping here";
  }
  const std::string& name = run.names[area->name];
  const std::string shown = name.empty() ? "[anon]" : std::filesystem::path(name).filename().string();
  return fmt::format("{} {}", std::string_view(area->perm.data(), area->perm.size()), shown);
}

uint64_t count_mode(const std::vector<OurFault>& faults, vm::FaultMode mode) {
  return static_cast<uint64_t>(
      std::count_if(faults.begin(), faults.end(), [mode](const OurFault& fault) { return fault.mode == mode; }));
}

uint64_t count_mode(const std::vector<NativeFault>& faults, vm::FaultMode mode) {
  return static_cast<uint64_t>(
      std::count_if(faults.begin(), faults.end(), [mode](const NativeFault& fault) { return fault.mode == mode; }));
}

std::vector<MappingCount> count_mappings(const Comparison& comparison) {
  std::unordered_map<const OurArea*, Pair> by_area;
  for (const AlignedFault& aligned : comparison.alignment.faults) {
    Pair& count = by_area[comparison.area_of(aligned)];
    count.real += aligned.real != kNoIndex ? 1 : 0;
    count.ours += aligned.ours != kNoIndex ? 1 : 0;
  }
  std::map<std::string, std::pair<uint32_t, Pair>> counts;  // by label; with the lowest address, for the order
  for (const auto& [area, count] : by_area) {
    const uint32_t at = area != nullptr ? area->start : kNoIndex;
    auto& [lowest, sum] = counts.try_emplace(label_of(comparison.run, area), at, Pair{}).first->second;
    lowest = std::min(lowest, at);
    sum.real += count.real;
    sum.ours += count.ours;
  }
  std::vector<std::pair<uint32_t, MappingCount>> sorted;
  sorted.reserve(counts.size());
  for (auto& [label, entry] : counts) {
    sorted.push_back({entry.first, {label, entry.second}});
  }
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<MappingCount> result;
  result.reserve(sorted.size());
  for (auto& [at, count] : sorted) {
    result.push_back(std::move(count));
  }
  return result;
}

// The parts of a sentence about what differs.
std::string list_differences(const Comparison& comparison) {
  std::vector<std::string> parts;
  const auto faults = [&](Relation relation, std::string_view what) {
    const uint64_t count = comparison.alignment.of(relation);
    if (count != 0 && differs(relation, comparison.context.level)) {
      parts.push_back(fmt::format("{} {}", count, what));
    }
  };
  faults(Relation::kMissing, "missing here");
  faults(Relation::kExtra, "extra here");
  faults(Relation::kKind, "of another kind");
  faults(Relation::kOrder, "in another order");
  faults(Relation::kOtherTask, "by another thread");
  const auto numbers = [&parts](const Pair& pair, std::string_view what) {
    if (!pair.equal()) {
      parts.push_back(fmt::format("{} {} here, {} on real Linux", pair.ours, what, pair.real));
    }
  };
  numbers(comparison.minor, "minor faults");
  numbers(comparison.major, "major faults");
  if (!comparison.view.gup) {
    numbers(comparison.gup, "faults of get_user_pages");
  }
  numbers(comparison.exit_status, "as exit status");
  if (comparison.processes.size() > 1) {
    const auto processes = [&](auto&& differ, std::string_view what) {
      const auto count = std::count_if(comparison.processes.begin(), comparison.processes.end(), differ);
      if (count != 0) {
        parts.push_back(fmt::format("{} {} {}", count, count == 1 ? "process" : "processes", what));
      }
    };
    processes([](const ProcessPair& pair) { return pair.ours == kNoIndex; }, "missing here");
    processes([](const ProcessPair& pair) { return pair.real == kNoIndex; }, "extra here");
    processes([](const ProcessPair& pair) { return pair.matched() && !pair.equal_totals(); }, "with other totals");
    processes([](const ProcessPair& pair) { return !pair.equal_status(); }, "with another exit status");
  }
  return fmt::format("{}", fmt::join(parts, "; "));
}

}  // namespace

const vm::KernelProfile& fitting_profile(const NativeRecord& record) {
  return record.kernel.machine == "x86_64" ? vm::KernelProfile::compat_6_18() : vm::KernelProfile::i386_6_1();
}

bool made_by_tcg(const NativeRecord& record) {
  // The hypervisor's leaf says "TCGTCGTCGTCG".
  constexpr uint32_t kHypervisorLeaf = 0x40000000, kTcgt = 0x54474354;
  const auto& leaves = record.cpu.cpuid;
  return std::any_of(leaves.begin(), leaves.end(),
                     [](const CpuidEntry& entry) { return entry.leaf == kHypervisorLeaf && entry.ebx == kTcgt; }) ||
         record.cpu.brand.find("QEMU") != std::string::npos;
}

const NativeFault& Comparison::real_fault(const AlignedFault& aligned) const {
  return record.faults[real.faults[aligned.real].source];
}

const OurFault& Comparison::our_fault(const AlignedFault& aligned) const {
  return run.faults[ours.faults[aligned.ours].source];
}

const OurArea* Comparison::area_at(uint32_t addr) const {
  const auto found = std::find_if(run.areas.rbegin(), run.areas.rend(),
                                  [addr](const OurArea& area) { return addr >= area.start && addr < area.end; });
  return found != run.areas.rend() ? &*found : nullptr;
}

const OurArea* Comparison::area_of(const AlignedFault& aligned) const {
  if (aligned.ours == kNoIndex) {
    return area_at(real.faults[aligned.real].addr);
  }
  const uint32_t area = our_fault(aligned).area;
  return area != kNoIndex ? &run.areas[area] : nullptr;
}

Comparison::Comparison(NativeRecord taken, OurRun made, ComparisonContext told)
    : context(std::move(told)),
      record(std::move(taken)),
      run(std::move(made)),
      reference_profile(&fitting_profile(record)),
      map(*reference_profile, *context.profile),
      view(view_of(record)),
      real(list_reference(record, view, map)),
      ours(list_ours(run, view)),
      alignment(align(real, ours)) {
  minor = {record.minflt, run.minflt};
  major = {record.majflt, run.majflt};
  exit_status = {static_cast<uint64_t>(record.exit_status), static_cast<uint64_t>(run.exit_status)};
  user = {count_mode(record.faults, vm::FaultMode::kUser), count_mode(run.faults, vm::FaultMode::kUser)};
  kernel = {count_mode(record.faults, vm::FaultMode::kKernel), count_mode(run.faults, vm::FaultMode::kKernel)};
  gup = {record.gup_faults, count_mode(run.faults, vm::FaultMode::kGup)};
  if (view.gup) {
    gup.real = count_mode(record.faults, vm::FaultMode::kGup);
  } else if (!view.kernel) {
    gup.real = gup.ours;  // not to be told from hidden kernel-mode faults; the totals decide
  }
  mappings = count_mappings(*this);
  processes = pair_processes(record, run, real, ours, alignment, context.level, view);
  same_output = record.output_bytes == run.output_bytes && record.output_hash == run.output_hash;

  const bool several = processes.size() > 1;
  const auto is_equal = [](const ProcessPair& pair) {
    return pair.matched() && pair.equal_totals() && pair.equal_status();
  };
  const bool equal = alignment.differences(context.level) == 0 && minor.equal() && major.equal() &&
                     exit_status.equal() && (gup.equal() || context.level == Level::kTotal) &&
                     (!several || std::all_of(processes.begin(), processes.end(), is_equal));
  if (!equal) {
    verdict = Verdict::kDifferent;
    summary = fmt::format("different: {}", list_differences(*this));
  } else if (context.level == Level::kTotal) {
    verdict = Verdict::kEqual;
    summary = fmt::format("equal: {} minor and {} major faults{}", minor.ours, major.ours,
                          several ? fmt::format(", and as many in each of {} processes", processes.size()) : "");
  } else if (!view.kernel) {
    verdict = Verdict::kUndecided;
    summary = fmt::format("user-mode faults equal: {}; kernel-mode faults: {} in all on both sides", user.ours,
                          minor.ours + major.ours - user.ours);
  } else {
    verdict = Verdict::kEqual;
    summary = fmt::format("equal: {} = {} faults{}, {}", minor.real + major.real, minor.ours + major.ours,
                          several ? fmt::format(" of {} processes", processes.size()) : "",
                          context.level == Level::kOrder ? "in the same order" : "on the same pages");
  }
}

}  // namespace fl::emu
