// /proc/PID/maps, and its lines in smaps. Linux counterpart: show_map_vma (fs/proc/task_mmu.c).
#include <fmt/format.h>

#include <iterator>
#include <string>

#include "guest/fs/file_stat.hpp"
#include "guest/fs/proc/proc_text.hpp"

namespace fl::guest {
namespace {

// What stands in the last column; empty: nothing.
std::string_view area_name(const vm::AddressSpace& mm, const vm::VmArea& area, const vm::KernelProfile& profile) {
  if (area.file != nullptr) {
    return area.file->path;
  }
  if (area.special != nullptr) {
    return area.special->name;
  }
  const vm::ProgramLayout& layout = mm.layout();
  // Linux: vma_is_initial_heap. Until 6.6 a bss that ends where the heap starts counted too.
  const bool touching = profile.elf_loading == vm::ElfLoading::k6_1;
  if (touching ? area.start <= layout.brk && area.end >= layout.start_brk
               : area.start < layout.brk && area.end > layout.start_brk) {
    return "[heap]";
  }
  if (area.start <= layout.start_stack && area.end >= layout.start_stack) {
    return "[stack]";
  }
  return {};
}

// Linux: seq_file_path(m, file, "\n").
void append_path(std::string& text, std::string_view path) {
  for (const char c : path) {
    if (c == '\n') {
      text += "\\012";
    } else {
      text += c;
    }
  }
}

// The names stand in a column that depends on the kernel's pointer size. Linux: seq_pad after seq_setwidth.
void pad_to_name(std::string& text, size_t line, const vm::KernelProfile& profile) {
  const size_t name_column = 25 + size_t{profile.kernel_pointer_bytes} * 6 - 1;
  const size_t printed = text.size() - line;
  text.append(printed < name_column ? name_column - printed : 0, ' ');
  text += ' ';
}

}  // namespace

void append_map_line(std::string& text, const vm::AddressSpace& mm, const vm::VmArea& area,
                     const vm::KernelProfile& profile) {
  const size_t line = text.size();
  const bool backed = area.file != nullptr;
  const uint64_t device = backed ? area.file->device : 0;
  fmt::format_to(std::back_inserter(text), "{:08x}-{:08x} {} {:08x} {:02x}:{:02x} {} ", area.start.value(),
                 area.end.value(), vm::permissions(area), backed ? uint64_t{area.pgoff} << kPageShift : 0, device >> 32,
                 device & 0xffffffffu, backed ? area.file->inode : 0);
  if (const std::string_view name = area_name(mm, area, profile); !name.empty()) {
    pad_to_name(text, line, profile);
    append_path(text, name);
  }
  text += '\n';
}

void append_rollup_line(std::string& text, const vm::AddressSpace& mm, const vm::KernelProfile& profile) {
  const vm::VmArea* const first = mm.areas().first();
  const vm::VmArea* const last = mm.areas().last();
  const size_t line = text.size();
  fmt::format_to(std::back_inserter(text), "{:08x}-{:08x} ---p 00000000 00:00 0 ",
                 first != nullptr ? first->start.value() : 0, last != nullptr ? last->end.value() : 0);
  pad_to_name(text, line, profile);
  text += "[rollup]\n";
}

}  // namespace fl::guest
