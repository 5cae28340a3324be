// Where things stand in good_elf() (malformed_elf.hpp): for the code that damages it and for tests that look at it. The
// ELF structures come from the host's elf.h, not from the code under test.
#pragma once

#include <elf.h>

#include <cstdint>

#include "tests/support/malformed_elf.hpp"

namespace fl::test {

// Offsets in the file.
inline constexpr uint32_t kProgramHeaderOffset = sizeof(Elf32_Ehdr);
inline constexpr uint32_t kTextOffset = 0x200;
inline constexpr uint32_t kDataOffset = 0x1000;
inline constexpr uint32_t kSymbolOffset = 0x1200;
inline constexpr uint32_t kStringOffset = 0x1280;
inline constexpr uint32_t kSectionOffset = 0x1300;

// The first segment begins with the ELF header, the second has the data and the bss.
inline constexpr uint32_t kTextAddress = 0x08048000;
inline constexpr uint32_t kDataAddress = 0x0804a000;
inline constexpr uint32_t kDataFileSize = 0x124;
inline constexpr uint32_t kDataMemorySize = 0x2924;

inline constexpr uint16_t kProgramHeaderCount = 4;  // text, data, PT_GNU_STACK, PT_NOTE
inline constexpr uint16_t kSectionCount = 5;        // none, text, data, symbols, names
inline constexpr uint16_t kSymbolCount = 4;         // none, _start, data_word, bss_begin

}  // namespace fl::test
