// Runs the built faultline as the reference was run (6.18-compat, environment as given, stdout a pipe) and reads what
// it reports: the statistics as JSON and, on request, the trace.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/program/support/process.hpp"

namespace fl::test {

// One record of a .jsonl trace, with the fields that tests look at.
struct TraceRecord {
  std::string mode;    // user, kernel, gup
  std::string access;  // read, write, exec
  std::string cause;
  std::string vma_name;
  uint32_t addr = 0;
  uint32_t page = 0;
  uint32_t ip = 0;
  bool major = false;
  bool counted = false;
  struct Around {
    uint32_t from = 0, to = 0;  // first and last page
    int mapped = 0;
  };
  std::optional<Around> around;
};

struct FaultlineResult {
  RunResult run;  // of the faultline process; minflt and majflt in it are the host's
  bool have_stats = false;
  long minflt = 0, majflt = 0;  // of the guest
  std::map<std::string, long> by_mode, by_cause;
  struct Process {
    long pid = 0, minflt = 0, majflt = 0;
    std::optional<long> exit_status;  // none: it had not ended
    std::string comm;
  };
  std::vector<Process> processes;
  std::vector<TraceRecord> trace;
  std::map<std::string, long> events;  // of the trace: how many of each name
  std::string trace_text, stats_text;  // the files, byte for byte
};

struct FaultlineOptions {
  bool trace = false;
  bool writable_scratch = false;  // --rw for the scratch folder
  std::string kernel = "6.18-compat";
  std::vector<std::string> extra = {};  // more options of `faultline run`
};

// Whether the program is built. Tests that need it fail otherwise; this only makes the message short.
bool have_faultline();

// `spec` says what the guest is; its program path, arguments and environment become the guest's.
// Throws if faultline cannot be started or its files cannot be parsed.
FaultlineResult run_faultline(const RunSpec& spec, const FaultlineOptions& options = {});

}  // namespace fl::test
