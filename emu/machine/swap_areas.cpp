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

std::string describe(const SwapOptions& area) { return area.bytes != 0 ? format_size(area.bytes) : area.path; }

}  // namespace

HostResult<std::vector<guest::SwapDevice>> open_swap_areas(std::span<const SwapOptions> areas) {
  std::vector<guest::SwapDevice> devices;
  size_t temporary = 0;
  for (const SwapOptions& area : areas) {
    auto device = open_area(area, temporary);
    if (!device) {
      return host_error("cannot swap to: {}: {}", describe(area), device.error());
    }
    devices.push_back(std::move(*device));
  }
  return devices;
}

HostStatus swap_on(vm::MemorySystem& memory, std::span<const SwapOptions> areas,
                   std::span<const guest::SwapDevice> devices) {
  for (size_t i = 0; i < devices.size(); ++i) {
    if (const auto type = memory.swap().swapon(devices[i].store, devices[i].name, areas[i].prio); !type) {
      return host_error("cannot swap to: {}: {}", describe(areas[i]),
                        type.error() == Errno::kENOMEM ? "what is known of its pages does not fit: give more --ram"
                                                       : errno_name(type.error()));
    }
  }
  return {};
}

void swap_off_all(vm::MemorySystem& memory) {
  for (uint32_t type = 0; type < vm::kMaxSwapFiles; ++type) {
    if (memory.swap().area(type) != nullptr) {
      (void)memory.swap().swapoff(type);
    }
  }
}

}  // namespace fl::emu
