// ProgramCode: how the instructions of a program's file use memory, without the program running.
//
// For recordings of real Linux that could not see the processor's error codes. Right unless the program changed its own
// code; what the file cannot say stays unknown.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "emu/cpu/decode.hpp"
#include "loaders/elf/elf_format.hpp"

namespace fl::emu {

class ProgramCode {
 public:
  // A file that is no ELF program for a fixed address gives no answers.
  explicit ProgramCode(const std::string& path);

  // The access of the instruction's memory operands, if all of them make the same one: a push of memory makes two.
  std::optional<mmu::Access> access_at(uint32_t ip);

 private:
  std::string bytes_;
  std::vector<loaders::ElfProgramHeader> segments_;
  Decoder decoder_;
};

}  // namespace fl::emu
