// Bits of system-call arguments by name.
#pragma once

#include <cstdint>
#include <string>

namespace fl::emu {

// "PROT_READ|PROT_WRITE", "PROT_NONE"; bits without a name as one hexadecimal number.
std::string prot_names(uint32_t bits);
// "MAP_PRIVATE|MAP_ANONYMOUS"
std::string map_names(uint32_t bits);
// "O_RDONLY|O_CLOEXEC" (i386 values)
std::string open_names(uint32_t bits);

}  // namespace fl::emu
