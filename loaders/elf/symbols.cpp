// Reads and searches a symbol table: see symbols.hpp.
#include "loaders/elf/symbols.hpp"

#include <algorithm>
#include <cstring>
#include <tuple>

#include "loaders/elf/elf_bytes.hpp"
#include "loaders/elf/elf_format.hpp"

namespace fl::loaders {
namespace {

// A section header table has at most as many entries as e_shnum can count.
constexpr size_t kMaxSectionBytes = size_t{UINT16_MAX} * sizeof(ElfSectionHeader);

std::string_view name_at(std::span<const std::byte> names, uint32_t index) {
  if (index >= names.size()) {
    return {};
  }
  const char* begin = reinterpret_cast<const char*>(names.data()) + index;
  const size_t limit = std::min(names.size() - index, ElfSymbols::kMaxNameLength);
  return {begin, strnlen(begin, limit)};
}

std::vector<ElfSectionHeader> read_sections(const FileReader& file) {
  const auto first_bytes = read_exec_header(file);
  if (!first_bytes) {
    return {};
  }
  const auto header = load_from<ElfHeader>(*first_bytes);
  if (!std::equal(kElfMagic.begin(), kElfMagic.end(), header.e_ident.begin()) ||
      header.e_shentsize != sizeof(ElfSectionHeader)) {
    return {};
  }
  const auto bytes =
      read_available(file, header.e_shoff, size_t{header.e_shnum} * sizeof(ElfSectionHeader), kMaxSectionBytes);
  if (!bytes) {
    return {};
  }
  std::vector<ElfSectionHeader> sections(bytes->size() / sizeof(ElfSectionHeader));
  for (size_t i = 0; i < sections.size(); ++i) {
    sections[i] = load_from<ElfSectionHeader>(*bytes, i * sizeof(ElfSectionHeader));
  }
  return sections;
}

bool names_code_or_data(const ElfSymbolEntry& entry) {
  const uint8_t type = entry.type();
  return entry.st_shndx != kShnUndef && entry.st_shndx < kShnLoReserve &&
         (type == kSttFunc || type == kSttObject || type == kSttNotype || type == kSttGnuIfunc);
}

// Marks inside of functions that an assembler left in the table; they hide the function's name. Psabi: local labels.
bool is_local_label(const ElfSymbolEntry& entry, std::string_view name) {
  return entry.type() == kSttNotype && entry.bind() == kStbLocal && name.starts_with(".L");
}

// Which of two symbols at one address is shown: lower is better. Functions and objects before labels, then global
// before weak before local, then the name with fewer leading underscores; the name itself decides the rest, so that the
// choice does not depend on the order in the file.
auto preference(const ElfSymbolEntry& entry, std::string_view name) {
  const bool label = entry.type() == kSttNotype;
  const int binding = entry.bind() == kStbGlobal ? 0 : entry.bind() == kStbWeak ? 1 : 2;
  const size_t underscores = std::min(name.find_first_not_of('_'), name.size());
  return std::make_tuple(label, binding, underscores, name);
}

}  // namespace

std::string_view ElfSymbols::name_of(const Symbol& symbol) const { return name_at(names_, symbol.name); }

ElfSymbols ElfSymbols::read(const FileReader& file) {
  ElfSymbols result;
  const std::vector<ElfSectionHeader> sections = read_sections(file);
  const auto of_type = [&](uint32_t type) {
    return std::find_if(sections.begin(), sections.end(), [&](const auto& section) { return section.sh_type == type; });
  };
  auto table = of_type(kShtSymtab);
  if (table == sections.end()) {
    table = of_type(kShtDynsym);
  }
  if (table == sections.end() || table->sh_entsize != sizeof(ElfSymbolEntry) || table->sh_link >= sections.size()) {
    return result;
  }
  const ElfSectionHeader& strings = sections[table->sh_link];
  auto names = read_available(file, strings.sh_offset, strings.sh_size, kMaxNameBytes);
  const auto bytes = read_available(file, table->sh_offset, table->sh_size, kMaxSymbols * sizeof(ElfSymbolEntry));
  if (!names || !bytes) {
    return result;
  }

  std::vector<ElfSymbolEntry> entries;
  for (size_t offset = 0; offset + sizeof(ElfSymbolEntry) <= bytes->size(); offset += sizeof(ElfSymbolEntry)) {
    const auto entry = load_from<ElfSymbolEntry>(*bytes, offset);
    const std::string_view name = name_at(*names, entry.st_name);
    if (names_code_or_data(entry) && !name.empty() && !is_local_label(entry, name)) {
      entries.push_back(entry);
    }
  }
  std::sort(entries.begin(), entries.end(), [&](const ElfSymbolEntry& a, const ElfSymbolEntry& b) {
    if (a.st_value != b.st_value) {
      return a.st_value < b.st_value;
    }
    return preference(a, name_at(*names, a.st_name)) < preference(b, name_at(*names, b.st_name));
  });

  for (const ElfSymbolEntry& entry : entries) {
    const uint32_t start = entry.st_value;
    if (!result.symbols_.empty() && result.symbols_.back().start == start) {
      continue;
    }
    uint64_t end = uint64_t{start} + entry.st_size;
    if (entry.st_size == 0 && entry.st_shndx < sections.size()) {
      const ElfSectionHeader& section = sections[entry.st_shndx];
      end = uint64_t{section.sh_addr} + section.sh_size;
    }
    const auto capped = static_cast<uint32_t>(std::clamp<uint64_t>(end, start, UINT32_MAX));
    result.symbols_.push_back({.start = start, .end = capped, .name = entry.st_name});
  }
  result.names_ = std::move(*names);
  return result;
}

std::optional<ElfSymbols::Location> ElfSymbols::lookup(VirtAddr address) const {
  auto symbol = std::upper_bound(symbols_.begin(), symbols_.end(), address.value(),
                                 [](uint32_t value, const Symbol& candidate) { return value < candidate.start; });
  // A small symbol may stand inside a larger one, before the address; few do, so few steps back are enough.
  constexpr int kSteps = 8;
  for (int step = 0; step < kSteps && symbol != symbols_.begin(); ++step) {
    --symbol;
    if (address.value() < symbol->end) {
      return Location{.name = name_of(*symbol), .offset = address.value() - symbol->start};
    }
  }
  return std::nullopt;
}

std::optional<VirtAddr> ElfSymbols::find(std::string_view name) const {
  const auto symbol = std::find_if(symbols_.begin(), symbols_.end(),
                                   [&](const Symbol& candidate) { return name_of(candidate) == name; });
  if (symbol == symbols_.end()) {
    return std::nullopt;
  }
  return VirtAddr(symbol->start);
}

}  // namespace fl::loaders
