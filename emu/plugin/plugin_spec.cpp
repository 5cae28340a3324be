// Reading --plugin.
#include "emu/plugin/plugin_spec.hpp"

#include <algorithm>

namespace fl::emu {

HostResult<PluginSpec> parse_plugin_spec(std::string_view text) {
  PluginSpec spec;
  size_t comma = std::min(text.find(','), text.size());
  spec.path = text.substr(0, comma);
  if (spec.path.empty()) {
    return host_error("cannot load the plugin: '{}': give FILE[,NAME=VALUE...]", text);
  }
  if (spec.path.find('/') == std::string::npos) {
    spec.path.insert(0, "./");
  }
  while (comma < text.size()) {
    text = text.substr(comma + 1);
    comma = std::min(text.find(','), text.size());
    const std::string_view item = text.substr(0, comma);
    const size_t equals = item.find('=');
    if (equals == std::string_view::npos || equals == 0) {
      return host_error("cannot load the plugin: {}: its option '{}' is not NAME=VALUE", spec.path, item);
    }
    PluginOption option{std::string(item.substr(0, equals)), std::string(item.substr(equals + 1))};
    if (std::any_of(spec.options.begin(), spec.options.end(), [&](const auto& o) { return o.name == option.name; })) {
      return host_error("cannot load the plugin: {}: its option '{}' is given twice", spec.path, option.name);
    }
    spec.options.push_back(std::move(option));
  }
  return spec;
}

}  // namespace fl::emu
