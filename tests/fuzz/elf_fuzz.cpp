// libFuzzer target: any bytes through the loaders' parsers. An input is taken as a file, and a second time as a list of
// changes to a good file, three bytes each (offset, value), so that the fuzzer need not find an ELF header first.
#include <cstddef>
#include <cstdint>
#include <span>

#include "loaders/elf/elf.hpp"
#include "loaders/elf/symbols.hpp"
#include "loaders/script.hpp"
#include "mmu/layout.hpp"
#include "tests/support/malformed_elf.hpp"

namespace {

void feed(std::span<const std::byte> bytes) {
  using namespace fl::loaders;
  const MemoryReader file(bytes);
  if (const auto header = read_exec_header(file)) {
    (void)parse_script(*header);
  }
  if (const auto image = parse_elf(file)) {
    (void)plan_elf(*image, fl::mmu::kTaskSize);
  }
  const ElfSymbols symbols = ElfSymbols::read(file);
  (void)symbols.lookup(fl::VirtAddr(0x08048200));
  (void)symbols.find("main");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  feed(std::as_bytes(std::span(data, size)));

  fl::test::Bytes bytes = fl::test::good_elf();
  for (size_t at = 0; at + 3 <= size; at += 3) {
    bytes[(data[at] | static_cast<size_t>(data[at + 1]) << 8) % bytes.size()] = static_cast<std::byte>(data[at + 2]);
  }
  feed(bytes);
  return 0;
}
