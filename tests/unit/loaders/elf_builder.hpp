// Makes ELF files in memory for the tests of exec. The structures are the host's <elf.h>, not those of the code under
// test.
#pragma once

#include <elf.h>

#include <cstring>
#include <string>
#include <vector>

namespace fl::loaders::test {

class ElfBuilder {
 public:
  using Bytes = std::vector<std::byte>;

  explicit ElfBuilder(uint16_t type = ET_EXEC) {
    std::memcpy(header_.e_ident, ELFMAG, SELFMAG);
    header_.e_ident[EI_CLASS] = ELFCLASS32;
    header_.e_ident[EI_DATA] = ELFDATA2LSB;
    header_.e_ident[EI_VERSION] = EV_CURRENT;
    header_.e_type = type;
    header_.e_machine = EM_386;
    header_.e_version = EV_CURRENT;
    header_.e_phoff = sizeof(Elf32_Ehdr);
    header_.e_ehsize = sizeof(Elf32_Ehdr);
    header_.e_phentsize = sizeof(Elf32_Phdr);
  }

  // The file has bytes 0x11 everywhere in a segment, so that cleared ones show.
  ElfBuilder& load(uint32_t vaddr, uint32_t offset, uint32_t filesz, uint32_t memsz, uint32_t flags,
                   uint32_t align = 0x1000) {
    segments_.push_back({PT_LOAD, offset, vaddr, vaddr, filesz, memsz, flags, align});
    return *this;
  }
  ElfBuilder& entry(uint32_t address) {
    header_.e_entry = address;
    return *this;
  }
  ElfBuilder& stack(uint32_t flags) {
    segments_.push_back({PT_GNU_STACK, 0, 0, 0, 0, 0, flags, 16});
    return *this;
  }
  // The path is put at offset 0x800.
  ElfBuilder& interpreter(const std::string& path) {
    interpreter_ = path;
    segments_.push_back({PT_INTERP, kInterpreterOffset, kInterpreterOffset, 0, static_cast<uint32_t>(path.size() + 1),
                         static_cast<uint32_t>(path.size() + 1), PF_R, 1});
    return *this;
  }

  Bytes build() {
    size_t size = sizeof(Elf32_Ehdr) + segments_.size() * sizeof(Elf32_Phdr);
    for (const Elf32_Phdr& segment : segments_) {
      size = std::max<size_t>(size, size_t{segment.p_offset} + segment.p_filesz);
    }
    Bytes bytes(size, std::byte{0x11});
    header_.e_phnum = static_cast<uint16_t>(segments_.size());
    std::memcpy(bytes.data(), &header_, sizeof(header_));
    std::memcpy(bytes.data() + sizeof(header_), segments_.data(), segments_.size() * sizeof(Elf32_Phdr));
    if (!interpreter_.empty()) {
      std::memcpy(bytes.data() + kInterpreterOffset, interpreter_.c_str(), interpreter_.size() + 1);
    }
    return bytes;
  }

 private:
  static constexpr uint32_t kInterpreterOffset = 0x800;
  Elf32_Ehdr header_{};
  std::vector<Elf32_Phdr> segments_;
  std::string interpreter_;
};

// Text, and data whose last page is partly bss: what a linker makes of a program without a C library.
inline ElfBuilder::Bytes small_program() {
  return ElfBuilder()
      .load(0x08048000, 0, 0xf8, 0xf8, PF_R)
      .load(0x08049000, 0x1000, 0x20, 0x20, PF_R | PF_X)
      .load(0x0804a000, 0x2000, 0x04, 0x08, PF_R | PF_W)
      .stack(PF_R | PF_W)
      .entry(0x08049000)
      .build();
}

// Three pages of file and one of bss, at any place. Its first PT_LOAD has the program headers.
inline ElfBuilder::Bytes static_pie(uint32_t align = 0x1000) {
  return ElfBuilder(ET_DYN)
      .load(0, 0, 0x1000, 0x1000, PF_R, align)
      .load(0x1000, 0x1000, 0x800, 0x800, PF_R | PF_X, align)
      .load(0x2000, 0x2000, 0x800, 0x1800, PF_R | PF_W, align)
      .stack(PF_R | PF_W)
      .entry(0x1010)
      .build();
}

}  // namespace fl::loaders::test
