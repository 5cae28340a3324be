// The options of `faultline record`, read into plain data.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "emu/cli/common_options.hpp"

namespace fl::emu {

struct RecordOptions {
  std::vector<std::string> command;  // PROGRAM, ARGS...
  EnvironmentOptions environment;
  uint32_t runs = 5;
  uint32_t timeout_seconds = 0;  // 0: none
  std::string stdin_path = "/dev/null";
  std::string root;         // empty: the host's
  std::string trace_path;   // empty: no trace
  std::string stats_path;   // empty: none
  std::string output_path;  // the record file; empty: none
};

}  // namespace fl::emu
