// --page-cache, --readahead and --disk.
#pragma once

#include <string>

#include "emu/base/host_error.hpp"
#include "emu/machine/machine_options.hpp"

namespace CLI {
class App;
}

namespace fl::emu {

class DiskParser {
 public:
  void declare(CLI::App& app);
  HostStatus interpret(MachineOptions& machine) const;

 private:
  std::string page_cache_ = "warm";
  std::string readahead_ = "128";
  std::string disk_ = "ssd";
};

}  // namespace fl::emu
