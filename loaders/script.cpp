// Parses the `#!` line within the first 256 bytes. Linux counterpart: load_script and its helpers next_non_spacetab and
// next_terminator (fs/binfmt_script.c). As there, a NUL ends a string, and a newline behind a NUL is not seen.
#include "loaders/script.hpp"

#include <string_view>

namespace fl::loaders {
namespace {

constexpr std::string_view kBlanks = " \t";
constexpr std::string_view kTerminators{" \t\0", 3};

// The string that a C program finds at `begin`.
std::string c_string(std::string_view text) { return std::string(text.substr(0, text.find('\0'))); }

}  // namespace

Result<ScriptLine> parse_script(const ExecHeader& header) {
  const std::string_view buffer(reinterpret_cast<const char*>(header.data()), header.size());
  if (!buffer.starts_with("#!")) {
    return fail(Errno::kENOEXEC);
  }

  // The line ends at the newline; without one, the last byte of the buffer is given up. Then the path is known to be
  // whole only if something ends it. A cut argument is harmless: the interpreter can read the script itself.
  size_t end = buffer.substr(0, buffer.find('\0')).find('\n');
  if (end == std::string_view::npos) {
    const size_t path = buffer.find_first_not_of(kBlanks, 2);
    if (path == std::string_view::npos || buffer.find_first_of(kTerminators, path) == std::string_view::npos) {
      return fail(Errno::kENOEXEC);
    }
    end = buffer.size() - 1;
  }

  std::string_view line = buffer.substr(0, end);
  line = line.substr(0, line.find_last_not_of(kBlanks) + 1);
  const size_t path = line.find_first_not_of(kBlanks, 2);
  if (path == std::string_view::npos) {
    return fail(Errno::kENOEXEC);
  }
  ScriptLine result;
  const size_t separator = line.find_first_of(kTerminators, path);
  result.interpreter = line.substr(path, separator == std::string_view::npos ? separator : separator - path);
  if (separator != std::string_view::npos && line[separator] != '\0') {
    const size_t argument = line.find_first_not_of(kBlanks, separator);
    if (argument != std::string_view::npos) {
      result.argument = c_string(line.substr(argument));
    }
  }
  return result;
}

}  // namespace fl::loaders
