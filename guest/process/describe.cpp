// describe_registers, describe_areas. See describe.hpp.
#include "guest/process/describe.hpp"

#include <fmt/format.h>

#include <array>
#include <iterator>

#include "guest/process/peek.hpp"

namespace fl::guest {

std::string describe_registers(const Task& task) {
  const Registers& r = task.regs;
  std::string text = fmt::format(
      "eax {:08x} ebx {:08x} ecx {:08x} edx {:08x}\nesi {:08x} edi {:08x} ebp {:08x} esp {:08x}\n"
      "eip {:08x} eflags {:08x} cs {:02x} ss {:02x} ds {:02x} es {:02x} fs {:02x} gs {:02x}\n"
      "trap {} error {:x} cr2 {:08x}\ncode at eip:",
      r.eax, r.ebx, r.ecx, r.edx, r.esi, r.edi, r.ebp, r.esp, r.eip, r.eflags, r.cs, r.ss, r.ds, r.es, r.fs, r.gs,
      task.trap_number, task.error_code, task.cr2);
  std::array<std::byte, 16> code;
  const size_t bytes = task.mm != nullptr ? peek(*task.mm, VirtAddr(r.eip), code) : 0;
  for (size_t i = 0; i < bytes; ++i) {
    fmt::format_to(std::back_inserter(text), " {:02x}", std::to_integer<unsigned>(code[i]));
  }
  text += bytes == 0 ? " not present\n" : "\n";
  return text;
}

std::string describe_areas(const vm::AddressSpace& mm) {
  std::string text;
  for (const vm::VmArea* area = mm.areas().first(); area != nullptr; area = area->next) {
    const std::string_view name = area->special != nullptr ? area->special->name
                                  : area->file != nullptr  ? std::string_view(area->file->path)
                                                           : std::string_view{};
    fmt::format_to(std::back_inserter(text), "{:08x}-{:08x} {} {:08x} {}\n", area->start.value(), area->end.value(),
                   vm::permissions(*area), area->anonymous() ? 0 : uint64_t{area->pgoff} << kPageShift, name);
  }
  return text;
}

}  // namespace fl::guest
