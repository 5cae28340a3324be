// Suite: a table of programs to compare, one line for each.
//
// Tab-separated: name, flavours, program, arguments, level, flags; `#` begins a comment. README.md describes the
// columns. A line with several flavours is several entries.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "emu/base/host_error.hpp"
#include "emu/compare/align.hpp"
#include "vm/profile.hpp"

namespace fl::emu {

struct SuiteEntry {
  std::string name;     // unique within the flavour; names the record's file
  std::string flavour;  // folder of the program
  std::string program;
  std::vector<std::string> args;  // with placeholders
  Level level = Level::kOrder;
  bool needs_ext4 = false;
  bool stored_only = false;  // not compared live
  bool writes_data = false;  // the scratch folder must be writable for it
  std::string only;          // profile's name; empty: each
  std::string label() const { return flavour + "/" + name; }
};

// An error names the line and what is wrong with it.
HostResult<std::vector<SuiteEntry>> parse_suite(std::string_view text, const std::string& path);
HostResult<std::vector<SuiteEntry>> read_suite(const std::string& path);

}  // namespace fl::emu
