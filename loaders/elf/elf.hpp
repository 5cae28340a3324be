// What an ELF32 executable says: its headers, checked as execve checks them, and the plan for mapping its segments.
//
// Linux counterpart: load_elf_binary, load_elf_phdrs, total_mapping_size, maximum_alignment (fs/binfmt_elf.c). Pure:
// reads the file, maps nothing. Linux does it in two steps, and a program can see which one failed: before the point of
// no return execve returns an error (parse_elf), after it the process is killed by SIGSEGV (plan_elf, and the mapping
// itself). Simplified: PT_GNU_PROPERTY and PT_GNU_RELRO mean nothing to the kernel on i386 and are passed over.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "loaders/elf/elf_format.hpp"
#include "loaders/file_reader.hpp"
#include "mmu/base/addr.hpp"
#include "mmu/base/result.hpp"
#include "vm/profile.hpp"

namespace fl::loaders {

enum class ElfType {
  kExec,  // ET_EXEC: at the addresses in the file
  kDyn,   // ET_DYN: anywhere; without an interpreter a static-PIE
};

// What PT_GNU_STACK asks for. Linux: EXSTACK_*. kDefault also means READ_IMPLIES_EXEC for the whole program (rule C6).
enum class ExecStack { kDefault, kDisableX, kEnableX };

struct ElfImage {
  ElfType type;
  vm::ElfLoading loading;  // the kernel whose rules were asked for
  ElfHeader header;
  std::vector<ElfProgramHeader> program_headers;  // all of them, in the file's order; 1 to 2048
  ExecStack exec_stack;
  // PT_INTERP's path as a C program reads it; the first one counts. The caller refuses or loads it.
  std::optional<std::string> interpreter;
};

// Checks what Linux checks before the point of no return. As Linux, it does not look at EI_CLASS, EI_DATA or versions.
// `loading` decides how many program headers are too many: more than one page (6.1) or 64 KiB (6.18) of them.
// Errors: ENOEXEC for a file that is not an i386 ELF program, has no or too many program headers, headers of another
// size or outside the file, or a bad interpreter path; EIO for an interpreter path outside the file; and what the
// reader gives.
Result<ElfImage> parse_elf(const FileReader& file, vm::ElfLoading loading = vm::ElfLoading::k6_18);

// One PT_LOAD. Addresses are the file's: the load bias is still to be added. It is mapped in two parts, either may be
// empty:
//   [map_start, map_start + map_size)   private mapping of the file from file_offset on
//   [bss_start, bss_start + bss_size)   anonymous pages behind it
// If zero_size is not 0, that many bytes from zero_start on (to the end of the last file page) must be cleared, as a
// write by the kernel (rule C3).
struct ElfSegment {
  uint32_t flags;  // kPfR | kPfW | kPfX
  VirtAddr map_start;
  uint32_t map_size;     // bytes, whole pages
  uint32_t file_offset;  // a multiple of the page size
  VirtAddr zero_start;
  uint32_t zero_size;
  VirtAddr bss_start;
  uint32_t bss_size;  // bytes, whole pages
};

// All segments, and what Linux remembers of them in mm_struct. Addresses without load bias.
struct ElfPlan {
  std::vector<ElfSegment> segments;  // in the file's order; they may overlap: later ones replace earlier ones
  VirtAddr start;                    // page of the lowest segment
  uint32_t total_size;               // bytes from there to the end of the highest segment, 0 without segments
  uint32_t alignment;                // largest p_align that is a power of two, at least a page
  VirtAddr start_code, end_code, start_data, end_data;
  VirtAddr end_bss;  // end of the highest segment in memory (Linux: elf_brk); the heap starts at the page after it
  VirtAddr entry;  // may be anywhere; at or above the end of user space Linux refuses (BAD_ADDR), after adding the bias
  VirtAddr phdr;   // AT_PHDR: where the program headers are in memory; 0 if no segment has them
};

// `task_size`: the end of user space. Linux: TASK_SIZE.
// Errors: EINVAL for a segment with p_filesz > p_memsz, one that does not fit below task_size, one whose file offset
// and address disagree modulo 4096 (what mmap says), on 6.1-i386 one whose file offset passes 4 GiB, and an ET_DYN file
// whose segments are all empty. Linux has by then killed the old program, so the process dies by SIGSEGV.
Result<ElfPlan> plan_elf(const ElfImage& image, uint32_t task_size);

}  // namespace fl::loaders
