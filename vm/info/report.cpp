// The list of reports.
#include "vm/info/report.hpp"

#include <fmt/format.h>

#include <array>

#include "vm/memory_system.hpp"

namespace fl::vm {
namespace {

std::string meminfo(MemorySystem& memory) {
  const auto kb = [](uint64_t pages) { return pages * (kPageSize / 1024); };
  PageAllocator& pages = memory.pages();
  const uint64_t cached = memory.cache().cached_pages();
  return fmt::format(
      "MemTotal:       {:8} kB\nMemFree:        {:8} kB\nMemAvailable:   {:8} kB\nBuffers:        {:8} kB\n"
      "Cached:         {:8} kB\nSwapCached:     {:8} kB\nSwapTotal:      {:8} kB\nSwapFree:       {:8} kB\n"
      "PageTables:     {:8} kB\n",
      kb(pages.managed_frames()), kb(pages.free_frames()),
      kb(uint64_t{pages.free_frames()} + memory.cache().inactive_pages()), 0, kb(cached), 0, 0, 0,
      kb(pages.table_frames()));
}

constexpr std::array<MemoryReport, 1> kReports = {{
    {"meminfo", 0444, meminfo},
}};

}  // namespace

std::span<const MemoryReport> memory_reports() { return kReports; }

const MemoryReport* find_memory_report(std::string_view name) {
  for (const MemoryReport& report : kReports) {
    if (report.name == name) {
      return &report;
    }
  }
  return nullptr;
}

}  // namespace fl::vm
