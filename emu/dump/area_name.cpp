// Linux compares borders, not flags: a heap whose VMA was split is [heap] in both parts.
#include "emu/dump/area_name.hpp"

namespace fl::emu {

std::string_view area_name(const vm::AddressSpace& mm, const vm::VmArea& area) {
  if (area.file != nullptr) {
    return area.file->path;
  }
  if (area.special != nullptr) {
    return area.special->name;
  }
  const vm::ProgramLayout& layout = mm.layout();
  if (area.start < layout.brk && area.end > layout.start_brk) {
    return "[heap]";
  }
  if (area.start <= layout.start_stack && layout.start_stack <= area.end) {
    return "[stack]";
  }
  return {};
}

}  // namespace fl::emu
