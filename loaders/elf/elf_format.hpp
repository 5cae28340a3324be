// ELF32 as it stands in a file, little-endian, and the numbers in it that the loaders use.
//
// Linux counterpart: include/uapi/linux/elf.h (Elf32_Ehdr, Elf32_Phdr, Elf32_Shdr, Elf32_Sym). Our own definitions, so
// that no host header decides what a guest's file means. A big-endian host would need conversions in elf_bytes.hpp.
#pragma once

#include <array>
#include <cstdint>

namespace fl::loaders {

struct ElfHeader {
  std::array<uint8_t, 16> e_ident;
  uint16_t e_type;
  uint16_t e_machine;
  uint32_t e_version;
  uint32_t e_entry;
  uint32_t e_phoff;
  uint32_t e_shoff;
  uint32_t e_flags;
  uint16_t e_ehsize;
  uint16_t e_phentsize;
  uint16_t e_phnum;
  uint16_t e_shentsize;
  uint16_t e_shnum;
  uint16_t e_shstrndx;
};
static_assert(sizeof(ElfHeader) == 52);

struct ElfProgramHeader {
  uint32_t p_type;
  uint32_t p_offset;
  uint32_t p_vaddr;
  uint32_t p_paddr;
  uint32_t p_filesz;
  uint32_t p_memsz;
  uint32_t p_flags;
  uint32_t p_align;
};
static_assert(sizeof(ElfProgramHeader) == 32);

struct ElfSectionHeader {
  uint32_t sh_name;
  uint32_t sh_type;
  uint32_t sh_flags;
  uint32_t sh_addr;
  uint32_t sh_offset;
  uint32_t sh_size;
  uint32_t sh_link;
  uint32_t sh_info;
  uint32_t sh_addralign;
  uint32_t sh_entsize;
};
static_assert(sizeof(ElfSectionHeader) == 40);

struct ElfSymbolEntry {
  uint32_t st_name;
  uint32_t st_value;
  uint32_t st_size;
  uint8_t st_info;
  uint8_t st_other;
  uint16_t st_shndx;

  constexpr uint8_t type() const { return st_info & 0xf; }
  constexpr uint8_t bind() const { return st_info >> 4; }
};
static_assert(sizeof(ElfSymbolEntry) == 16);

inline constexpr std::array<uint8_t, 4> kElfMagic = {0x7f, 'E', 'L', 'F'};
inline constexpr uint16_t kEtExec = 2;
inline constexpr uint16_t kEtDyn = 3;
inline constexpr uint16_t kEm386 = 3;
inline constexpr uint16_t kEm486 = 6;

inline constexpr uint32_t kPtLoad = 1;
inline constexpr uint32_t kPtDynamic = 2;
inline constexpr uint32_t kPtInterp = 3;
inline constexpr uint32_t kPtNote = 4;
inline constexpr uint32_t kPtPhdr = 6;
inline constexpr uint32_t kPtTls = 7;
inline constexpr uint32_t kPtGnuEhFrame = 0x6474e550;
inline constexpr uint32_t kPtGnuStack = 0x6474e551;
inline constexpr uint32_t kPtGnuRelro = 0x6474e552;
inline constexpr uint32_t kPfX = 1;
inline constexpr uint32_t kPfW = 2;
inline constexpr uint32_t kPfR = 4;

inline constexpr uint32_t kShtSymtab = 2;
inline constexpr uint32_t kShtDynsym = 11;
inline constexpr uint32_t kShfAlloc = 2;
inline constexpr uint16_t kShnUndef = 0;
inline constexpr uint16_t kShnLoReserve = 0xff00;
inline constexpr uint8_t kSttNotype = 0;
inline constexpr uint8_t kSttObject = 1;
inline constexpr uint8_t kSttFunc = 2;
inline constexpr uint8_t kSttGnuIfunc = 10;
inline constexpr uint8_t kStbLocal = 0;
inline constexpr uint8_t kStbGlobal = 1;
inline constexpr uint8_t kStbWeak = 2;

}  // namespace fl::loaders
