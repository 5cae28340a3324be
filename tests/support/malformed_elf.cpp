// Damages good_elf() in every way that a loader has to answer: see malformed_elf.hpp.
#include "tests/support/malformed_elf.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <random>
#include <string_view>

#include "tests/support/good_elf.hpp"

namespace fl::test {
namespace {

struct Field {
  std::string_view name;
  uint32_t offset;
  uint32_t size;
};

#define FL_FIELD(type, name) \
  Field { #name, offsetof(type, name), sizeof(type::name) }
constexpr std::array kHeaderFields = {
    FL_FIELD(Elf32_Ehdr, e_type),     FL_FIELD(Elf32_Ehdr, e_machine),   FL_FIELD(Elf32_Ehdr, e_version),
    FL_FIELD(Elf32_Ehdr, e_entry),    FL_FIELD(Elf32_Ehdr, e_phoff),     FL_FIELD(Elf32_Ehdr, e_shoff),
    FL_FIELD(Elf32_Ehdr, e_flags),    FL_FIELD(Elf32_Ehdr, e_ehsize),    FL_FIELD(Elf32_Ehdr, e_phentsize),
    FL_FIELD(Elf32_Ehdr, e_phnum),    FL_FIELD(Elf32_Ehdr, e_shentsize), FL_FIELD(Elf32_Ehdr, e_shnum),
    FL_FIELD(Elf32_Ehdr, e_shstrndx),
};
constexpr std::array kProgramFields = {
    FL_FIELD(Elf32_Phdr, p_type),   FL_FIELD(Elf32_Phdr, p_offset), FL_FIELD(Elf32_Phdr, p_vaddr),
    FL_FIELD(Elf32_Phdr, p_filesz), FL_FIELD(Elf32_Phdr, p_memsz),  FL_FIELD(Elf32_Phdr, p_flags),
    FL_FIELD(Elf32_Phdr, p_align),
};
constexpr std::array kSectionFields = {
    FL_FIELD(Elf32_Shdr, sh_type), FL_FIELD(Elf32_Shdr, sh_offset),  FL_FIELD(Elf32_Shdr, sh_size),
    FL_FIELD(Elf32_Shdr, sh_link), FL_FIELD(Elf32_Shdr, sh_entsize),
};
#undef FL_FIELD

// Little-endian, cut to `size` bytes.
void patch(Bytes& bytes, size_t offset, uint32_t value, size_t size) { std::memcpy(&bytes.at(offset), &value, size); }

Elf32_Phdr program_header(const Bytes& bytes, size_t index) {
  Elf32_Phdr header;
  std::memcpy(&header, &bytes.at(kProgramHeaderOffset + index * sizeof(header)), sizeof(header));
  return header;
}

void set_program_header(Bytes& bytes, size_t index, const Elf32_Phdr& header) {
  std::memcpy(&bytes.at(kProgramHeaderOffset + index * sizeof(header)), &header, sizeof(header));
}

class Collection {
 public:
  // The file that `damage` makes of the good one.
  void add(std::string name, const std::function<void(Bytes&)>& damage) {
    Bytes bytes = good_elf();
    damage(bytes);
    files_.push_back({std::move(name), std::move(bytes)});
  }
  void add_field(std::string_view where, const Field& field, size_t base, uint32_t value) {
    add(fmt::format("{}{} = {:#x}", where, field.name, value),
        [&](Bytes& bytes) { patch(bytes, base + field.offset, value, field.size); });
  }
  // One program header changed.
  void add_segment(std::string name, size_t index, const std::function<void(Elf32_Phdr&)>& damage) {
    add(std::move(name), [&](Bytes& bytes) {
      Elf32_Phdr header = program_header(bytes, index);
      damage(header);
      set_program_header(bytes, index, header);
    });
  }
  std::vector<ElfFile> take() { return std::move(files_); }

 private:
  std::vector<ElfFile> files_;
};

void add_truncations(Collection& files) {
  std::vector<size_t> lengths = {0, 1, 3, 4, 5, 15, 16, 255, 256, kTextOffset, kTextOffset + 1, 0xfff, kDataOffset};
  for (const Field& field : kHeaderFields) {
    lengths.push_back(field.offset + 1);
    lengths.push_back(field.offset + field.size);
  }
  for (size_t index = 0; index < kProgramHeaderCount; ++index) {
    const size_t base = kProgramHeaderOffset + index * sizeof(Elf32_Phdr);
    lengths.insert(lengths.end(), {base, base + 4, base + 17, base + 31, base + 32});
  }
  lengths.insert(lengths.end(), {kDataOffset + 1, kDataOffset + kDataFileSize - 1, kDataOffset + kDataFileSize});
  for (const uint32_t table : {kSymbolOffset, kStringOffset, kSectionOffset}) {
    lengths.insert(lengths.end(), {table, table + 1, table + 15, table + 41});
  }
  std::sort(lengths.begin(), lengths.end());
  lengths.erase(std::unique(lengths.begin(), lengths.end()), lengths.end());
  for (const size_t length : lengths) {
    files.add(fmt::format("cut after {} bytes", length), [&](Bytes& bytes) { bytes.resize(length); });
  }
}

void add_fields(Collection& files) {
  for (const uint32_t index : {0u, 1u, 2u, 3u, 4u, 5u, 6u, 7u, 9u}) {
    for (const uint32_t value : {0u, 2u, 0xffu}) {
      files.add(fmt::format("e_ident[{}] = {}", index, value), [&](Bytes& bytes) { patch(bytes, index, value, 1); });
    }
  }
  for (const Field& field : kHeaderFields) {
    const auto values =
        field.size == 2 ? std::vector<uint32_t>{0, 1, 2, 3, 4, 6, 31, 33, 62, 128, 129, 0x7fff, 0x8000, 0xffff}
                        : std::vector<uint32_t>{0,          1,          3,          0xfff,      0x1000,    0x7fffffff,
                                                0x80000000, 0xbfffffff, 0xc0000000, 0xfffff000, 0xffffffff};
    for (const uint32_t value : values) {
      files.add_field("", field, 0, value);
    }
  }
  for (size_t index = 0; index < 2; ++index) {
    for (const Field& field : kProgramFields) {
      for (const uint32_t value : {0u, 1u, 3u, 0xfffu, 0x1000u, 0x1001u, 0x7fffffffu, 0x80000000u, 0xbffff000u,
                                   0xbfffffffu, 0xc0000000u, 0xfffff000u, 0xffffffffu}) {
        files.add_field(index == 0 ? "text " : "data ", field, kProgramHeaderOffset + index * sizeof(Elf32_Phdr),
                        value);
      }
    }
  }
  for (const size_t index : {3, 4}) {
    for (const Field& field : kSectionFields) {
      for (const uint32_t value : {0u, 1u, 11u, 0x7fffffffu, 0xfffffff0u, 0xffffffffu}) {
        files.add_field(fmt::format("section {} ", index), field, kSectionOffset + index * sizeof(Elf32_Shdr), value);
      }
    }
  }
}

void add_segments(Collection& files) {
  files.add_segment("text and data overlap", 1, [](auto& header) { header.p_vaddr = kTextAddress; });
  files.add_segment("data overlaps the end of text", 1, [](auto& header) {
    header.p_vaddr = kTextAddress;
    header.p_offset = 0;
  });
  files.add_segment("data below text", 1, [](auto& header) { header.p_vaddr = 0x08040000; });
  files.add_segment("bss runs over text", 1, [](auto& header) {
    header.p_vaddr = 0x08046000;
    header.p_memsz = 0x4000;
  });
  files.add_segment("data wraps round the end of memory", 1, [](auto& header) {
    header.p_vaddr = 0xfffff000;
    header.p_memsz = 0x3000;
  });
  files.add_segment("sizes wrap", 1, [](auto& header) { header.p_filesz = header.p_memsz = 0xfffff000; });
  files.add_segment("sizes wrap to nothing", 1, [](auto& header) {
    header.p_vaddr += 0xfff;
    header.p_offset += 0xfff;
    header.p_filesz = header.p_memsz = 0xfffff001;
  });
  files.add_segment("bss of 1.5 GiB", 1, [](auto& header) { header.p_memsz = 0x60000000; });
  files.add_segment("bss up to the end of user space", 1,
                    [](auto& header) { header.p_memsz = 0xc0000000 - header.p_vaddr; });
  files.add_segment("bss over the stack", 1, [](auto& header) {
    header.p_vaddr = 0xbff00000;
    header.p_memsz = 0x100000;
  });
  files.add_segment("text in the stack", 0, [](auto& header) { header.p_vaddr = 0xbffff000; });
  files.add_segment("data in kernel space", 1, [](auto& header) { header.p_vaddr = 0xc0100000; });
  files.add_segment("text at address 0", 0, [](auto& header) { header.p_vaddr = 0; });
  files.add_segment("data below the lowest mappable address", 1, [](auto& header) { header.p_vaddr = 0x1000; });
  files.add_segment("offset and address disagree", 1, [](auto& header) { header.p_vaddr += 4; });
  files.add_segment("offset wraps", 1, [](auto& header) { header.p_offset = 0xfffff000; });
  files.add_segment("data behind the end of the file", 1, [](auto& header) { header.p_offset = 0x100000; });
  files.add_segment("data is read-only", 1, [](auto& header) { header.p_flags = PF_R; });
  files.add_segment("data may not be touched", 1, [](auto& header) { header.p_flags = 0; });
  files.add_segment("text is not executable", 0, [](auto& header) { header.p_flags = PF_R; });
  files.add_segment("bss only, from inside a page", 1, [](auto& header) {
    header.p_filesz = 0;
    header.p_vaddr += 0x10;
  });
  files.add_segment("alignment is no power of two", 1, [](auto& header) { header.p_align = 0x1800; });
  files.add_segment("alignment of 1 GiB", 0, [](auto& header) { header.p_align = 0x40000000; });
  files.add("no PT_LOAD", [](Bytes& bytes) {
    for (size_t index : {0, 1}) {
      Elf32_Phdr header = program_header(bytes, index);
      header.p_type = 0;
      set_program_header(bytes, index, header);
    }
  });
  files.add("segments in descending order", [](Bytes& bytes) {
    const Elf32_Phdr text = program_header(bytes, 0);
    set_program_header(bytes, 0, program_header(bytes, 1));
    set_program_header(bytes, 1, text);
  });
  for (const uint16_t count : {127, 128, 129, 2048, 2049}) {
    files.add(fmt::format("{} program headers", count), [&](Bytes& bytes) {
      // A new table behind everything: the four headers, then empty ones.
      const size_t table = bytes.size();
      bytes.resize(table + size_t{count} * sizeof(Elf32_Phdr));
      std::copy_n(bytes.begin() + kProgramHeaderOffset, kProgramHeaderCount * sizeof(Elf32_Phdr),
                  bytes.begin() + static_cast<std::ptrdiff_t>(table));
      patch(bytes, offsetof(Elf32_Ehdr, e_phoff), static_cast<uint32_t>(table), 4);
      patch(bytes, offsetof(Elf32_Ehdr, e_phnum), count, 2);
    });
  }
  files.add("many large segments", [](Bytes& bytes) {
    Elf32_Phdr header = program_header(bytes, 1);
    const size_t table = bytes.size();
    bytes.resize(table + 128 * sizeof(Elf32_Phdr));
    for (uint32_t index = 0; index < 128; ++index) {
      header.p_vaddr = 0x10000000 + index * 0x01000000;
      header.p_memsz = 0x01000000;
      std::memcpy(&bytes.at(table + index * sizeof(header)), &header, sizeof(header));
    }
    patch(bytes, offsetof(Elf32_Ehdr, e_phoff), static_cast<uint32_t>(table), 4);
    patch(bytes, offsetof(Elf32_Ehdr, e_phnum), 128, 2);
  });
}

void add_special_headers(Collection& files) {
  const auto interpreter = [&files](std::string name, std::string_view path, uint32_t size) {
    files.add(std::move(name), [&](Bytes& bytes) {
      Elf32_Phdr header = program_header(bytes, 3);
      header.p_type = PT_INTERP;
      header.p_offset = static_cast<uint32_t>(bytes.size());
      header.p_filesz = size;
      set_program_header(bytes, 3, header);
      const auto* data = reinterpret_cast<const std::byte*>(path.data());
      bytes.insert(bytes.end(), data, data + path.size());
    });
  };
  using namespace std::string_view_literals;
  interpreter("interpreter without NUL", "/nowhere/ld.so"sv, 14);
  interpreter("interpreter that does not exist", "/nowhere/ld.so\0"sv, 15);
  interpreter("interpreter with an empty name", "\0\0"sv, 2);
  interpreter("interpreter of one byte", "\0"sv, 1);
  interpreter("interpreter of no bytes", ""sv, 0);
  interpreter("interpreter outside the file", "/x\0"sv, 4000);
  interpreter("interpreter longer than PATH_MAX", "/x\0"sv, 4097);
  interpreter("interpreter of 4 GiB", "/x\0"sv, 0xffffffff);
  interpreter("interpreter is a directory", "/\0"sv, 2);

  files.add_segment("executable stack", 2, [](auto& header) { header.p_flags = 7; });
  files.add_segment("no PT_GNU_STACK", 2, [](auto& header) { header.p_type = 0; });
  files.add_segment("stack with sizes", 2, [](auto& header) { header.p_memsz = header.p_filesz = 0xffffffff; });
  files.add_segment("TLS of 4 GiB", 3, [](auto& header) {
    header.p_type = PT_TLS;
    header.p_memsz = 0xffffffff;
  });
  files.add("program headers overlap the ELF header",
            [](Bytes& bytes) { patch(bytes, offsetof(Elf32_Ehdr, e_phoff), 8, 4); });
  files.add("program headers across the end of the file", [](Bytes& bytes) {
    patch(bytes, offsetof(Elf32_Ehdr, e_phoff), static_cast<uint32_t>(bytes.size() - 40), 4);
  });
  files.add("entry in the data", [](Bytes& bytes) { patch(bytes, offsetof(Elf32_Ehdr, e_entry), kDataAddress, 4); });
  files.add("entry between the segments",
            [](Bytes& bytes) { patch(bytes, offsetof(Elf32_Ehdr, e_entry), kTextAddress + 0x1000, 4); });
  files.add("entry at the last byte of text",
            [](Bytes& bytes) { patch(bytes, offsetof(Elf32_Ehdr, e_entry), kTextAddress + 0xfff, 4); });
  files.add("position-independent, segments high up", [](Bytes& bytes) {
    patch(bytes, offsetof(Elf32_Ehdr, e_type), ET_DYN, 2);
    for (size_t index : {0, 1}) {
      Elf32_Phdr header = program_header(bytes, index);
      header.p_vaddr += 0x98000000;
      set_program_header(bytes, index, header);
    }
  });
  files.add("position-independent and empty", [](Bytes& bytes) {
    patch(bytes, offsetof(Elf32_Ehdr, e_type), ET_DYN, 2);
    for (size_t index : {0, 1}) {
      Elf32_Phdr header = program_header(bytes, index);
      header.p_vaddr = 0;
      header.p_filesz = header.p_memsz = 0;
      set_program_header(bytes, index, header);
    }
  });
  files.add("position-independent over all of memory", [](Bytes& bytes) {
    patch(bytes, offsetof(Elf32_Ehdr, e_type), ET_DYN, 2);
    Elf32_Phdr header = program_header(bytes, 1);
    header.p_vaddr = 0xbfff0000;
    set_program_header(bytes, 1, header);
  });
  files.add("all 0xff behind the magic",
            [](Bytes& bytes) { std::fill(bytes.begin() + 4, bytes.end(), std::byte{0xff}); });
  files.add("all zero behind the magic", [](Bytes& bytes) { std::fill(bytes.begin() + 4, bytes.end(), std::byte{0}); });
}

}  // namespace

std::vector<ElfFile> malformed_elf_files() {
  Collection files;
  add_truncations(files);
  add_fields(files);
  add_segments(files);
  add_special_headers(files);
  return files.take();
}

std::vector<ElfFile> mutated_elf_files(size_t count, uint32_t seed) {
  constexpr std::array<uint32_t, 10> kExtremes = {0,          1,          0xfff,      0x1000,     0x7fffffff,
                                                  0x80000000, 0xbfffffff, 0xc0000000, 0xfffff000, 0xffffffff};
  const Bytes good = good_elf();
  // Not std::uniform_int_distribution: its numbers differ between standard libraries.
  std::mt19937 random(seed);
  const auto below = [&random](size_t limit) { return random() % limit; };

  std::vector<ElfFile> files;
  for (size_t number = 0; number < count; ++number) {
    Bytes bytes = good;
    const size_t changes = 1 + below(16);
    for (size_t change = 0; change < changes; ++change) {
      // Three quarters in the ELF header and the program headers, the rest in symbols, names and sections.
      const bool front = below(4) != 0;
      const size_t begin = front ? 4 : kSymbolOffset;
      const size_t end = front ? kProgramHeaderOffset + kProgramHeaderCount * sizeof(Elf32_Phdr) : good.size();
      const size_t at = begin + below(end - begin);
      switch (below(3)) {
        case 0:
          bytes[at] = static_cast<std::byte>(random());
          break;
        case 1:
          bytes[at] ^= static_cast<std::byte>(1u << below(8));
          break;
        default:
          patch(bytes, std::min(at & ~size_t{3}, end - 4), kExtremes[below(kExtremes.size())], 4);
          break;
      }
    }
    if (below(16) == 0) {
      bytes.resize(below(bytes.size()));
    }
    files.push_back({fmt::format("mutation {} of seed {}", number, seed), std::move(bytes)});
  }
  return files;
}

}  // namespace fl::test
