// The swap areas of --swap and --swapfile: made or opened on the host, and swapped on when the machine boots, as an
// init would with /etc/fstab.
#pragma once

#include <span>
#include <vector>

#include "emu/base/host_error.hpp"
#include "emu/machine/machine_options.hpp"
#include "guest/fs/swap_device.hpp"

namespace fl::emu {

// Temporary areas are called /dev/swap0, /dev/swap1, ...; files by their canonical path on the host.
HostResult<std::vector<guest::SwapDevice>> add_swap_areas(vm::MemorySystem& memory, std::span<const SwapOptions> areas);

}  // namespace fl::emu
