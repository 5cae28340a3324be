// The options of `faultline compare`, read into plain data.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "emu/cli/common_options.hpp"
#include "emu/compare/compare_program.hpp"
#include "emu/compare/report.hpp"

namespace fl::emu {

// --suite and what belongs to it.
struct SuiteOptions {
  std::string path;         // empty: one program, no suite
  std::string programs;     // --programs
  std::string against_dir;  // --against-dir; empty: record now
  std::string record_dir;   // --record-dir
  std::string markdown;     // --markdown
  std::string scratch;      // --scratch
  std::string filter;       // --filter: part of flavour/name
};

struct CompareOptions {
  CompareRequest request;  // without the environment; no command: the record's
  EnvironmentOptions environment;
  std::string root;  // --root; empty: the host's
  std::string json_path;
  Detail detail = Detail::kFirst;
  SuiteOptions suite;
};

}  // namespace fl::emu
