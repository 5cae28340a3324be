// Reading a VmArea for a trace: the fields of /proc/PID/maps.
#include "emu/trace/trace_area.hpp"

#include "emu/dump/area_name.hpp"
#include "mmu/base/check.hpp"

namespace fl::emu {
namespace {

// As vm::permissions, without its string.
std::array<char, 4> permission_letters(const vm::VmArea& area) {
  return {area.has(vm::VmFlag::kRead) ? 'r' : '-', area.has(vm::VmFlag::kWrite) ? 'w' : '-',
          area.has(vm::VmFlag::kExec) ? 'x' : '-', area.shared() ? 's' : 'p'};
}

}  // namespace

TraceArea describe_area(const vm::VmArea& area) {
  FL_CHECK(area.mm != nullptr);
  return {.start = area.start,
          .end = area.end,
          .perm = permission_letters(area),
          .name = area_name(*area.mm, area),
          .pgoff = area.anonymous() ? 0 : area.pgoff};
}

}  // namespace fl::emu
