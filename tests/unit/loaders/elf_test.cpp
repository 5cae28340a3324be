// parse_elf, plan_elf and ElfSymbols on a good file and on files with one property changed. What Linux does with each
// is from fs/binfmt_elf.c; malformed_elf_native_test.cpp asks the host's Linux.
#include "loaders/elf/elf.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <cstring>
#include <functional>

#include "loaders/elf/symbols.hpp"
#include "mmu/layout.hpp"
#include "tests/support/good_elf.hpp"
#include "vm/profile.hpp"

namespace fl::loaders {
namespace {

using test::Bytes;

using vm::ElfLoading;

Result<ElfImage> parse(const Bytes& bytes, ElfLoading loading = ElfLoading::k6_1) {
  return parse_elf(MemoryReader(bytes), loading);
}

// The good file with a changed header.
Bytes with_header(const std::function<void(ElfHeader&)>& change) {
  Bytes bytes = test::good_elf();
  ElfHeader header;
  std::memcpy(&header, bytes.data(), sizeof(header));
  change(header);
  std::memcpy(bytes.data(), &header, sizeof(header));
  return bytes;
}

// The good file's image with a changed program header.
ElfImage with_segment(size_t index, const std::function<void(ElfProgramHeader&)>& change) {
  ElfImage image = parse(test::good_elf()).value();
  change(image.program_headers.at(index));
  return image;
}

Result<ElfPlan> plan(const ElfImage& image) { return plan_elf(image, mmu::kTaskSize); }

Errno error_of(const Bytes& bytes) { return parse(bytes).error(); }

TEST_CASE("elf: a good file's headers are read") {
  const auto image = parse(test::good_elf());
  REQUIRE(image.has_value());
  CHECK(image->type == ElfType::kExec);
  CHECK(image->program_headers.size() == test::kProgramHeaderCount);
  CHECK(image->exec_stack == ExecStack::kDisableX);
  CHECK_FALSE(image->interpreter.has_value());
}

TEST_CASE("elf: a good file's segments are planned in pages") {
  const auto result = plan(parse(test::good_elf()).value());
  REQUIRE(result.has_value());
  const ElfPlan& good = *result;
  REQUIRE(good.segments.size() == 2);

  const ElfSegment& text = good.segments[0];
  CHECK(text.flags == (kPfR | kPfX));
  CHECK(text.map_start == VirtAddr(test::kTextAddress));
  CHECK(text.map_size == 0x1000);
  CHECK(text.file_offset == 0);
  CHECK(text.zero_size == 0);
  CHECK(text.bss_size == 0);

  const ElfSegment& data = good.segments[1];
  CHECK(data.flags == (kPfR | kPfW));
  CHECK(data.map_start == VirtAddr(test::kDataAddress));
  CHECK(data.map_size == 0x1000);
  CHECK(data.file_offset == test::kDataOffset);
  CHECK(data.zero_start == VirtAddr(test::kDataAddress + test::kDataFileSize));
  CHECK(data.zero_size == 0x1000 - test::kDataFileSize);
  CHECK(data.bss_start == VirtAddr(test::kDataAddress + 0x1000));
  CHECK(data.bss_size == 0x2000);

  CHECK(good.start == VirtAddr(test::kTextAddress));
  CHECK(good.total_size == test::kDataAddress + test::kDataMemorySize - test::kTextAddress);
  CHECK(good.alignment == 0x1000);
  CHECK(good.entry == VirtAddr(test::kTextAddress + test::kTextOffset));
  CHECK(good.phdr == VirtAddr(test::kTextAddress + test::kProgramHeaderOffset));
  CHECK(good.start_code == VirtAddr(test::kTextAddress));
  CHECK(good.end_code == VirtAddr(test::kTextAddress + test::kTextOffset + 0x100));
  CHECK(good.start_data == VirtAddr(test::kDataAddress));
  CHECK(good.end_data == VirtAddr(test::kDataAddress + test::kDataFileSize));
  CHECK(good.end_bss == VirtAddr(test::kDataAddress + test::kDataMemorySize));
}

TEST_CASE("elf: what is not an i386 program is ENOEXEC") {
  CHECK(error_of({}) == Errno::kENOEXEC);
  CHECK(error_of(with_header([](auto& header) { header.e_ident[1] = 'e'; })) == Errno::kENOEXEC);
  CHECK(error_of(with_header([](auto& header) { header.e_type = 1; })) == Errno::kENOEXEC);
  CHECK(error_of(with_header([](auto& header) { header.e_type = 4; })) == Errno::kENOEXEC);
  CHECK(error_of(with_header([](auto& header) { header.e_machine = 62; })) == Errno::kENOEXEC);
}

TEST_CASE("elf: class, byte order, version and header size are not looked at, and a 486 is an i386") {
  CHECK(parse(with_header([](auto& header) {
          header.e_ident[4] = 2;
          header.e_ident[5] = 2;
          header.e_ident[6] = 9;
          header.e_version = 0;
          header.e_ehsize = 0;
        })).has_value());
  CHECK(parse(with_header([](auto& header) { header.e_machine = kEm486; })).has_value());
}

TEST_CASE("elf: the table of program headers must have the right size and be inside the file") {
  CHECK(error_of(with_header([](auto& header) { header.e_phentsize = 31; })) == Errno::kENOEXEC);
  CHECK(error_of(with_header([](auto& header) { header.e_phentsize = 56; })) == Errno::kENOEXEC);
  CHECK(error_of(with_header([](auto& header) { header.e_phnum = 0; })) == Errno::kENOEXEC);
  CHECK(error_of(with_header([](auto& header) { header.e_phoff = 0xffffffff; })) == Errno::kENOEXEC);
  const auto size = static_cast<uint32_t>(test::good_elf().size());
  CHECK(parse(with_header([&](auto& header) { header.e_phoff = size - 128; })).has_value());
  CHECK(error_of(with_header([&](auto& header) { header.e_phoff = size - 127; })) == Errno::kENOEXEC);
}

TEST_CASE("elf: one page of program headers is allowed on 6.1, 64 KiB on 6.18") {
  const auto accepts = [](uint16_t count, ElfLoading loading) {
    Bytes bytes = with_header([&](auto& header) { header.e_phnum = count; });
    bytes.resize(0x20000);
    return parse(bytes, loading).has_value();
  };
  CHECK(accepts(128, ElfLoading::k6_1));
  CHECK_FALSE(accepts(129, ElfLoading::k6_1));
  CHECK(accepts(2048, ElfLoading::k6_18));
  CHECK_FALSE(accepts(2049, ElfLoading::k6_18));
  CHECK_FALSE(accepts(0xffff, ElfLoading::k6_18));
}

TEST_CASE("elf: an interpreter's path is read up to its NUL, and must have one at its end") {
  const auto with_interpreter = [](std::string_view path, uint32_t size) {
    Bytes bytes = test::good_elf();
    const ElfProgramHeader header = {kPtInterp, static_cast<uint32_t>(bytes.size()), 0, 0, size, size, kPfR, 1};
    std::memcpy(&bytes[test::kProgramHeaderOffset + 3 * sizeof(header)], &header, sizeof(header));
    const auto* data = reinterpret_cast<const std::byte*>(path.data());
    bytes.insert(bytes.end(), data, data + path.size());
    return bytes;
  };
  using namespace std::string_view_literals;
  CHECK(parse(with_interpreter("/lib/ld.so\0"sv, 11))->interpreter == "/lib/ld.so");
  CHECK(parse(with_interpreter("/lib\0x\0"sv, 7))->interpreter == "/lib");
  CHECK(error_of(with_interpreter("/lib/ld.so"sv, 10)) == Errno::kENOEXEC);
  CHECK(error_of(with_interpreter("\0"sv, 1)) == Errno::kENOEXEC);
  CHECK(error_of(with_interpreter("/x\0"sv, 4097)) == Errno::kENOEXEC);
  CHECK(error_of(with_interpreter("/x\0"sv, 100)) == Errno::kEIO);
}

TEST_CASE("elf: PT_GNU_STACK decides about the stack, and the last one counts") {
  Bytes bytes = test::good_elf();
  const size_t flags = test::kProgramHeaderOffset + 2 * sizeof(ElfProgramHeader) + offsetof(ElfProgramHeader, p_flags);
  bytes[flags] = std::byte{7};
  CHECK(parse(bytes)->exec_stack == ExecStack::kEnableX);

  const ElfProgramHeader second = {kPtGnuStack, 0, 0, 0, 0, 0, kPfR | kPfW, 16};
  std::memcpy(&bytes[test::kProgramHeaderOffset + 3 * sizeof(second)], &second, sizeof(second));
  CHECK(parse(bytes)->exec_stack == ExecStack::kDisableX);

  const ElfProgramHeader nothing{};
  for (const size_t index : {2, 3}) {
    std::memcpy(&bytes[test::kProgramHeaderOffset + index * sizeof(nothing)], &nothing, sizeof(nothing));
  }
  CHECK(parse(bytes)->exec_stack == ExecStack::kDefault);
}

TEST_CASE("elf: a segment that does not fit into user space is refused") {
  const auto refused = [](const std::function<void(ElfProgramHeader&)>& change) {
    const auto result = plan(with_segment(1, change));
    return !result.has_value() && result.error() == Errno::kEINVAL;
  };
  CHECK(refused([](auto& header) { header.p_vaddr = 0xc0000000; }));
  CHECK(refused([](auto& header) { header.p_vaddr = 0xfffff000; }));
  CHECK(refused([](auto& header) { header.p_memsz = 0xffffffff; }));
  CHECK(refused([](auto& header) { header.p_memsz = 0xc0000001; }));
  CHECK(refused([](auto& header) { header.p_memsz = 0xc0000000 - header.p_vaddr + 1; }));
  CHECK_FALSE(refused([](auto& header) { header.p_memsz = 0xc0000000 - header.p_vaddr; }));
  CHECK(refused([](auto& header) { header.p_filesz = header.p_memsz + 1; }));
}

TEST_CASE("elf: file offset and address must agree within the page") {
  CHECK(plan(with_segment(1, [](auto& header) { header.p_vaddr += 4; })).error() == Errno::kEINVAL);
}

TEST_CASE("elf: a file offset that passes 4 GiB is refused where unsigned long has 32 bits") {
  ElfImage image = with_segment(1, [](auto& header) { header.p_offset = 0xfffff000; });
  CHECK(plan(image).error() == Errno::kEINVAL);
  image.loading = ElfLoading::k6_18;
  CHECK(plan(image)->segments[1].file_offset == 0xfffff000);
}

TEST_CASE("elf: a segment without file bytes is anonymous from the beginning of its first page") {
  const uint32_t in_page = GENERATE(0u, 4u);
  const auto result = plan(with_segment(1, [=](auto& header) {
    header.p_vaddr += in_page;
    header.p_offset += in_page;
    header.p_filesz = 0;
    header.p_memsz = 0x1000;
  }));
  REQUIRE(result.has_value());
  CHECK(result->segments[1].map_size == 0);
  CHECK(result->segments[1].zero_size == 0);
  CHECK(result->segments[1].bss_start == VirtAddr(test::kDataAddress));
  CHECK(result->segments[1].bss_size == (in_page == 0 ? 0x1000 : 0x2000));
}

TEST_CASE("elf: a bss that ends inside the last file page clears that page and adds none") {
  const auto result = plan(with_segment(1, [](auto& header) { header.p_memsz = header.p_filesz + 8; }));
  REQUIRE(result.has_value());
  CHECK(result->segments[1].zero_size == 0x1000 - test::kDataFileSize);
  CHECK(result->segments[1].bss_size == 0);
}

TEST_CASE("elf: segments may overlap and stand in any order") {
  const auto result = plan(with_segment(1, [](auto& header) { header.p_vaddr = test::kTextAddress - 0x2000; }));
  REQUIRE(result.has_value());
  CHECK(result->start == VirtAddr(test::kTextAddress - 0x2000));
  CHECK(result->phdr == VirtAddr(test::kTextAddress + test::kProgramHeaderOffset));
  CHECK(result->end_bss == VirtAddr(test::kTextAddress - 0x2000 + test::kDataMemorySize));
}

TEST_CASE("elf: the alignment is the largest power of two that a segment asks for") {
  CHECK(plan(with_segment(1, [](auto& header) { header.p_align = 0x200000; }))->alignment == 0x200000);
  CHECK(plan(with_segment(1, [](auto& header) { header.p_align = 0x200001; }))->alignment == 0x1000);
  CHECK(plan(with_segment(1, [](auto& header) { header.p_align = 4; }))->alignment == 0x1000);
}

TEST_CASE("elf: program headers that no segment holds have no address") {
  CHECK(plan(with_segment(0, [](auto& header) { header.p_filesz = test::kProgramHeaderOffset; }))->phdr == VirtAddr(0));
  CHECK(plan(with_segment(0, [](auto& header) { header.p_filesz = test::kProgramHeaderOffset + 1; }))->phdr ==
        VirtAddr(test::kTextAddress + test::kProgramHeaderOffset));
}

TEST_CASE("elf: a file without segments has an empty plan") {
  ElfImage image = parse(test::good_elf()).value();
  image.program_headers.erase(image.program_headers.begin(), image.program_headers.begin() + 2);
  const auto result = plan(image);
  REQUIRE(result.has_value());
  CHECK(result->segments.empty());
  CHECK(result->total_size == 0);
  CHECK(result->end_bss == VirtAddr(0));
}

TEST_CASE("elf: the error of a reader is passed on") {
  class Broken final : public FileReader {
    Result<size_t> read_at(uint64_t, std::span<std::byte>) const override { return fail(Errno::kEISDIR); }
  };
  CHECK(parse_elf(Broken()).error() == Errno::kEISDIR);
  CHECK(ElfSymbols::read(Broken()).empty());
}

TEST_CASE("symbols: an address is found in the symbol that contains it") {
  const Bytes bytes = test::good_elf();
  const ElfSymbols symbols = ElfSymbols::read(MemoryReader(bytes));
  CHECK(symbols.size() == 3);
  const auto start = symbols.lookup(VirtAddr(test::kTextAddress + test::kTextOffset + 5));
  REQUIRE(start.has_value());
  CHECK(start->name == "_start");
  CHECK(start->offset == 5);
  CHECK_FALSE(symbols.lookup(VirtAddr(test::kTextAddress + test::kTextOffset - 1)).has_value());
  CHECK_FALSE(symbols.lookup(VirtAddr(test::kTextAddress + test::kTextOffset + 0x80)).has_value());
  CHECK(symbols.lookup(VirtAddr(test::kDataAddress + 3))->name == "data_word");
  CHECK_FALSE(symbols.lookup(VirtAddr(test::kDataAddress + 4)).has_value());
  CHECK_FALSE(symbols.lookup(VirtAddr(0)).has_value());
  CHECK_FALSE(symbols.lookup(VirtAddr(0xffffffff)).has_value());
  CHECK(symbols.find("data_word") == VirtAddr(test::kDataAddress));
  CHECK_FALSE(symbols.find("data_wor").has_value());
}

// One section of code at 0x1000 and the given symbols.
Bytes file_with_symbols(const std::vector<std::pair<std::string, ElfSymbolEntry>>& symbols) {
  Bytes bytes = test::good_elf();
  const auto append = [&bytes](const void* data, size_t size) {
    const auto offset = static_cast<uint32_t>(bytes.size());
    const auto* begin = static_cast<const std::byte*>(data);
    bytes.insert(bytes.end(), begin, begin + size);
    return offset;
  };
  std::vector<ElfSymbolEntry> entries;
  std::string names(1, '\0');
  for (auto [name, entry] : symbols) {
    entry.st_name = static_cast<uint32_t>(names.size());
    entries.push_back(entry);
    names += name + '\0';
  }
  ElfHeader header;
  std::memcpy(&header, bytes.data(), sizeof(header));
  const uint32_t table_size = static_cast<uint32_t>(entries.size() * sizeof(ElfSymbolEntry));
  const std::array<ElfSectionHeader, 4> sections = {{
      {},
      {0, 1, kShfAlloc, 0x1000, 0, 0x1000, 0, 0, 1, 0},
      {0, kShtSymtab, 0, 0, append(entries.data(), table_size), table_size, 3, 0, 4, sizeof(ElfSymbolEntry)},
      {0, 3, 0, 0, append(names.data(), names.size()), static_cast<uint32_t>(names.size()), 0, 0, 1, 0},
  }};
  header.e_shoff = append(sections.data(), sizeof(sections));
  header.e_shnum = sections.size();
  std::memcpy(bytes.data(), &header, sizeof(header));
  return bytes;
}

TEST_CASE("symbols: of several names for an address, functions and global names come first") {
  const uint8_t global_function = kStbGlobal << 4 | kSttFunc;
  const uint8_t weak_function = kStbWeak << 4 | kSttFunc;
  const Bytes bytes = file_with_symbols({{"label", {0, 0x1000, 0, kStbGlobal << 4 | kSttNotype, 0, 1}},
                                         {"weak", {0, 0x1000, 16, weak_function, 0, 1}},
                                         {"__strong", {0, 0x1000, 16, global_function, 0, 1}},
                                         {"strong", {0, 0x1000, 16, global_function, 0, 1}},
                                         {"undefined", {0, 0x1000, 16, global_function, 0, kShnUndef}}});
  const ElfSymbols symbols = ElfSymbols::read(MemoryReader(bytes));
  CHECK(symbols.size() == 1);
  CHECK(symbols.lookup(VirtAddr(0x1008))->name == "strong");
}

TEST_CASE("symbols: an assembler's local label does not hide the function around it") {
  const Bytes bytes = file_with_symbols({{"memcpy", {0, 0x1000, 0x40, kStbGlobal << 4 | kSttFunc, 0, 1}},
                                         {".L413", {0, 0x1010, 0, kStbLocal << 4 | kSttNotype, 0, 1}}});
  const ElfSymbols symbols = ElfSymbols::read(MemoryReader(bytes));
  CHECK(symbols.lookup(VirtAddr(0x1018))->name == "memcpy");
}

TEST_CASE("symbols: a small symbol inside a larger one does not hide the rest of it") {
  const uint8_t function = kStbGlobal << 4 | kSttFunc;
  const Bytes bytes = file_with_symbols({{"large", {0, 0x1000, 0x100, function, 0, 1}},
                                         {"small", {0, 0x1010, 0x10, function, 0, 1}},
                                         {"open", {0, 0x1f00, 0, function, 0, 1}}});
  const ElfSymbols symbols = ElfSymbols::read(MemoryReader(bytes));
  CHECK(symbols.lookup(VirtAddr(0x100f))->name == "large");
  CHECK(symbols.lookup(VirtAddr(0x1010))->name == "small");
  CHECK(symbols.lookup(VirtAddr(0x1020))->name == "large");
  CHECK(symbols.lookup(VirtAddr(0x1020))->offset == 0x20);
  CHECK_FALSE(symbols.lookup(VirtAddr(0x1100)).has_value());
  // Without a size, up to the end of the section.
  CHECK(symbols.lookup(VirtAddr(0x1fff))->name == "open");
  CHECK_FALSE(symbols.lookup(VirtAddr(0x2000)).has_value());
}

}  // namespace
}  // namespace fl::loaders
