// Reading swap areas from the command line.
#include "emu/cli/swap_options.hpp"

#include <CLI/CLI.hpp>

#include "emu/cli/size.hpp"
#include "emu/machine/machine_limits.hpp"
#include "mmu/base/addr.hpp"
#include "vm/swap/swap_space.hpp"

namespace fl::emu {
namespace {

// Takes ",prio=N" off the end.
HostResult<std::optional<int>> take_priority(std::string& text) {
  constexpr std::string_view kKey = ",prio=";
  const size_t at = text.rfind(kKey);
  if (at == std::string::npos) {
    return std::nullopt;
  }
  const auto prio = parse_number(std::string_view(text).substr(at + kKey.size()));
  if (!prio || *prio > static_cast<uint64_t>(vm::SwapSpace::kMaxPriority)) {
    return host_error("cannot use the priority: {}: give 0 to {}", text, vm::SwapSpace::kMaxPriority);
  }
  text.resize(at);
  return static_cast<int>(*prio);
}

}  // namespace

void SwapParser::declare(CLI::App& app) {
  const auto add = [&](const char* name, const char* value, const char* help, bool file) {
    app.add_option_function<std::vector<std::string>>(
           name,
           [this, file](const std::vector<std::string>& texts) {
             given_.push_back({file, texts.back()});
           },
           help)
        ->option_text(value)
        ->allow_extra_args(false)
        ->trigger_on_parse();
  };
  add("--swap", "SIZE[,prio=N]",
      "Swap to a temporary file of SIZE (40K to 32G; repeatable); N:\n"
      "priority, 0 to 32767, of which the highest is used first",
      false);
  add("--swapfile", "FILE[,prio=N]",
      "Swap to FILE, which mkswap(8) has made and which is written\n"
      "(repeatable)",
      true);
}

HostResult<std::vector<SwapOptions>> SwapParser::interpret() const {
  std::vector<SwapOptions> areas;
  for (const Given& given : given_) {
    std::string text = given.text;
    SwapOptions area;
    FL_HOST_TRY_SET(area.prio, take_priority(text));
    if (given.file) {
      if (text.empty()) {
        return host_error("cannot swap to: {}: give a file", given.text);
      }
      area.path = text;
    } else {
      const auto bytes = parse_size(text);
      if (!bytes || *bytes < kMinSwapBytes || *bytes > kMaxSwapBytes) {
        return host_error("cannot use the swap size: {}: give {} to {}", text, format_size(kMinSwapBytes),
                          format_size(kMaxSwapBytes));
      }
      area.bytes = *bytes & ~uint64_t{kPageOffsetMask};
    }
    areas.push_back(std::move(area));
  }
  if (areas.size() > vm::kMaxSwapFiles) {
    return host_error("cannot use so many swap areas: {}: give at most {}", areas.size(), vm::kMaxSwapFiles);
  }
  return areas;
}

}  // namespace fl::emu
