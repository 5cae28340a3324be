// --swap and --swapfile.
#pragma once

#include <string>
#include <vector>

#include "emu/base/host_error.hpp"
#include "emu/machine/machine_options.hpp"

namespace CLI {
class App;
}

namespace fl::emu {

class SwapParser {
 public:
  void declare(CLI::App& app);
  // The areas in the order in which they were given.
  HostResult<std::vector<SwapOptions>> interpret() const;

 private:
  struct Given {
    bool file;
    std::string text;
  };
  std::vector<Given> given_;
};

}  // namespace fl::emu
