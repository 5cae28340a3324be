// A task in words: for the log when a signal kills it, for failed checks and for the deadlock report.
// Linux counterparts: show_regs, /proc/PID/maps.
#pragma once

#include <string>

#include "guest/task.hpp"
#include "vm/mm/address_space.hpp"

namespace fl::guest {

// Registers, the last fault and the bytes at eip (where they are present), a few lines.
std::string describe_registers(const Task& task);
// One line an area: addresses, rights, page offset, name.
std::string describe_areas(const vm::AddressSpace& mm);

}  // namespace fl::guest
