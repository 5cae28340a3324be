// wire: an OurRun as bytes, from the process in which the machine ran to the one that compares.
//
// The same program writes and reads them within a second, so the form is that of memory; only lengths are checked.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "emu/compare/our_run.hpp"

namespace fl::emu {

std::vector<std::byte> pack(const OurRun& run);
// Nothing if the bytes end too early or do not end where they should.
std::optional<OurRun> unpack(std::span<const std::byte> bytes);

}  // namespace fl::emu
