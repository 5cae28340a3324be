// The report for people: one line that decides, a table, and the differences.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iterator>

#include "emu/compare/code_book.hpp"
#include "emu/compare/hints.hpp"
#include "emu/compare/report.hpp"
#include "emu/trace/cursor.hpp"
#include "emu/trace/trace_format.hpp"

namespace fl::emu {
namespace {

using Out = std::back_insert_iterator<std::string>;

// Names come from the guest: nothing in them may reach a terminal raw.
std::string plain(std::string_view text) {
  std::string result(6 * text.size() + 1, '\0');
  Cursor cursor(result.data());
  put_plain_string(cursor, text);
  result.resize(static_cast<size_t>(cursor.end() - result.data()));
  return result;
}

void put_row(Out out, std::string_view label, const Pair& pair) {
  fmt::format_to(out, "{:<28}{:>12}{:>12}{}\n", label, pair.real, pair.ours, pair.equal() ? "" : "   <--");
}

void put_table(Out out, const Comparison& comparison) {
  fmt::format_to(out, "{:<28}{:>12}{:>12}\n", "", "real Linux", "faultline");
  put_row(out, "minor", comparison.minor);
  put_row(out, "major", comparison.major);
  fmt::format_to(out, "by mode\n");
  put_row(out, "  user", comparison.user);
  if (comparison.view.kernel) {
    put_row(out, "  kernel", comparison.kernel);
    put_row(out, "  gup", comparison.gup);
  } else {
    fmt::format_to(out, "{:<28}{:>12}{:>12}\n", "  kernel", "?", comparison.kernel.ours);
    fmt::format_to(out, "{:<28}{:>12}{:>12}\n", "  gup", "?", comparison.gup.ours);
  }
  fmt::format_to(out, "by mapping{}\n", comparison.view.gup ? "" : " (without gup)");
  for (const MappingCount& mapping : comparison.mappings) {
    put_row(out, "  " + plain(mapping.label), mapping.count);
  }
}

bool plain_process(const ProcessPair& pair) {
  return pair.matched() && pair.equal_totals() && pair.equal_status() && pair.differences == 0;
}

// Minor and major faults together. Of many processes those that differ.
void put_processes(Out out, const Comparison& comparison) {
  constexpr size_t kMost = 40;
  const auto& processes = comparison.processes;
  if (processes.size() < 2) {
    return;
  }
  const bool all_counted =
      std::all_of(processes.begin(), processes.end(), [](const ProcessPair& pair) { return pair.gup_counted; });
  fmt::format_to(out, "by process{}\n", all_counted ? "" : " (without gup)");
  size_t left_out = 0;
  for (size_t i = 0; i < processes.size(); ++i) {
    const ProcessPair& pair = processes[i];
    if (processes.size() > kMost && plain_process(pair)) {
      ++left_out;
      continue;
    }
    const std::string label =
        fmt::format("  {}{} {}", std::string(2 * std::min(pair.depth, 6u), ' '), i, plain(pair.comm));
    const Pair total{pair.minor.real + pair.major.real, pair.minor.ours + pair.major.ours};
    std::string text;
    put_row(std::back_inserter(text), label, total);
    text.pop_back();
    if (!pair.matched()) {
      text += pair.ours == kNoIndex ? "   missing here" : "   extra here";
    }
    if (!pair.equal_status()) {
      text += fmt::format("   exit status {} on real Linux, {} here", pair.exit_status->real, pair.exit_status->ours);
    }
    if (pair.matched() && pair.differences != 0) {
      text += fmt::format("   {} faults differ", pair.differences);
    }
    fmt::format_to(out, "{}\n", text);
  }
  if (left_out != 0) {
    fmt::format_to(out, "  and {} more, equal\n", left_out);
  }
}

void put_circumstances(Out out, const Comparison& comparison) {
  const NativeRecord& record = comparison.record;
  if (comparison.same_output) {
    fmt::format_to(out, "output      {} bytes, the same\n", record.output_bytes);
  } else {
    fmt::format_to(out, "output      differs: {} bytes on real Linux, {} here\n", record.output_bytes,
                   comparison.run.output_bytes);
  }
  if (comparison.exit_status.equal()) {
    fmt::format_to(out, "exit status {}, the same\n", record.exit_status);
  } else {
    fmt::format_to(out, "exit status {} on real Linux, {} here\n", record.exit_status, comparison.run.exit_status);
  }
  fmt::format_to(out, "real Linux  {} {}, {}; {} of {} runs agree, {} {}\n", plain(record.kernel.release),
                 plain(record.kernel.machine), plain(record.cpu.brand.empty() ? "unknown processor" : record.cpu.brand),
                 record.agreeing, record.runs, comparison.context.source, record.date);
  fmt::format_to(out, "faultline   profile {}", comparison.context.profile->name);
  if (!comparison.map.identity() && comparison.reference_profile == comparison.context.profile) {
    fmt::format_to(out, "; its stack, vDSO and mappings lie {:#x} bytes lower",
                   comparison.context.profile->address_shift);
  }
  fmt::format_to(out, "\n");
}

class Differences {
 public:
  Differences(const Comparison& comparison, std::string& text)
      : comparison_(comparison), code_(comparison), out_(std::back_inserter(text)) {}

