// The known reasons, each with its test.
#include "emu/compare/hints.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "mmu/base/addr.hpp"

namespace fl::emu {
namespace {

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

// "6.18.44-x" -> 6018; 0 if it does not begin so.
unsigned version_number(std::string_view release) {
  unsigned major = 0, minor = 0;
  const char* end = release.data() + release.size();
  const auto [dot, error] = std::from_chars(release.data(), end, major);
  if (error != std::errc{} || dot == end || *dot != '.' || std::from_chars(dot + 1, end, minor).ec != std::errc{}) {
    return 0;
  }
  return major * 1000 + minor;
}

bool newer_kernel(const Comparison& comparison) {
  return version_number(comparison.record.kernel.release) > version_number(comparison.reference_profile->release);
}

// Without ASLR the argument strings end on the page below STACK_TOP, and every program touches it or the next.
bool aslr_was_on(const Comparison& comparison) {
  const uint32_t top = comparison.context.profile->stack_top.value();
  constexpr uint32_t kStackWindow = 40u << kPageShift;
  const auto& faults = comparison.real.faults;
  const bool any_high = std::any_of(faults.begin(), faults.end(), [top](const ListedFault& fault) {
    return fault.addr >= top - (64u << 20) && fault.addr < top - kStackWindow;
  });
  const bool any_stack = std::any_of(faults.begin(), faults.end(), [top](const ListedFault& fault) {
    return fault.addr >= top - kStackWindow && fault.addr < top;
  });
  return any_high && !any_stack;
}

bool anonymous(const Comparison& comparison, const OurArea* area) {
  const std::string_view name = area != nullptr ? std::string_view(comparison.run.names[area->name]) : "-";
  return name.empty() || name == "[heap]" || name == "[stack]";
}

bool heap(const Comparison& comparison, const OurArea* area) {
  return area != nullptr && comparison.run.names[area->name] == "[heap]";
}

bool special(const Comparison& comparison, const OurArea* area) {
  return area != nullptr &&
         (comparison.run.names[area->name] == "[vdso]" || contains(comparison.run.names[area->name], "[vvar"));
}

uint64_t extra_anonymous(const Comparison& comparison) {
  const auto& faults = comparison.alignment.faults;
  return static_cast<uint64_t>(std::count_if(faults.begin(), faults.end(), [&](const AlignedFault& aligned) {
    return aligned.relation == Relation::kExtra && anonymous(comparison, comparison.area_of(aligned));
  }));
}

// Missing and extra faults on the heap at once: allocations of another size, as of a buffer of st_blksize bytes.
bool heap_moved(const Comparison& comparison) {
  if (!std::all_of(comparison.processes.begin(), comparison.processes.end(),
                   [](const ProcessPair& pair) { return pair.matched(); })) {
    return false;
  }
  const auto any = [&](Relation relation) {
    const auto& faults = comparison.alignment.faults;
    return std::any_of(faults.begin(), faults.end(), [&](const AlignedFault& aligned) {
      return aligned.relation == relation && heap(comparison, comparison.area_of(aligned));
    });
  };
  return any(Relation::kMissing) && any(Relation::kExtra);
}

}  // namespace

std::vector<std::string> comparison_hints(const Comparison& comparison) {
  const NativeRecord& record = comparison.record;
  std::vector<std::string> hints;
  if (comparison.context.program_changed) {
    hints.push_back(
        fmt::format("the program's file has changed since the record was made ({} bytes then)", record.program_bytes));
  }
  if (!comparison.view.kernel) {
    hints.push_back(
        "the recorder could not see kernel-mode faults: record as root, or set kernel.perf_event_paranoid to 1 or "
        "less");
  }
  if (comparison.verdict == Verdict::kEqual) {
    return hints;
  }
  if (comparison.alignment.coarse) {
    hints.push_back("the lists differ so much that the pairing below is rough");
  }
  if (!comparison.same_output) {
    hints.push_back(fmt::format("the program's output differs ({} bytes here, {} on real Linux): it took another way",
                                comparison.run.output_bytes, record.output_bytes));
  }
  if (!comparison.run.unimplemented.empty()) {
    hints.push_back(fmt::format("system calls that are not implemented here: {}", comparison.run.unimplemented));
  }
  if (record.agreeing < record.runs) {
    hints.push_back(fmt::format("only {} of {} native runs gave this list: host noise, compare again with more --runs",
                                record.agreeing, record.runs));
  }
  if (aslr_was_on(comparison)) {
    hints.push_back("ASLR was on when the record was made: its addresses and counts are accidental");
  }
  if (record.kernel.thp == "always" && extra_anonymous(comparison) != 0) {
    hints.push_back(
        "transparent huge pages are set to always on the reference: one fault maps 2 or 4 MiB of anonymous memory; "
        "set them to madvise");
  }
  if (newer_kernel(comparison)) {
    hints.push_back(fmt::format("the reference's kernel, {}, is newer than profile {}", record.kernel.release,
                                comparison.reference_profile->name));
  }
  if (comparison.reference_profile != comparison.context.profile) {
    hints.push_back(fmt::format("the record is of a kernel like {}, imitated is {}", comparison.reference_profile->name,
                                comparison.context.profile->name));
  }
  if (heap_moved(comparison)) {
    hints.push_back(
        "faults on the heap moved: allocations of other sizes; libc's buffer for standard output is st_blksize bytes, "
        "which depends on what standard output is");
  }
  return hints;
}

std::string fault_hint(const Comparison& comparison, const AlignedFault& aligned) {
  const OurArea* area = comparison.area_of(aligned);
  const bool file = area != nullptr && !anonymous(comparison, area) && !special(comparison, area);
  if (aligned.relation == Relation::kKind && comparison.real_fault(aligned).major &&
      !comparison.our_fault(aligned).major) {
    return "major on real Linux: the page was not cached, or somebody had locked it (host noise): compare again";
  }
  const bool extra = aligned.relation == Relation::kExtra, missing = aligned.relation == Relation::kMissing;
  if (extra && file && comparison.our_fault(aligned).cause == vm::FaultCause::kFileRead &&
      version_number(comparison.record.kernel.release) >= 6018) {
    return "real Linux had mapped this page with an earlier fault: since 6.18 a large folio of the page cache is "
           "mapped "
           "as a whole; copy the file in writes of 4096 bytes";
  }
  if (missing && made_by_tcg(comparison.record) && comparison.real_fault(aligned).access != mmu::Access::kWrite) {
    return "the reference ran on QEMU's TCG, which reads before it writes what one instruction reads and writes";
  }
  if (missing && comparison.real_fault(aligned).major) {
    return "major on real Linux: a retry while the page was read (host noise): compare again";
  }
  if (missing && special(comparison, area)) {
    return "the vDSO's functions stand on other pages in other builds of the kernel";
  }
  return {};
}

}  // namespace fl::emu
