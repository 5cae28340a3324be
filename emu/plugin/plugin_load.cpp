// Loading a plugin: its file, its version, its own function; each with a line of error of its own.
#include <dlfcn.h>
#include <signal.h>

#include <algorithm>
#include <cstring>
#include <exception>

#include "emu/plugin/load_guard.hpp"
#include "emu/plugin/plugin_host.hpp"

namespace fl::emu {
namespace {

using LoadFunction = int (*)(const faultline_api*, faultline_plugin*);

// One line of somebody else's text.
std::string one_line(std::string_view text) {
  std::string line(text);
  std::replace_if(
      line.begin(), line.end(), [](unsigned char c) { return c < ' '; }, ' ');
  return line;
}

// What the dynamic linker says, without the path that stands in our message already.
std::string linker_error(const std::string& path) {
  const char* const error = dlerror();
  std::string text = one_line(error != nullptr ? error : "unknown error");
  if (text.starts_with(path + ": ")) {
    text.erase(0, path.size() + 2);
  }
  return text;
}

// The work that may crash: what both sides know of it.
struct Opening {
  const char* path;
  void* library = nullptr;
};
struct Calling {
  LoadFunction load;
  faultline_plugin* plugin;
  int answer = 0;
  bool thrown = false;
};

void open_library(void* argument) {
  auto& opening = *static_cast<Opening*>(argument);
  opening.library = dlopen(opening.path, RTLD_NOW | RTLD_LOCAL);
}

void call_load(void* argument) {
  auto& calling = *static_cast<Calling*>(argument);
  try {
    calling.answer = calling.load(&plugin_api(), calling.plugin);
  } catch (...) {
    calling.thrown = true;
  }
}

tl::unexpected<HostError> crashed(const std::string& path, int signal) {
  const char* const name = sigabbrev_np(signal);
  return host_error("cannot load the plugin: {}: it crashed while it was loaded (SIG{})", path,
                    name != nullptr ? name : "???");
}

}  // namespace

HostStatus PluginHost::load_one(faultline_plugin& plugin) {
  const std::string& path = plugin.spec.path;
  Opening opening{.path = path.c_str()};
  if (const int signal = run_guarded(&open_library, &opening); signal != 0) {
    return crashed(path, signal);
  }
  if (opening.library == nullptr) {
    return host_error("cannot load the plugin: {}: {}", path, linker_error(path));
  }
  plugin.library = opening.library;
  const auto* const version = static_cast<const uint32_t*>(dlsym(plugin.library, "faultline_plugin_api_version"));
  const auto load = reinterpret_cast<LoadFunction>(dlsym(plugin.library, "faultline_plugin_load"));
  if (version == nullptr || load == nullptr) {
    return host_error("cannot load the plugin: {}: it is no plugin: it does not define {}", path,
                      version == nullptr ? "faultline_plugin_api_version" : "faultline_plugin_load");
  }
  if (*version >> 16 != FAULTLINE_API_MAJOR || (*version & 0xffff) > FAULTLINE_API_MINOR) {
    return host_error(
        "cannot load the plugin: {}: it is for version {}.{} of the plugin interface: this faultline has {}.{}", path,
        *version >> 16, *version & 0xffff, FAULTLINE_API_MAJOR, FAULTLINE_API_MINOR);
  }
  Calling calling{.load = load, .plugin = &plugin};
  if (const int signal = run_guarded(&call_load, &calling); signal != 0) {
    return crashed(path, signal);
  }
  if (calling.thrown) {
    return host_error("cannot load the plugin: {}: it ended with an exception while it was loaded", path);
  }
  if (!plugin.refusal.empty()) {
    return host_error("cannot load the plugin: {}: {}", path, one_line(plugin.refusal));
  }
  if (calling.answer != 0) {
    return host_error("cannot load the plugin: {}: it refused with status {}", path, calling.answer);
  }
  for (const PluginOption& option : plugin.spec.options) {
    if (std::find(plugin.asked.begin(), plugin.asked.end(), option.name) == plugin.asked.end()) {
      return host_error("cannot load the plugin: {}: it has no option '{}'", path, option.name);
    }
  }
  return {};
}

HostResult<std::unique_ptr<PluginHost>> PluginHost::load(std::span<const PluginSpec> specs) {
  std::unique_ptr<PluginHost> host(new PluginHost);
  host->loading_ = true;
  for (const PluginSpec& spec : specs) {
    auto plugin = std::make_unique<faultline_plugin>();
    plugin->host = host.get();
    plugin->spec = spec;
    host->plugins_.push_back(std::move(plugin));
    FL_HOST_TRY(host->load_one(*host->plugins_.back()));
  }
  host->loading_ = false;
  return host;
}

}  // namespace fl::emu