  void put(Detail detail) {
    const auto& faults = comparison_.alignment.faults;
    const size_t most = detail == Detail::kAll ? faults.size() : kFirstDifferences;
    size_t shown = 0, all = 0;
    for (size_t i = 0; i < faults.size(); ++i) {
      if (!differs(faults[i].relation, comparison_.context.level)) {
        continue;
      }
      if (++all <= most) {
        put_difference(i);
        ++shown;
      }
    }
    if (shown < all) {
      fmt::format_to(out_, "\n... and {} more differences: --all shows them\n", all - shown);
    }
  }

 private:
  void put_difference(size_t index) {
    const AlignedFault& aligned = comparison_.alignment.faults[index];
    fmt::format_to(out_, "\n{}{}\n", title(aligned.relation), place(index));
    if (aligned.real != kNoIndex) {
      const ListedFault& real = comparison_.real.faults[aligned.real];
      fmt::format_to(out_, "  real      {}\n", fault_text(real, comparison_.map.to_real(real.page() << kPageShift)));
    }
    if (aligned.ours != kNoIndex) {
      const ListedFault& ours = comparison_.ours.faults[aligned.ours];
      fmt::format_to(out_, "  here      {}: {}\n", fault_text(ours, ours.page() << kPageShift),
                     vm::cause_name(comparison_.our_fault(aligned).cause));
    }
    put_code(aligned);
    put_area(aligned);
    if (const std::string hint = fault_hint(comparison_, aligned); !hint.empty()) {
      fmt::format_to(out_, "  hint      {}\n", hint);
    }
  }

  static std::string_view title(Relation relation) {
    switch (relation) {
      case Relation::kMissing:
        return "missing here";
      case Relation::kExtra:
        return "extra here";
      case Relation::kKind:
        return "another kind here";
      case Relation::kOtherTask:
        return "by another thread here";
      default:
        return "in another place here";
    }
  }

  // Where in the list: after the last fault that both sides have in the same place.
  std::string place(size_t index) const {
    const auto& faults = comparison_.alignment.faults;
    const AlignedFault& aligned = faults[index];
    std::string text;
    if (aligned.real != kNoIndex) {
      text += fmt::format(", fault {} of real Linux", aligned.real);
    }
    if (aligned.ours != kNoIndex) {
      text += fmt::format(", fault {} here", aligned.ours);
    }
    text += whose(aligned);
    for (size_t i = index; i-- > 0 && whose(faults[i]) == whose(aligned);) {
      if (faults[i].relation == Relation::kEqual) {
        const ListedFault& before = comparison_.ours.faults[faults[i].ours];
        return text + fmt::format(", after {} {:#010x}", access_text(before.access), before.page() << kPageShift);
      }
    }
    return text + ", before any equal one";
  }

