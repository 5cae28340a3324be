// /proc/swaps. Linux counterpart: swap_show (mm/swapfile.c), seq_file_path.
#include <fmt/format.h>

#include <iterator>
#include <string_view>

#include "vm/info/memory_reports.hpp"
#include "vm/memory_system.hpp"
#include "vm/swap/swap_space.hpp"

namespace fl::vm {
namespace {

// What would break a line into wrong columns, in octal. Linux: mangle_path.
std::string escaped(std::string_view name) {
  std::string text;
  for (const char c : name) {
    if (std::string_view(" \t\n\\").find(c) != std::string_view::npos) {
      fmt::format_to(std::back_inserter(text), "\\{:03o}", static_cast<unsigned char>(c));
    } else {
      text += c;
    }
  }
  return text;
}

}  // namespace

std::string format_swaps(MemorySystem& memory) {
  std::string text = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";
  // Columns of a number that is short enough are two tabs wide.
  const auto column = [](uint64_t kib) { return fmt::format("{}\t{}", kib, kib < 10000000 ? "\t" : ""); };
  memory.swap().for_each_area([&](const SwapArea& area) {
    const std::string name = escaped(area.name());
    fmt::format_to(std::back_inserter(text), "{}{}{}\t{}{}{}\n", name,
                   std::string(name.size() < 40 ? 40 - name.size() : 1, ' '),
                   area.store().kind() == SwapKind::kPartition ? "partition" : "file\t",
                   column(uint64_t{area.pages()} << (kPageShift - 10)),
                   column(uint64_t{area.inuse_pages()} << (kPageShift - 10)), area.prio);
  });
  return text;
}

}  // namespace fl::vm
