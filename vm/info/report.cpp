// The list of reports.
#include "vm/info/report.hpp"

#include <array>

#include "vm/info/memory_reports.hpp"
#include "vm/info/zone_reports.hpp"

namespace fl::vm {
namespace {

constexpr std::array<MemoryReport, 9> kReports = {{{"buddyinfo", 0444, format_buddyinfo},
                                                   {"iomem", 0444, format_iomem},
                                                   {"meminfo", 0444, format_meminfo},
                                                   {"pagetypeinfo", 0400, format_pagetypeinfo},
                                                   {"slabinfo", 0400, format_slabinfo},
                                                   {"swaps", 0444, format_swaps},
                                                   {"vmallocinfo", 0400, format_vmallocinfo},
                                                   {"vmstat", 0444, format_vmstat},
                                                   {"zoneinfo", 0444, format_zoneinfo}}};

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
