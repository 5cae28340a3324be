// SymbolResolver: the function at an address of a running program, for traces.
//
// Reads the symbol tables of mapped files from the host, beside the guest's page cache, so that tracing changes nothing
// that the guest or the counters can see. Answers are cached by address.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "loaders/elf/elf_format.hpp"
#include "loaders/elf/symbols.hpp"
#include "mmu/base/addr.hpp"
#include "vm/mm/vm_area.hpp"
#include "vm/profile.hpp"

namespace fl::emu {

struct SymbolName {
  std::string_view name;  // empty: unknown. Lives as long as the resolver
  uint32_t offset = 0;
};

class SymbolResolver {
 public:
  // `root` is the host directory that is the guest's /.
  SymbolResolver(std::string root, const vm::KernelProfile& profile);
  SymbolResolver(const SymbolResolver&) = delete;
  SymbolResolver& operator=(const SymbolResolver&) = delete;
  ~SymbolResolver();

  // What stands at `address`, which `area` maps.
  SymbolName lookup(const vm::VmArea& area, VirtAddr address);

 private:
  // A mapped ELF file. Symbols are looked up by place in the file, so no load address has to be known.
  struct Module {
    std::string path;
    uint64_t device = 0, inode = 0;
    loaders::ElfSymbols symbols;
    std::vector<loaders::ElfProgramHeader> segments;
    SymbolName lookup(uint64_t file_offset) const;
  };
  struct Entry {
    const Module* module = nullptr;
    uint64_t file_offset = 0;
    SymbolName symbol;
  };
  static constexpr size_t kEntries = 4096;

  const Module& module_of(const vm::VmArea& area);
  std::unique_ptr<Module> load(const vm::MappedFile& file) const;

  std::string root_;
  Module vdso_;
  std::vector<std::unique_ptr<Module>> modules_;
  const Module* last_ = nullptr;
  std::vector<Entry> cache_;
};

}  // namespace fl::emu
