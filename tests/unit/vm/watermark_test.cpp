// The formulas for watermarks and reserves, against what a real i386 Linux 6.1 printed (tests/records/zoneinfo).
#include "vm/phys/watermark.hpp"

#include <catch2/catch_test_macros.hpp>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace fl::vm::test {
namespace {

struct ZoneRecord {
  std::string name;
  uint32_t managed = 0;
  Watermarks marks;
  ZoneCounts protection{};
  uint32_t pcp_high = 0;
  uint32_t pcp_batch = 0;
};

// The sections of a record: "@file NAME", then the file.
std::map<std::string, std::string> sections_of(const std::string& machine) {
  std::ifstream file(FL_SOURCE_DIR "/tests/records/zoneinfo/" + machine + ".txt");
  REQUIRE(file);
  std::map<std::string, std::string> sections;
  std::string name;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("@file ")) {
      name = line.substr(6);
    } else {
      sections[name] += line + "\n";
    }
  }
  return sections;
}

ZoneCounts read_protection(std::string text) {
  for (char& c : text) {
    c = c == '(' || c == ',' || c == ')' ? ' ' : c;
  }
  std::istringstream words(text);
  ZoneCounts counts{};
  for (uint32_t& count : counts) {
    words >> count;
  }
  return counts;
}

std::vector<ZoneRecord> read_zones(const std::string& text) {
  std::vector<ZoneRecord> zones;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string key;
    words >> key;
    if (line.starts_with("Node ")) {
      zones.emplace_back();
      zones.back().name = line.substr(line.rfind(' ') + 1);
      continue;
    }
    ZoneRecord& zone = zones.back();
    const std::map<std::string, uint32_t*> numbers = {{"min", &zone.marks.min},   {"low", &zone.marks.low},
                                                      {"high", &zone.marks.high}, {"managed", &zone.managed},
                                                      {"high:", &zone.pcp_high},  {"batch:", &zone.pcp_batch}};
    if (const auto number = numbers.find(key); number != numbers.end()) {
      words >> *number->second;
    } else if (key == "protection:") {
      zone.protection = read_protection(line.substr(line.find('(')));
    }
  }
  return zones;
}

// Feeds a captured file's managed sizes into the formulas and compares everything they give.
void compare(const std::string& text, WatermarkSettings settings) {
  const std::vector<ZoneRecord> zones = read_zones(text);
  REQUIRE(zones.size() == kZoneTypes);
  ZoneCounts managed{};
  for (uint32_t i = 0; i < kZoneTypes; ++i) {
    REQUIRE(zones[i].name == kZoneNames[i]);
    managed[i] = zones[i].managed;
  }
  const bool has_highmem = managed[index_of(ZoneType::kHighmem)] != 0;
  const uint64_t lowmem = uint64_t{managed[0]} + managed[1];
  for (uint32_t i = 0; i < kZoneTypes; ++i) {
    INFO("zone " << kZoneNames[i] << " of " << managed[i] << " pages");
    const auto type = static_cast<ZoneType>(i);
    const bool highmem = type == ZoneType::kHighmem || (type == ZoneType::kMovable && has_highmem);
    const Watermarks marks = zone_watermarks(managed[i], highmem, lowmem, settings);
    CHECK(marks.min == zones[i].marks.min);
    CHECK(marks.low == zones[i].marks.low);
    CHECK(marks.high == zones[i].marks.high);
    CHECK(lowmem_reserve(type, managed, settings) == zones[i].protection);
    if (managed[i] != 0) {
      CHECK(zone_batchsize(managed[i]) == zones[i].pcp_batch);
      CHECK(zone_highsize(marks.low, zones[i].pcp_batch, 1) == zones[i].pcp_high);
    }
  }
}

}  // namespace

TEST_CASE("watermarks: those of a real i386 kernel, for the same managed pages") {
  for (const char* machine : {"128M", "512M", "2G"}) {
    INFO("machine " << machine);
    const auto sections = sections_of(machine);
    WatermarkSettings settings;
    settings.min_free_kbytes = static_cast<uint32_t>(std::stoul(sections.at("min_free_kbytes")));
    compare(sections.at("zoneinfo_rewritten"), settings);
    settings.watermark_scale_factor = 200;
    compare(sections.at("zoneinfo_scale_200"), settings);
  }
}

TEST_CASE("watermarks: min_free_kbytes is that of a real i386 kernel") {
  for (const char* machine : {"128M", "512M", "2G"}) {
    INFO("machine " << machine);
    const auto sections = sections_of(machine);
    ZoneCounts managed{};
    for (uint32_t i = 0; const ZoneRecord& zone : read_zones(sections.at("zoneinfo"))) {
      managed[i++] = zone.managed;
    }
    const auto real = static_cast<uint32_t>(std::stoul(sections.at("min_free_kbytes")));
    CHECK(real <= min_free_kbytes_at_boot(std::span(&managed, 1)));
    // The kernel computed it before it freed its initial memory: on some 540 pages less than it prints now.
    managed[index_of(ZoneType::kNormal)] -= 560;
    CHECK(min_free_kbytes_at_boot(std::span(&managed, 1)) <= real);
  }
}

TEST_CASE("watermarks: min_free_kbytes keeps between 128 KiB and 256 MiB") {
  CHECK(calculate_min_free_kbytes(0) == 128);
  CHECK(calculate_min_free_kbytes(256) == 128);
  CHECK(calculate_min_free_kbytes(257) == 128);
  CHECK(calculate_min_free_kbytes(270) == 131);
  CHECK(calculate_min_free_kbytes(uint64_t{1} << 33) == 262144);
}

TEST_CASE("watermarks: khugepaged asks for blocks to fall back to, but for no more than a twentieth") {
  // Two zones of 1024-page blocks: 2 * 1024 * (2 + 9) pages.
  CHECK(khugepaged_min_free_kbytes(1000, 2, 10'000'000) == 22528 * 4);
  CHECK(khugepaged_min_free_kbytes(1000, 2, 100'000) == 5000 * 4);
  CHECK(khugepaged_min_free_kbytes(30'000, 2, 100'000) == 30'000);
}

}  // namespace fl::vm::test
