// A call and its result as text, after the format letters of the system-call table.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <iterator>

#include "emu/strace/flags.hpp"
#include "emu/strace/strace.hpp"
#include "guest/process/peek.hpp"
#include "guest/signal/signal.hpp"
#include "guest/syscall/syscall.hpp"
#include "guest/task.hpp"

namespace fl::emu {
namespace {

// Longest string that is shown; a path is longer only by mistake.
constexpr size_t kMaxString = 256;
// Linux: MAX_ERRNO.
constexpr uint32_t kMaxErrno = 4095;

std::string quote(const guest::PeekedString& string) {
  std::string text = "\"";
  for (const char c : string.text) {
    const auto byte = static_cast<uint8_t>(c);
    switch (c) {
      case '"':
        text += "\\\"";
        break;
      case '\\':
        text += "\\\\";
        break;
      case '\n':
        text += "\\n";
        break;
      case '\t':
        text += "\\t";
        break;
      case '\r':
        text += "\\r";
        break;
      default:
        if (byte < 0x20 || byte >= 0x7f) {
          fmt::format_to(std::back_inserter(text), "\\x{:02x}", byte);
        } else {
          text += c;
        }
    }
  }
  return text + (string.complete ? "\"" : "\"...");
}

std::string pointer(uint32_t value) { return value == 0 ? "NULL" : fmt::format("{:#x}", value); }

std::string string_argument(const guest::Task& task, uint32_t address, bool& complete) {
  if (address == 0 || task.mm == nullptr) {
    return pointer(address);
  }
  const guest::PeekedString string = guest::peek_string(*task.mm, VirtAddr(address), kMaxString);
  complete = complete && (string.complete || string.text.size() == kMaxString);
  return string.text.empty() && !string.complete ? pointer(address) : quote(string);
}

std::string argument(const guest::Task& task, char letter, uint32_t value, bool& complete) {
  constexpr uint32_t kAtFdCwd = static_cast<uint32_t>(-100);
  switch (letter) {
    case 'd':
      return fmt::format("{}", static_cast<int32_t>(value));
    case 'f':
      return value == kAtFdCwd ? "AT_FDCWD" : fmt::format("{}", static_cast<int32_t>(value));
    case 'u':
      return fmt::format("{}", value);
    case 'p':
      return pointer(value);
    case 's':
      return string_argument(task, value, complete);
    case 'o':
      return value == 0 ? "0" : fmt::format("0{:o}", value);
    case 'O':
      return open_names(value);
    case 'P':
      return prot_names(value);
    case 'M':
      return map_names(value);
    case 'S': {
      const auto number = static_cast<int32_t>(value);
      return guest::valid_signal(number) ? std::string(guest::signal_name(number)) : fmt::format("{}", number);
    }
    default:
      return fmt::format("{:#x}", value);
  }
}

}  // namespace

FormattedCall format_call(const guest::Task& task, uint32_t number, const guest::SyscallArgs& args) {
  const guest::SyscallEntry& entry = guest::syscall_entry(number);
  FormattedCall call;
  std::string& text = call.text;
  text = entry.name.empty() ? fmt::format("syscall_{:#x}", number) : std::string(entry.name);
  text += '(';
  const std::string_view letters = entry.format.substr(0, entry.format.find(':'));
  for (size_t i = 0; i < letters.size() && i < args.a.size(); ++i) {
    text += i == 0 ? "" : ", ";
    text += argument(task, letters[i], args[i], call.complete);
  }
  text += ')';
  return call;
}

std::string format_result(uint32_t number, uint32_t result) {
  const auto value = static_cast<int32_t>(result);
  if (result >= static_cast<uint32_t>(-static_cast<int32_t>(kMaxErrno))) {
    const int error = -value;
    const std::string_view name = errno_name(static_cast<Errno>(error));
    return name == "E?" ? fmt::format("-1 errno {}", error) : fmt::format("-1 {} ({})", name, std::strerror(error));
  }
  const bool address = guest::syscall_entry(number).format.ends_with(":x");
  return address ? fmt::format("{:#x}", result) : fmt::format("{}", value);
}

}  // namespace fl::emu
