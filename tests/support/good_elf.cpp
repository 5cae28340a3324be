// The good program of malformed_elf.hpp, put together byte by byte: no compiler is needed where it is used, and the
// place of every byte is known.
#include "tests/support/good_elf.hpp"

#include <array>
#include <cstring>
#include <string_view>

namespace fl::test {
namespace {

constexpr uint32_t kDataWord = 0x12345678;

// Appends i386 instructions.
class Assembler {
 public:
  void emit(std::initializer_list<uint8_t> code) { bytes_.insert(bytes_.end(), code); }
  void emit32(uint32_t value) {
    for (int shift = 0; shift < 32; shift += 8) {
      bytes_.push_back(static_cast<uint8_t>(value >> shift));
    }
  }
  // cmpl $value, address; jne to the failing exit, which is patched in by finish().
  void expect(uint32_t address, uint32_t value) {
    emit({0x81, 0x3d});
    emit32(address);
    emit32(value);
    emit({0x75, 0});
    jumps_.push_back(bytes_.size());
  }
  void exit_with(uint8_t status) { emit({0xb8, 1, 0, 0, 0, 0xbb, status, 0, 0, 0, 0xcd, 0x80}); }
  // Points all jumps of expect() to here.
  void failures_go_here() {
    for (const size_t after : jumps_) {
      bytes_[after - 1] = static_cast<uint8_t>(bytes_.size() - after);
    }
  }
  const std::vector<uint8_t>& bytes() const { return bytes_; }

 private:
  std::vector<uint8_t> bytes_;
  std::vector<size_t> jumps_;
};

std::vector<uint8_t> program_text() {
  constexpr uint32_t kBssEnd = kDataAddress + kDataMemorySize;
  Assembler text;
  text.expect(kDataAddress, kDataWord);
  text.expect(kDataAddress + kDataFileSize, 0);
  text.expect(kBssEnd - 4, 0);
  text.emit({0xa3});  // movl %eax, address
  text.emit32(kBssEnd - 4);
  text.exit_with(kGoodElfStatus);
  text.failures_go_here();
  text.exit_with(1);
  text.emit({0x0f, 0x0b});  // ud2
  return text.bytes();
}

// Names and their offsets for a string table.
class StringTable {
 public:
  uint32_t add(std::string_view name) {
    const auto offset = static_cast<uint32_t>(text_.size());
    text_ += name;
    text_ += '\0';
    return offset;
  }
  std::string_view text() const { return text_; }

 private:
  std::string text_ = std::string(1, '\0');
};

void write(Bytes& bytes, size_t offset, const void* data, size_t size) {
  if (bytes.size() < offset + size) {
    bytes.resize(offset + size);
  }
  std::memcpy(bytes.data() + offset, data, size);
}

}  // namespace

Bytes good_elf() {
  const std::vector<uint8_t> text = program_text();
  constexpr uint32_t kTextSize = kTextOffset + 0x100;

  StringTable names;
  const std::array<Elf32_Sym, kSymbolCount> symbols = {{
      {},
      {names.add("_start"), kTextAddress + kTextOffset, 0x80, 0x12, 0, 1},
      {names.add("data_word"), kDataAddress, 4, 0x11, 0, 2},
      {names.add("bss_begin"), kDataAddress + kDataFileSize, 0, 0x10, 0, 2},
  }};
  const std::array<Elf32_Shdr, kSectionCount> sections = {{
      {},
      {0, 1, 6, kTextAddress + kTextOffset, kTextOffset, 0x100, 0, 0, 16, 0},
      {0, 1, 3, kDataAddress, kDataOffset, kDataFileSize, 0, 0, 4, 0},
      {0, 2, 0, 0, kSymbolOffset, sizeof(symbols), 4, 1, 4, sizeof(Elf32_Sym)},
      {0, 3, 0, 0, kStringOffset, static_cast<uint32_t>(names.text().size()), 0, 0, 1, 0},
  }};
  const Elf32_Ehdr header = {
      .e_ident = {0x7f, 'E', 'L', 'F', 1, 1, 1},
      .e_type = ET_EXEC,
      .e_machine = EM_386,
      .e_version = 1,
      .e_entry = kTextAddress + kTextOffset,
      .e_phoff = kProgramHeaderOffset,
      .e_shoff = kSectionOffset,
      .e_flags = 0,
      .e_ehsize = sizeof(Elf32_Ehdr),
      .e_phentsize = sizeof(Elf32_Phdr),
      .e_phnum = kProgramHeaderCount,
      .e_shentsize = sizeof(Elf32_Shdr),
      .e_shnum = kSectionCount,
      .e_shstrndx = 4,
  };
  const std::array<Elf32_Phdr, kProgramHeaderCount> program_headers = {{
      {PT_LOAD, 0, kTextAddress, kTextAddress, kTextSize, kTextSize, 5, 0x1000},
      {PT_LOAD, kDataOffset, kDataAddress, kDataAddress, kDataFileSize, kDataMemorySize, 6, 0x1000},
      {PT_GNU_STACK, 0, 0, 0, 0, 0, 6, 16},
      {PT_NOTE, kStringOffset, 0, 0, 4, 4, 4, 4},
  }};

  Bytes bytes;
  write(bytes, 0, &header, sizeof(header));
  write(bytes, kProgramHeaderOffset, program_headers.data(), sizeof(program_headers));
  write(bytes, kTextOffset, text.data(), text.size());
  bytes.resize(kDataOffset + kDataFileSize, std::byte{0xee});
  write(bytes, kDataOffset, &kDataWord, sizeof(kDataWord));
  write(bytes, kSymbolOffset, symbols.data(), sizeof(symbols));
  write(bytes, kStringOffset, names.text().data(), names.text().size());
  write(bytes, kSectionOffset, sections.data(), sizeof(sections));
  return bytes;
}

}  // namespace fl::test
