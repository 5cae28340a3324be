// PluginHost: the plugins of one machine, from loading them to its end. All that they know and decide hangs on it;
// nothing is global.
//
//   PluginHost::load    each is loaded, tells what it wants to hear of and which policies it has
//   Machine::create     with kernel_observer() and oom_chooser()
//   attach              what is wanted is connected, and nothing else; FAULTLINE_START
//   program_loaded      FAULTLINE_EXEC of the first program
//   finish              FAULTLINE_END; nothing is told or asked afterwards
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "emu/base/host_error.hpp"
#include "emu/plugin/event_hub.hpp"
#include "emu/plugin/plugin_chooser.hpp"
#include "emu/plugin/plugin_events.hpp"
#include "emu/plugin/plugin_spec.hpp"

namespace fl::emu {
class PluginHost;
}

// What a plugin is to us; to the plugin it is opaque.
struct faultline_plugin {
  fl::emu::PluginHost* host = nullptr;
  fl::emu::PluginSpec spec;
  void* library = nullptr;         // of dlopen
  std::vector<std::string> asked;  // options that it asked for
  std::string refusal;             // why it cannot be loaded, in its own words
};

namespace fl::emu {

class PluginHost {
 public:
  // Loads all, in their order. A plugin that is no plugin, has another version, crashes or refuses is an error.
  static HostResult<std::unique_ptr<PluginHost>> load(std::span<const PluginSpec> specs);
  PluginHost(const PluginHost&) = delete;
  PluginHost& operator=(const PluginHost&) = delete;
  // Unloads them. After the machine is gone, or after finish().
  ~PluginHost();

  // For the machine that is made. Null: nobody wants it.
  guest::KernelObserver* kernel_observer() { return events_.wants_kernel() ? &events_ : nullptr; }
  guest::OomChooser* oom_chooser() { return chooser_.decides_oom() ? &chooser_ : nullptr; }
  void attach(Machine& machine);
  void program_loaded();
  void finish();

  // For the functions that plugins call.
  EventHub& hub() { return hub_; }
  PluginChooser& chooser() { return chooser_; }
  bool loading() const { return loading_; }
  uint64_t now_ns() { return machine_ != nullptr ? events_.now_ns() : 0; }
  Machine* machine() { return machine_; }  // null: none yet, or none any more

 private:
  PluginHost() = default;
  HostStatus load_one(faultline_plugin& plugin);

  EventHub hub_;
  PluginEvents events_{hub_};
  PluginChooser chooser_;
  std::vector<std::unique_ptr<faultline_plugin>> plugins_;
  bool loading_ = false;
  Machine* machine_ = nullptr;
};

// The functions that every plugin is given.
const faultline_api& plugin_api();
// "fault_end"; null: no such kind.
const char* plugin_event_name(uint32_t kind);

}  // namespace fl::emu
