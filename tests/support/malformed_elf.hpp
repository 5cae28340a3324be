// A small good i386 program as bytes, and hundreds of ways to damage it: for the parser's unit tests, the fuzz target's
// corpus, and the test that runs each file under faultline.
//
// Everything is made from the bytes of one program that exits with status 42, so that a file whose damage does not
// matter is recognised by that. Deterministic: the same calls give the same files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace fl::test {

using Bytes = std::vector<std::byte>;

struct ElfFile {
  std::string name;  // a sentence fragment that says what is wrong; without '/'
  Bytes bytes;
};

inline constexpr int kGoodElfStatus = 42;

// Static ET_EXEC: text at 0x08048000 (with ELF and program headers), data at 0x0804a000 with a bss of two pages and a
// half, PT_GNU_STACK, a symbol table. Checks that its data and bss read as they should, then exits with kGoodElfStatus;
// with 1 if they do not.
Bytes good_elf();

// More than 200 files, each damaged in one way: cut short at every boundary, wrong identification, header sizes, counts
// and offsets, segments that wrap, overlap, lie outside, are huge or misaligned, bad entry points, interpreters,
// stacks, notes and section headers. Some of them Linux runs.
std::vector<ElfFile> malformed_elf_files();

// `count` copies of good_elf() with 1 to 16 random changes each (bytes, bits, words of extreme values, a cut end), most
// of them in the headers. Only headers and tables are changed, never the instructions, so that what runs is harmless.
std::vector<ElfFile> mutated_elf_files(size_t count, uint32_t seed);

}  // namespace fl::test
