// Numbers in /proc/sys: how they are printed and read. Linux counterpart: kernel/sysctl.c (do_proc_dointvec).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "mmu/base/result.hpp"

namespace fl::guest {

// Takes one number off the front of `text`: decimal, octal after 0, hexadecimal after 0x. EINVAL. Linux: strtoul with
// base 0.
Result<uint64_t> take_number(std::string_view& text);

// "1\t2\t3\n".
std::string format_sysctl(std::span<const uint32_t> values);

// Reads as many numbers as `text` has, at most values.size(), and leaves the others alone. Decimal, octal after 0,
// hexadecimal after 0x, with white space between. EINVAL: something else stands there, nothing does, or a number is
// not in [least, most]; then no value has changed.
Status parse_sysctl(std::string_view text, std::span<uint32_t> values, uint32_t least, uint32_t most);

// One number of at most `most`, of a kernel's unsigned long. Linux: proc_doulongvec_minmax.
Result<uint64_t> parse_long_sysctl(std::string_view text, uint64_t most);

}  // namespace fl::guest
