// The symbols of an ELF file, for traces and reports: which function or object is at an address.
//
// Linux counterpart: none in the kernel for user programs; perf's symbol tables (tools/perf/util/symbol.c). Reads
// .symtab, or .dynsym if the file has been stripped. The file may lie: sizes are bounded, what is out of range is left
// out, and no error is reported, because a program runs without its symbols. Names are bytes from the file: quote them
// when printing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "loaders/file_reader.hpp"
#include "mmu/base/addr.hpp"

namespace fl::loaders {

class ElfSymbols {
 public:
  struct Location {
    std::string_view name;  // lives as long as the ElfSymbols
    uint32_t offset;        // bytes from the symbol's address
  };

  // Most symbols and bytes of names that are read; a larger table is cut.
  static constexpr size_t kMaxSymbols = 512u << 10;
  static constexpr size_t kMaxNameBytes = 16u << 20;
  static constexpr size_t kMaxNameLength = 1024;

  ElfSymbols() = default;
  // An empty table if the file is no ELF32 file, has no symbols or cannot be read.
  static ElfSymbols read(const FileReader& file);

  // The symbol that contains `address`, which is without load bias. A symbol without a size reaches to the next symbol
  // or the end of its section. O(log n).
  std::optional<Location> lookup(VirtAddr address) const;
  // The address of the first symbol of that name. O(n).
  std::optional<VirtAddr> find(std::string_view name) const;

  size_t size() const { return symbols_.size(); }
  bool empty() const { return symbols_.empty(); }

 private:
  struct Symbol {
    uint32_t start;
    uint32_t end;   // first address after it
    uint32_t name;  // index into names_
  };

  std::string_view name_of(const Symbol& symbol) const;

  std::vector<Symbol> symbols_;  // sorted by start, at most one for each start
  std::vector<std::byte> names_;
};

}  // namespace fl::loaders
