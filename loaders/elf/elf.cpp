// The first half of load_elf_binary (fs/binfmt_elf.c): all checks on the headers and all arithmetic on the segments, in
// Linux's order. Sums are made in 64 bits, where Linux on i386 makes them in 32 and looks for the wrap afterwards.
#include "loaders/elf/elf.hpp"

#include <algorithm>
#include <bit>

#include "loaders/elf/elf_bytes.hpp"

namespace fl::loaders {
namespace {

// Linux: PATH_MAX, the limit of PT_INTERP's size.
constexpr uint32_t kPathMax = 4096;

Result<std::vector<ElfProgramHeader>> read_program_headers(const FileReader& file, const ElfHeader& header,
                                                           vm::ElfLoading loading) {
  if (header.e_phentsize != sizeof(ElfProgramHeader)) {
    return fail(Errno::kENOEXEC);
  }
  // Linux: ELF_MIN_ALIGN, a limit beside the one of 64 KiB that later kernels have dropped.
  const size_t limit = loading == vm::ElfLoading::k6_1 ? kPageSize : 64 * 1024;
  const size_t size = size_t{header.e_phnum} * sizeof(ElfProgramHeader);
  if (size == 0 || size > limit) {
    return fail(Errno::kENOEXEC);
  }
  std::vector<ElfProgramHeader> headers(header.e_phnum);
  if (!read_exactly(file, header.e_phoff, std::as_writable_bytes(std::span(headers)))) {
    return fail(Errno::kENOEXEC);
  }
  return headers;
}

Result<std::string> read_interpreter(const FileReader& file, const ElfProgramHeader& header) {
  if (header.p_filesz > kPathMax || header.p_filesz < 2) {
    return fail(Errno::kENOEXEC);
  }
  std::string path(header.p_filesz, '\0');
  FL_TRY(read_exactly(file, header.p_offset, std::as_writable_bytes(std::span(path))));
  if (path.back() != '\0') {
    return fail(Errno::kENOEXEC);
  }
  path.resize(path.find('\0'));
  return path;
}

// The last PT_GNU_STACK counts.
ExecStack exec_stack_of(const std::vector<ElfProgramHeader>& headers) {
  auto stack = ExecStack::kDefault;
  for (const ElfProgramHeader& header : headers) {
    if (header.p_type == kPtGnuStack) {
      stack = (header.p_flags & kPfX) != 0 ? ExecStack::kEnableX : ExecStack::kDisableX;
    }
  }
  return stack;
}

// One PT_LOAD that has passed the checks. Linux: elf_map, elf_load.
Result<ElfSegment> plan_segment(const ElfProgramHeader& header, vm::ElfLoading loading, uint32_t task_size) {
  const uint32_t vaddr = header.p_vaddr;
  if (vaddr >= task_size || header.p_filesz > header.p_memsz || header.p_memsz > task_size ||
      task_size - header.p_memsz < vaddr) {
    return fail(Errno::kEINVAL);
  }
  const uint32_t in_page = VirtAddr(vaddr).page_offset();
  const uint64_t file_end = uint64_t{vaddr} + header.p_filesz;
  const uint64_t mem_end = uint64_t{vaddr} + header.p_memsz;
  // task_size is a multiple of the page size, so no rounding goes above it.
  const uint64_t map_end = page_align_up(file_end);

  ElfSegment segment{};
  segment.flags = header.p_flags & (kPfR | kPfW | kPfX);
  segment.map_start = VirtAddr(vaddr).page();
  // Without file bytes all pages are anonymous, the first from its beginning (measured on 6.1.176 and 6.18).
  if (header.p_filesz == 0) {
    if (header.p_memsz != 0) {
      segment.bss_start = segment.map_start;
      segment.bss_size = static_cast<uint32_t>(page_align_up(mem_end) - segment.map_start.value());
    }
    return segment;
  }
  segment.map_size = static_cast<uint32_t>(map_end - segment.map_start.value());
  segment.file_offset = header.p_offset - in_page;
  if ((segment.file_offset & kPageOffsetMask) != 0) {
    return fail(Errno::kEINVAL);
  }
  // vm_mmap adds in an unsigned long, which has 64 bits on the compat kernel.
  if (loading == vm::ElfLoading::k6_1 && uint64_t{segment.file_offset} + segment.map_size > UINT32_MAX) {
    return fail(Errno::kEINVAL);
  }
  if (mem_end > file_end) {
    segment.zero_start = VirtAddr(static_cast<uint32_t>(file_end));
    segment.zero_size = static_cast<uint32_t>(map_end - file_end);
    segment.bss_start = VirtAddr(static_cast<uint32_t>(map_end));
    segment.bss_size = static_cast<uint32_t>(std::max(page_align_up(mem_end), map_end) - map_end);
  }
  return segment;
}

}  // namespace

Result<ElfImage> parse_elf(const FileReader& file, vm::ElfLoading loading) {
  FL_TRY_ASSIGN(const ExecHeader bytes, read_exec_header(file));
  ElfImage image{};
  image.loading = loading;
  image.header = load_from<ElfHeader>(bytes);
  if (!std::equal(kElfMagic.begin(), kElfMagic.end(), image.header.e_ident.begin())) {
    return fail(Errno::kENOEXEC);
  }
  if (image.header.e_type != kEtExec && image.header.e_type != kEtDyn) {
    return fail(Errno::kENOEXEC);
  }
  image.type = image.header.e_type == kEtExec ? ElfType::kExec : ElfType::kDyn;
  if (image.header.e_machine != kEm386 && image.header.e_machine != kEm486) {
    return fail(Errno::kENOEXEC);
  }
  FL_TRY_ASSIGN(image.program_headers, read_program_headers(file, image.header, loading));
  for (const ElfProgramHeader& header : image.program_headers) {
    if (header.p_type == kPtInterp) {
      FL_TRY_ASSIGN(image.interpreter, read_interpreter(file, header));
      break;
    }
  }
  image.exec_stack = exec_stack_of(image.program_headers);
  return image;
}

Result<ElfPlan> plan_elf(const ElfImage& image, uint32_t task_size) {
  FL_CHECK(task_size % kPageSize == 0);
  ElfPlan plan{};
  plan.alignment = kPageSize;
  plan.entry = VirtAddr(image.header.e_entry);
  plan.start_code = VirtAddr(UINT32_MAX);
  const uint32_t phoff = image.header.e_phoff;
  uint32_t lowest = UINT32_MAX;
  uint32_t highest = 0;

  for (const ElfProgramHeader& header : image.program_headers) {
    if (header.p_type != kPtLoad) {
      continue;
    }
    FL_TRY_ASSIGN(const ElfSegment segment, plan_segment(header, image.loading, task_size));
    plan.segments.push_back(segment);

    const VirtAddr start(header.p_vaddr);
    const VirtAddr file_end = start + header.p_filesz;
    if (header.p_offset <= phoff && phoff - header.p_offset < header.p_filesz) {
      plan.phdr = start + (phoff - header.p_offset);
    }
    if ((header.p_flags & kPfX) != 0) {
      plan.start_code = std::min(plan.start_code, start);
      plan.end_code = std::max(plan.end_code, file_end);
    }
    plan.start_data = std::max(plan.start_data, start);
    plan.end_data = std::max(plan.end_data, file_end);
    plan.end_bss = std::max(plan.end_bss, start + header.p_memsz);
    lowest = std::min(lowest, start.page().value());
    highest = std::max(highest, header.p_vaddr + header.p_memsz);
    if (std::has_single_bit(header.p_align)) {
      plan.alignment = std::max(plan.alignment, header.p_align);
    }
  }
  if (!plan.segments.empty()) {
    plan.start = VirtAddr(lowest);
    plan.total_size = highest - lowest;
    // Linux maps a position-independent file as a whole first, and there is nothing to map.
    if (image.type == ElfType::kDyn && plan.total_size == 0) {
      return fail(Errno::kEINVAL);
    }
  }
  return plan;
}

}  // namespace fl::loaders
