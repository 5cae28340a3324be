// The `#!` line of a script: which interpreter runs it, with which argument.
//
// Linux counterpart: load_script (fs/binfmt_script.c); its rules for spaces, for a missing newline and for lines that
// are longer than the 256 bytes Linux reads are kept exactly.
#pragma once

#include <optional>
#include <string>

#include "loaders/file_reader.hpp"
#include "mmu/base/result.hpp"

namespace fl::loaders {

struct ScriptLine {
  // A path. Empty for a line such as "#!" without a newline: Linux then opens the empty path, which is EACCES.
  std::string interpreter;
  // All that follows the path, as one string; it may contain spaces, and it may be empty.
  std::optional<std::string> argument;
};

// The caller then executes `interpreter` with the arguments: interpreter, argument (if any), the script's path, and the
// script's own arguments from number 1 on.
// Errors: ENOEXEC if the header does not begin with "#!", names no interpreter, or its path may have been cut off.
Result<ScriptLine> parse_script(const ExecHeader& header);

}  // namespace fl::loaders
