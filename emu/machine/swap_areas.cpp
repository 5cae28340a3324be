// Making, opening, swapping on.
#include "emu/machine/swap_areas.hpp"

#include "emu/cli/size.hpp"
#include "guest/fs/host/host_swap.hpp"
#include "vm/swap/swap_space.hpp"

namespace fl::emu {
namespace {

tl::expected<guest::SwapDevice, std::string> open_area(const SwapOptions& area, size_t& temporary) {
  if (area.bytes == 0) {
    return guest::open_swap_file(area.path);
  }
  auto store = guest::make_swap_file(area.bytes);
  if (!store) {
    return tl::unexpected<std::string>(store.error());
  }
  return guest::SwapDevice{fmt::format("/dev/swap{}", temporary++), std::move(*store)};
}

}  // namespace

HostResult<std::vector<guest::SwapDevice>> add_swap_areas(vm::MemorySystem& memory,
                                                          std::span<const SwapOptions> areas) {
  std::vector<guest::SwapDevice> devices;
  size_t temporary = 0;
  for (const SwapOptions& area : areas) {
    const std::string what = area.bytes != 0 ? format_size(area.bytes) : area.path;
    auto device = open_area(area, temporary);
    if (!device) {
      return host_error("cannot swap to: {}: {}", what, device.error());
    }
    const auto type = memory.swap().swapon(device->store, device->name, area.prio);
    if (!type) {
      return host_error("cannot swap to: {}: {}", what,
                        type.error() == Errno::kENOMEM  ? "what is known of its pages does not fit: give more --ram"
                        : type.error() == Errno::kEBUSY ? "given twice"
                                                        : errno_name(type.error()));
    }
    devices.push_back(std::move(*device));
  }
  return devices;
}

}  // namespace fl::emu
