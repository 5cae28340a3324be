// Reading numbers from the command line: sizes ("256M"), addresses ("0x8049000"), counts.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fl::emu {

// Decimal or 0x-hexadecimal; the whole text. Nothing for anything else or above 2^64-1.
std::optional<uint64_t> parse_number(std::string_view text);
// parse_number with an optional suffix K, M or G (either case, 1024-based, "iB" and "B" allowed after it). Bytes.
std::optional<uint64_t> parse_size(std::string_view text);
// "256M", "4K", "1000": the shortest exact form.
std::string format_size(uint64_t bytes);

}  // namespace fl::emu
