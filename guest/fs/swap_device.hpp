// SwapDevice: a swap area that the guest knows by a name although its own file tree may not have it, as the command
// line's. swapoff and swapon take the name.
#pragma once

#include <memory>
#include <string>

#include "vm/swap/swap_store.hpp"

namespace fl::guest {

struct SwapDevice {
  std::string name;  // absolute
  std::shared_ptr<vm::SwapStore> store;
};

}  // namespace fl::guest
