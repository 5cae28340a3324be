// The texts of /proc about memory: that they say what the structures hold.
#include <catch2/catch_test_macros.hpp>
#include <sstream>

#include "tests/unit/vm/vm_machine.hpp"
#include "vm/info/frame_use.hpp"
#include "vm/info/node_report.hpp"
#include "vm/info/report.hpp"
#include "vm/info/totals.hpp"

namespace fl::vm::test {
namespace {

std::string text_of(MemorySystem& memory, std::string_view name) {
  const MemoryReport* const report = find_memory_report(name);
  REQUIRE(report != nullptr);
  return report->text(memory);
}

// The number after a name at the start of a line.
uint64_t number_after(const std::string& text, const std::string& name) {
  const size_t at = ("\n" + text).find("\n" + name);
  REQUIRE(at != std::string::npos);
  return std::stoull(text.substr(at + name.size()));
}

}  // namespace

TEST_CASE("info: every frame is counted once, whatever it is used for") {
  Machine machine(2048);
  const auto check = [&] {
    FrameUse sum;
    for (const NodeUse& node : count_frames(machine.memory())) {
      sum += node.total();
    }
    CHECK(sum.free + sum.pcp + sum.anon + sum.file + sum.table + sum.slab + sum.kernel + sum.reserved ==
          machine.memory().ram().frames());
    CHECK(sum.free == machine.memory().pages().nr_free_pages());
    CHECK(sum.free + sum.pcp == machine.memory().pages().free_frames());
    CHECK(sum.table == machine.memory().pages().table_frames());
    return sum;
  };
  const FrameUse before = check();
  REQUIRE(machine.memory().pages().alloc_pages(kGfpKernel, 3));
  REQUIRE(machine.memory().pages().alloc_pages(kGfpKernel));
  const FrameUse after = check();
  CHECK(after.kernel == before.kernel + 9);
}

TEST_CASE("info: meminfo, vmstat and zoneinfo tell the same numbers") {
  Machine machine(2048);
  MemorySystem& memory = machine.memory();
  const std::string meminfo = text_of(memory, "meminfo"), vmstat = text_of(memory, "vmstat");
  CHECK(number_after(meminfo, "MemTotal:") == uint64_t{memory.pages().managed_frames()} * 4);
  CHECK(number_after(meminfo, "MemFree:") == number_after(vmstat, "nr_free_pages ") * 4);
  CHECK(number_after(meminfo, "PageTables:") == number_after(vmstat, "nr_page_table_pages ") * 4);
  CHECK(number_after(meminfo, "HighTotal:") == 0);
  const std::string zoneinfo = text_of(memory, "zoneinfo");
  CHECK(zoneinfo.starts_with("Node 0, zone      DMA\n  per-node stats\n      nr_inactive_anon 0\n"));
  CHECK(zoneinfo.find("\nNode 0, zone  Movable\n  pages free     0\n        boost    0\n") != std::string::npos);
  CHECK(zoneinfo.ends_with(")\n"));
}

TEST_CASE("info: buddyinfo has eleven orders a zone, in columns") {
  Machine machine(2048);
  const std::string text = text_of(machine.memory(), "buddyinfo");
  CHECK(text.starts_with("Node 0, zone      DMA "));
  CHECK(text.size() == 22 + 11 * 7 + 1);
  uint64_t frames = 0, count = 0;
  std::istringstream words(text.substr(22));
  for (uint32_t order = 0; words >> count; ++order) {
    frames += count << order;
  }
  CHECK(frames == machine.memory().pages().nr_free_pages());
}

TEST_CASE("info: vmallocinfo lists the areas, and meminfo their pages") {
  Machine machine(2048);
  MemorySystem& memory = machine.memory();
  const uint64_t used = number_after(text_of(memory, "meminfo"), "VmallocUsed:");
  const auto area = memory.vmalloc().vmalloc(3 * kPageSize, "info_test");
  REQUIRE(area);
  CHECK(number_after(text_of(memory, "meminfo"), "VmallocUsed:") == used + 12);
  const std::string text = text_of(memory, "vmallocinfo");
  CHECK(text.find("   16384 info_test pages=3 vmalloc\n") != std::string::npos);
  memory.vmalloc().vfree(*area);
  CHECK(text_of(memory, "vmallocinfo").find("info_test") == std::string::npos);
}

TEST_CASE("info: reports are sorted, and unknown ones are not found") {
  const auto reports = memory_reports();
  for (size_t i = 1; i < reports.size(); ++i) {
    CHECK(reports[i - 1].name < reports[i].name);
  }
  CHECK(find_memory_report("nothing") == nullptr);
  CHECK(find_memory_report("meminfo") != nullptr);
}

TEST_CASE("info: making a report changes nothing") {
  Machine machine(2048);
  const uint32_t free = machine.memory().pages().free_frames();
  for (const MemoryReport& report : memory_reports()) {
    const std::string first = report.text(machine.memory());
    CHECK(first == report.text(machine.memory()));
    // A machine that has just booted may have no vmalloc area.
    CHECK((!first.empty() || report.name == "vmallocinfo"));
  }
  for (const NodeReport& report : node_reports()) {
    CHECK(report.text(machine.memory(), 0) == report.text(machine.memory(), 0));
  }
  CHECK(machine.memory().pages().free_frames() == free);
}

}  // namespace fl::vm::test
