// The swap areas of --swap and --swapfile: made or opened on the host, and swapped on when the machine has booted, as
// an init would with /etc/fstab.
#pragma once

#include <span>
#include <vector>

#include "emu/base/host_error.hpp"
#include "emu/machine/machine_options.hpp"
#include "guest/fs/swap_device.hpp"

namespace fl::emu {

// Temporary areas are called /dev/swap0, /dev/swap1, ...; files by their canonical path on the host.
HostResult<std::vector<guest::SwapDevice>> open_swap_areas(std::span<const SwapOptions> areas);
// `devices` are those that open_swap_areas made of `areas`.
HostStatus swap_on(vm::MemorySystem& memory, std::span<const SwapOptions> areas,
                   std::span<const guest::SwapDevice> devices);
// No area is left, but one that somebody still uses.
void swap_off_all(vm::MemorySystem& memory);

}  // namespace fl::emu
