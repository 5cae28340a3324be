// PluginSpec: what --plugin names: a file, and options for it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "emu/base/host_error.hpp"

namespace fl::emu {

struct PluginOption {
  std::string name, value;
  bool operator==(const PluginOption&) const = default;
};

struct PluginSpec {
  std::string path;  // with a slash, so that the dynamic linker searches no folders for it
  std::vector<PluginOption> options;
  bool operator==(const PluginSpec&) const = default;
};

// "PATH[,NAME=VALUE...]". A path cannot have a comma, nor a value.
HostResult<PluginSpec> parse_plugin_spec(std::string_view text);

}  // namespace fl::emu
