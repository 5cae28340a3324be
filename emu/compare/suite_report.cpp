// What a suite says at its end.
#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "emu/compare/suite_run.hpp"

namespace fl::emu {
namespace {

using Outcome = SuiteResult::Outcome;

bool compared(const SuiteResult& result) {
  return result.outcome != Outcome::kSkipped && result.outcome != Outcome::kFailed;
}

size_t count(const std::vector<SuiteResult>& results, Outcome outcome) {
  return static_cast<size_t>(std::count_if(results.begin(), results.end(),
                                           [outcome](const SuiteResult& one) { return one.outcome == outcome; }));
}

// A cell of a Markdown table.
std::string cell(std::string_view text) {
  std::string result;
  for (const char c : text) {
    result += c == '|' ? "\\|" : c == '\n' ? " " : std::string(1, c);
  }
  return result;
}

std::string join_args(const SuiteEntry& entry) { return fmt::format("{}", fmt::join(entry.args, " ")); }

// "equal" is short; everything else says what it is.
std::string result_cell(const SuiteResult& result) {
  return result.outcome == Outcome::kEqual ? "equal"
                                           : cell(fmt::format("**{}**: {}", outcome_name(result.outcome), result.text));
}

}  // namespace

std::string_view outcome_name(Outcome outcome) {
  static constexpr std::array<std::string_view, kSuiteOutcomes> kNames{"equal", "different", "user-mode equal",
                                                                       "skipped", "failed"};
  return kNames[static_cast<size_t>(outcome)];
}

int suite_status(const std::vector<SuiteResult>& results) {
  constexpr int kEqual = 0, kDifferent = 1, kNoReference = 3;
  if (count(results, Outcome::kDifferent) + count(results, Outcome::kFailed) != 0) {
    return kDifferent;
  }
  return count(results, Outcome::kEqual) != 0 ? kEqual : kNoReference;
}

std::string suite_summary(const std::vector<SuiteResult>& results) {
  std::vector<std::string> parts;
  for (size_t i = 0; i < kSuiteOutcomes; ++i) {
    const auto outcome = static_cast<Outcome>(i);
    if (const size_t number = count(results, outcome); number != 0 || outcome == Outcome::kEqual) {
      parts.push_back(fmt::format("{} {}", number, outcome_name(outcome)));
    }
  }
  std::set<std::string> references;
  for (const SuiteResult& result : results) {
    if (compared(result)) {
      references.insert(fmt::format("{} {} ({})", result.release, result.machine, result.profile));
    }
  }
  return fmt::format("{}; real Linux: {}", fmt::join(parts, ", "),
                     references.empty() ? "none" : fmt::format("{}", fmt::join(references, ", ")));
}

std::string suite_markdown(const std::vector<SuiteResult>& results, std::string_view source) {
  // One section for each reference: a kernel, a processor, a profile.
  std::map<std::string, std::vector<const SuiteResult*>> sections;
  std::vector<const SuiteResult*> others;
  for (const SuiteResult& result : results) {
    if (compared(result)) {
      sections[fmt::format("{} {}, profile {}\n\nProcessor: {}; {}", result.release, result.machine, result.profile,
                           result.cpu.empty() ? "unknown" : result.cpu, source)]
          .push_back(&result);
    } else {
      others.push_back(&result);
    }
  }
  std::string text;
  const auto out = std::back_inserter(text);
  for (const auto& [title, members] : sections) {
    const auto equal = std::count_if(members.begin(), members.end(),
                                     [](const SuiteResult* one) { return one->outcome == Outcome::kEqual; });
    fmt::format_to(out, "## {}. {} of {} are equal.\n\n", title, equal, members.size());
    fmt::format_to(out, "| program | arguments | level | real Linux | faultline | result | recorded |\n");
    fmt::format_to(out, "|---|---|---|---:|---:|---|---|\n");
    for (const SuiteResult* one : members) {
      fmt::format_to(out, "| {} | {} | {} | {} | {} | {} | {} |\n", cell(one->entry.label()),
                     cell(join_args(one->entry)), level_name(one->entry.level), one->faults.real, one->faults.ours,
                     result_cell(*one), cell(one->date.substr(0, 10)));
    }
    text += '\n';
  }
  if (!others.empty()) {
    fmt::format_to(out, "## Not compared ({})\n\n| program | why |\n|---|---|\n", source);
    for (const SuiteResult* one : others) {
      fmt::format_to(out, "| {} | {} |\n", cell(one->entry.label()), result_cell(*one));
    }
    text += '\n';
  }
  return text;
}

std::string suite_json(const std::vector<SuiteResult>& results, std::string_view source) {
  nlohmann::ordered_json json;
  json["source"] = source;
  for (size_t i = 0; i < kSuiteOutcomes; ++i) {
    const auto outcome = static_cast<Outcome>(i);
    json["summary"][std::string(outcome_name(outcome))] = count(results, outcome);
  }
  json["entries"] = nlohmann::ordered_json::array();
  for (const SuiteResult& result : results) {
    nlohmann::ordered_json entry;
    entry["name"] = result.entry.name;
    entry["flavour"] = result.entry.flavour;
    entry["program"] = result.entry.program;
    entry["args"] = result.entry.args;
    entry["level"] = level_name(result.entry.level);
    entry["result"] = outcome_name(result.outcome);
    entry["text"] = result.text;
    entry["comparison"] = result.json.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json::parse(result.json);
    json["entries"].push_back(std::move(entry));
  }
  return json.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace fl::emu
