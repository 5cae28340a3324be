// Reading ELF files of the host for addresses that our run never faulted from.
#include "emu/compare/code_book.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "loaders/elf/elf.hpp"
#include "loaders/file_reader.hpp"

namespace fl::emu {
namespace {

std::string symbol_text(std::string_view name, uint32_t offset) {
  return name.empty() ? std::string() : fmt::format("{}+{:#x}", name, offset);
}

}  // namespace

CodeBook::CodeBook(const Comparison& comparison) : comparison_(comparison) {}
CodeBook::~CodeBook() = default;

const CodeBook::Module& CodeBook::module_of(const std::string& path) {
  std::unique_ptr<Module>& module = modules_[path];
  if (module == nullptr) {
    module = std::make_unique<Module>();
    std::error_code error;
    std::ifstream file;
    if (std::filesystem::is_regular_file(path, error)) {
      file.open(path, std::ios::binary);
      module->bytes.assign(std::istreambuf_iterator<char>(file), {});
    }
    const loaders::MemoryReader reader(std::as_bytes(std::span(module->bytes)));
    module->symbols = loaders::ElfSymbols::read(reader);
    if (auto image = loaders::parse_elf(reader)) {
      module->segments = std::move(image->program_headers);
    }
  }
  return *module;
}

CodeText CodeBook::of(const OurFault& fault) {
  CodeText text;
  if (fault.symbol != kNoIndex) {
    text.symbol = symbol_text(comparison_.run.names[fault.symbol], fault.symbol_offset);
  }
  if (fault.code_bytes != 0) {
    text.instruction = decoder_.disassemble({fault.code.data(), fault.code_bytes}, VirtAddr(fault.ip));
  } else if (fault.mode == vm::FaultMode::kUser && fault.ip != 0) {
    // The fault was the fetch itself.
    text.instruction = at(fault.ip).instruction;
  }
  return text;
}

CodeText CodeBook::at(uint32_t ip) {
  const auto& faults = comparison_.run.faults;
  const auto known = std::find_if(faults.begin(), faults.end(),
                                  [ip](const OurFault& fault) { return fault.ip == ip && fault.code_bytes != 0; });
  if (known != faults.end()) {
    return of(*known);
  }
  const OurArea* area = comparison_.area_at(ip);
  if (area == nullptr || !comparison_.run.names[area->name].starts_with('/')) {
    return {};
  }
  const Module& module = module_of(comparison_.run.names[area->name]);
  const uint64_t offset = (uint64_t{area->pgoff} << kPageShift) + (ip - area->start);
  if (offset >= module.bytes.size()) {
    return {};
  }
  CodeText text;
  const auto* code = reinterpret_cast<const uint8_t*>(module.bytes.data()) + offset;
  const size_t left = std::min<size_t>(kMaxInstructionBytes, module.bytes.size() - offset);
  text.instruction = decoder_.disassemble({code, left}, VirtAddr(ip));
  constexpr uint32_t kPtLoad = 1;
  for (const loaders::ElfProgramHeader& segment : module.segments) {
    const uint64_t start = segment.p_offset & ~uint64_t{kPageOffsetMask};
    if (segment.p_type == kPtLoad && offset >= start && offset < uint64_t{segment.p_offset} + segment.p_filesz) {
      const auto address = static_cast<uint32_t>(segment.p_vaddr + offset - segment.p_offset);
      if (const auto found = module.symbols.lookup(VirtAddr(address))) {
        text.symbol = symbol_text(found->name, found->offset);
      }
      break;
    }
  }
  return text;
}

}  // namespace fl::emu
