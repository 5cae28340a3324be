// run_suite: each entry of a suite against a stored record, or against real Linux now.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "emu/base/host_error.hpp"
#include "emu/compare/comparison.hpp"
#include "emu/compare/suite.hpp"

namespace fl::emu {

struct SuiteRequest {
  std::vector<SuiteEntry> entries;
  std::string programs;                        // folder with a folder for each flavour
  std::string against;                         // folder of stored records; empty: record now
  std::string record_to;                       // folder in which new records are stored; empty: they are not
  std::string scratch;                         // where the programs run
  const vm::KernelProfile* profile = nullptr;  // null: the one that fits each record
  unsigned runs = 5;
  uint64_t ram_bytes = 0;
  uint32_t timeout_seconds = 0;  // CompareRequest's
};

struct SuiteResult {
  enum class Outcome : uint8_t {
    kEqual,
    kDifferent,
    kUndecided,  // Verdict::kUndecided
    kSkipped,    // not compared: `text` says why
    kFailed,     // an error of the host or of ours
  };
  SuiteEntry entry;
  Outcome outcome = Outcome::kFailed;
  std::string text;  // the comparison's summary, or why there is none
  // Of a comparison:
  Pair faults;  // minor and major
  std::string profile, release, machine, cpu, date;
  std::string json;  // comparison_json_head
};
inline constexpr size_t kSuiteOutcomes = 5;
std::string_view outcome_name(SuiteResult::Outcome outcome);

// Hears of each entry before and after it.
struct SuiteProgress {
  std::function<void(size_t index, const SuiteEntry& entry)> begin;
  std::function<void(const SuiteResult& result)> end;
};

// An error if nothing can be compared at all (kExitNoReference where real Linux cannot be asked).
HostResult<std::vector<SuiteResult>> run_suite(const SuiteRequest& request, const SuiteProgress& progress);

// 0: all that were compared are equal; 1: one is different, or its comparison failed; 3: none could be decided.
int suite_status(const std::vector<SuiteResult>& results);
// A line for each kind of outcome; the Markdown table; one JSON object.
std::string suite_summary(const std::vector<SuiteResult>& results);
std::string suite_markdown(const std::vector<SuiteResult>& results, std::string_view source);
std::string suite_json(const std::vector<SuiteResult>& results, std::string_view source);

}  // namespace fl::emu