  // ", process 3 (sort), task 1", as far as there are several.
  std::string whose(const AlignedFault& aligned) const {
    const ListedFault& fault =
        aligned.real != kNoIndex ? comparison_.real.faults[aligned.real] : comparison_.ours.faults[aligned.ours];
    const auto& pairs = comparison_.processes;
    const auto pair = std::find_if(pairs.begin(), pairs.end(), [&](const ProcessPair& one) {
      return (aligned.real != kNoIndex ? one.real : one.ours) == fault.process;
    });
    std::string text;
    if (pair == pairs.end()) {
      return text;
    }
    if (pairs.size() > 1) {
      text += fmt::format(", process {} ({})", pair - pairs.begin(), plain(pair->comm));
    }
    const bool threads = (pair->real != kNoIndex && comparison_.record.processes[pair->real].tasks.size() > 1) ||
                         (pair->ours != kNoIndex && comparison_.run.processes[pair->ours].tasks > 1);
    return threads ? text + fmt::format(", thread {}", fault.task) : text;
  }

  static std::string fault_text(const ListedFault& fault, uint32_t page) {
    return fmt::format("{:<6} {:<5} page {:#010x} {}", vm::mode_name(fault.mode), access_text(fault.access), page,
                       fault.major ? "major" : "minor");
  }

  void put_code(const AlignedFault& aligned) {
    CodeText code;
    uint32_t ip = 0;
    if (aligned.ours != kNoIndex) {
      ip = comparison_.our_fault(aligned).ip;
      code = code_.of(comparison_.our_fault(aligned));
    } else if (comparison_.real.faults[aligned.real].ip != 0) {
      ip = comparison_.real.faults[aligned.real].ip;
      code = code_.at(ip);
    }
    if (ip != 0) {
      fmt::format_to(out_, "  at        {:#010x}{}{}{}\n", ip, code.symbol.empty() ? "" : " ", plain(code.symbol),
                     code.instruction.empty() ? "" : " [" + plain(code.instruction) + "]");
    }
  }

  void put_area(const AlignedFault& aligned) {
    const OurArea* area = comparison_.area_of(aligned);
    if (area == nullptr) {
      fmt::format_to(out_, "  vma       none of the faults here\n");
      return;
    }
    const std::string& name = comparison_.run.names[area->name];
    fmt::format_to(out_, "  vma       {:#010x}-{:#010x} {} {}+{:#x}\n", area->start, area->end,
                   std::string_view(area->perm.data(), area->perm.size()), name.empty() ? "[anon]" : plain(name),
                   area->pgoff);
  }

  const Comparison& comparison_;
  CodeBook code_;
  Out out_;
};

}  // namespace

std::string access_text(uint8_t bits) {
  if (bits == access_bits::kAny) {
    return "?";
  }
  std::string text;
  for (const auto& [bit, name] : {std::pair{access_bits::kRead, "read"}, std::pair{access_bits::kWrite, "write"},
                                  std::pair{access_bits::kExec, "exec"}}) {
    if ((bits & bit) != 0) {
      text += text.empty() ? name : std::string("|") + name;
    }
  }
  return text;
}

std::string comparison_text(const Comparison& comparison, Detail detail) {
  std::string text = comparison.summary + "\n";
  const Out out = std::back_inserter(text);
  put_table(out, comparison);
  put_processes(out, comparison);
  put_circumstances(out, comparison);
  for (const std::string& hint : comparison_hints(comparison)) {
    fmt::format_to(out, "hint: {}\n", plain(hint));
  }
  Differences(comparison, text).put(detail);
  return text;
}

}  // namespace fl::emu
