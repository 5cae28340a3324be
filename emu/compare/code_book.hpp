// CodeBook: the instruction and the symbol at an address, for what a report says of a fault.
//
// Of a fault here both were kept when it happened. Of a fault that only the reference had, they are looked up in the
// mapped file on the host: right unless the program changed its own code.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "emu/compare/comparison.hpp"
#include "emu/cpu/decode.hpp"
#include "loaders/elf/elf_format.hpp"
#include "loaders/elf/symbols.hpp"

namespace fl::emu {

struct CodeText {
  std::string symbol;       // "main+0x1d"; empty: unknown
  std::string instruction;  // "mov eax, 1"; empty: unknown
};

class CodeBook {
 public:
  // `comparison` must outlive the book.
  explicit CodeBook(const Comparison& comparison);
  ~CodeBook();

  CodeText of(const OurFault& fault);
  // `ip` as an address here.
  CodeText at(uint32_t ip);

 private:
  struct Module {
    std::string bytes;
    loaders::ElfSymbols symbols;
    std::vector<loaders::ElfProgramHeader> segments;
  };
  const Module& module_of(const std::string& path);

  const Comparison& comparison_;
  Decoder decoder_;
  std::map<std::string, std::unique_ptr<Module>> modules_;
};

}  // namespace fl::emu
