// Looking up an instruction in the file. See program_code.hpp.
#include "emu/cpu/program_code.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "loaders/elf/elf.hpp"
#include "loaders/file_reader.hpp"

namespace fl::emu {

ProgramCode::ProgramCode(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) {
    return;
  }
  std::ifstream file(path, std::ios::binary);
  bytes_.assign(std::istreambuf_iterator<char>(file), {});
  auto image = loaders::parse_elf(loaders::MemoryReader(std::as_bytes(std::span(bytes_))));
  if (image && image->type == loaders::ElfType::kExec) {
    segments_ = std::move(image->program_headers);
  }
}

std::optional<mmu::Access> ProgramCode::access_at(uint32_t ip) {
  constexpr uint32_t kPtLoad = 1;
  for (const loaders::ElfProgramHeader& segment : segments_) {
    if (segment.p_type != kPtLoad || ip < segment.p_vaddr || ip - segment.p_vaddr >= segment.p_filesz) {
      continue;
    }
    const uint64_t offset = uint64_t{segment.p_offset} + (ip - segment.p_vaddr);
    if (offset >= bytes_.size()) {
      return std::nullopt;
    }
    const auto* const code = reinterpret_cast<const uint8_t*>(bytes_.data()) + offset;
    const size_t left = std::min<size_t>(kMaxInstructionBytes, bytes_.size() - offset);
    const Instruction& instruction = decoder_.decode({code, left}, VirtAddr(ip));
    std::optional<mmu::Access> access;
    for (uint8_t i = 0; i < instruction.operands; ++i) {
      const mmu::Access one =
          instruction.operand[i].use == OperandUse::kRead ? mmu::Access::kRead : mmu::Access::kWrite;
      if (access && *access != one) {
        return std::nullopt;
      }
      access = one;
    }
    return access;
  }
  return std::nullopt;
}

}  // namespace fl::emu
