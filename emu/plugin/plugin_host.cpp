// Connecting plugins with a machine.
#include "emu/plugin/plugin_host.hpp"

#include <dlfcn.h>

#include "guest/task.hpp"

namespace fl::emu {

PluginHost::~PluginHost() {
  for (const auto& plugin : plugins_) {
    if (plugin->library != nullptr) {
      dlclose(plugin->library);
    }
  }
}

void PluginHost::attach(Machine& machine) {
  machine_ = &machine;
  events_.set_machine(&machine);
  machine.memory().set_probe(&events_, events_.memory_points());
  if (chooser_.decides_memory()) {
    machine.memory().set_chooser(&chooser_);
  }
  if (events_.cpu_points() != 0) {
    machine.cpu().set_probe(&events_, events_.cpu_points());
  }
  if (events_.wants_rest()) {
    machine.attach(static_cast<RestListener&>(events_));
  }
  events_.tell_plain(FAULTLINE_START);
}

void PluginHost::program_loaded() {
  if (const guest::Task* const task = machine_->current_task(); task != nullptr) {
    events_.on_exec(*task);
  }
}

void PluginHost::finish() {
  if (machine_ == nullptr) {
    return;
  }
  events_.tell_plain(FAULTLINE_END);
  machine_->memory().set_probe(nullptr, 0);
  machine_->memory().set_chooser(nullptr);
  if (events_.cpu_points() != 0) {
    machine_->cpu().set_probe(nullptr, 0);
  }
  machine_ = nullptr;
}

}  // namespace fl::emu
