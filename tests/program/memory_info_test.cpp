// Whether what /proc says of memory adds up: over zones, orders, slabs and uses, and before and after a program uses
// some.
#include <fmt/format.h>

#include <catch2/catch_test_macros.hpp>
#include <map>
#include <sstream>

#include "tests/program/support/faultline_run.hpp"
#include "tests/program/support/native_run.hpp"

namespace fl::test {
namespace {

using Numbers = std::map<std::string, long>;

const std::vector<std::string> kGigabyte = {"--ram", "1G"};

std::string busybox(const std::vector<std::string>& args, const std::vector<std::string>& options = kGigabyte) {
  RunSpec spec{.program = FL_BUSYBOX, .args = args};
  if (!std::filesystem::exists(spec.program)) {
    SKIP("no busybox");
  }
  const FaultlineResult result = run_faultline(spec, {.kernel = "6.1-i386", .extra = options});
  INFO(result.run.error);
  REQUIRE(result.run.exit_status == 0);
  return result.run.output;
}

// Several files read by one program, so that nothing changes but by reading them.
std::map<std::string, std::string> read_files(const std::vector<std::string>& names,
                                              const std::vector<std::string>& options = kGigabyte) {
  std::string command;
  for (const std::string& name : names) {
    command += fmt::format("echo @{0}; while IFS= read -r l; do echo \"$l\"; done <{0};", name);
  }
  std::istringstream lines(busybox({"ash", "-c", command}, options));
  std::map<std::string, std::string> texts;
  std::string name;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with('@')) {
      name = line.substr(1);
    } else {
      texts[name] += line + "\n";
    }
  }
  return texts;
}

Numbers parse_meminfo(const std::string& text) {
  Numbers numbers;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const size_t colon = line.find(':');
    REQUIRE(colon != std::string::npos);
    numbers[line.substr(0, colon)] = std::stol(line.substr(colon + 1));
  }
  return numbers;
}

struct ZoneText {
  std::string name;
  Numbers values;
};
std::vector<ZoneText> parse_zoneinfo(const std::string& text) {
  std::vector<ZoneText> zones;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string first, second;
    words >> first >> second;
    if (first == "Node") {
      std::string zone, name;
      words >> zone >> name;
      zones.push_back({name, {}});
    } else if (first == "pages" && second == "free") {
      words >> zones.back().values["free"];
    } else if (!second.empty() && second.find_first_not_of("-0123456789") == std::string::npos) {
      zones.back().values[first.back() == ':' ? first.substr(0, first.size() - 1) : first] = std::stol(second);
    }
  }
  return zones;
}

long sum(const std::vector<ZoneText>& zones, const std::string& name) {
  long total = 0;
  for (const ZoneText& zone : zones) {
    const auto found = zone.values.find(name);
    total += found != zone.values.end() ? found->second : 0;
  }
  return total;
}

constexpr long kKbPerPage = 4;

}  // namespace

TEST_CASE("memory info: the numbers of a machine of 1 GiB add up", "[memory]") {
  const auto texts = read_files({"/proc/meminfo", "/proc/zoneinfo", "/proc/buddyinfo", "/proc/slabinfo"});
  const Numbers meminfo = parse_meminfo(texts.at("/proc/meminfo"));
  const std::vector<ZoneText> zones = parse_zoneinfo(texts.at("/proc/zoneinfo"));
  REQUIRE(zones.size() == 4);
  CHECK(zones[0].name == "DMA");
  CHECK(zones[3].name == "Movable");

  // The machine: 1 GiB less the hole of the PC, and less what the kernel took before it counted.
  CHECK(meminfo.at("MemTotal") > 1000 * 1024);
  CHECK(meminfo.at("MemTotal") < 1024 * 1024);
  CHECK(sum(zones, "managed") * kKbPerPage == meminfo.at("MemTotal"));
  CHECK(sum(zones, "present") <= (1 << 18));
  CHECK(sum(zones, "managed") < sum(zones, "present"));
  CHECK(meminfo.at("LowTotal") + meminfo.at("HighTotal") == meminfo.at("MemTotal"));
  CHECK(meminfo.at("LowFree") + meminfo.at("HighFree") == meminfo.at("MemFree"));
  CHECK(zones[2].values.at("managed") * kKbPerPage == meminfo.at("HighTotal"));

  // Whether between two files something was allocated can be seen, and is little.
  CHECK(std::abs(sum(zones, "free") * kKbPerPage - meminfo.at("MemFree")) < 256);
  for (const ZoneText& zone : zones) {
    if (zone.values.contains("nr_free_pages")) {
      CHECK(zone.values.at("nr_free_pages") == zone.values.at("free"));
      CHECK(zone.values.at("min") <= zone.values.at("low"));
      CHECK(zone.values.at("low") <= zone.values.at("high"));
      CHECK(zone.values.at("managed") <= zone.values.at("present"));
      CHECK(zone.values.at("present") <= zone.values.at("spanned"));
    }
  }

  // Every page in use has a name.
  const long named = meminfo.at("MemFree") + meminfo.at("AnonPages") + meminfo.at("Cached") + meminfo.at("PageTables") +
                     meminfo.at("Slab") + meminfo.at("KernelStack") + meminfo.at("VmallocUsed") +
                     sum(zones, "count") * kKbPerPage;
  CHECK(meminfo.at("MemTotal") - named >= 0);
  CHECK(meminfo.at("MemTotal") - named < 256);
  CHECK(meminfo.at("SReclaimable") + meminfo.at("SUnreclaim") == meminfo.at("Slab"));
}

TEST_CASE("memory info: buddyinfo and pagetypeinfo give the free pages of zoneinfo, by order and by type", "[memory]") {
  // One program that keeps all three open before it reads any: reading allocates nothing then.
  const auto texts = read_files({"/proc/buddyinfo", "/proc/pagetypeinfo", "/proc/buddyinfo", "/proc/zoneinfo"});
  const std::vector<ZoneText> zones = parse_zoneinfo(texts.at("/proc/zoneinfo"));
  std::map<std::string, long> by_order;
  std::istringstream lines(texts.at("/proc/buddyinfo"));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string word, name;
    words >> word >> word >> word >> name;
    long pages = 0, count = 0;
    for (int order = 0; words >> count; ++order) {
      REQUIRE(order <= 10);
      pages += count << order;
    }
    by_order[name] += pages;
  }
  // read_files joins what was read twice.
  for (const ZoneText& zone : zones) {
    if (zone.values.contains("nr_free_pages")) {
      INFO(zone.name);
      CHECK(std::abs(by_order[zone.name] - 2 * zone.values.at("free")) < 64);
    }
  }
  std::map<std::string, long> by_type;
  std::istringstream types(texts.at("/proc/pagetypeinfo"));
  for (std::string line; std::getline(types, line);) {
    const size_t type = line.find(", type ");
    if (type == std::string::npos) {
      continue;
    }
    std::istringstream words(line.substr(type + 7));
    std::string name;
    words >> name;
    long count = 0;
    for (int order = 0; words >> count; ++order) {
      by_type[name] += count << order;
    }
  }
  CHECK(by_type.size() == 5);
  CHECK(by_type.at("Movable") > by_type.at("Unmovable"));
}

TEST_CASE("memory info: slabinfo's pages are the Slab of meminfo", "[memory]") {
  const auto texts = read_files({"/proc/slabinfo", "/proc/meminfo"});
  std::istringstream lines(texts.at("/proc/slabinfo"));
  std::string line;
  std::getline(lines, line);
  CHECK(line == "slabinfo - version: 2.1");
  std::getline(lines, line);
  CHECK(
      line.starts_with("# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables"));
  long pages = 0, caches = 0;
  while (std::getline(lines, line)) {
    std::string name, word;
    long active = 0, objects = 0, size = 0, per_slab = 0, slab_pages = 0, active_slabs = 0, slabs = 0;
    const size_t data = line.find(": slabdata ");
    REQUIRE(data != std::string::npos);
    std::istringstream(line) >> name >> active >> objects >> size >> per_slab >> slab_pages;
    std::istringstream(line.substr(data + 11)) >> active_slabs >> slabs;
    INFO(line);
    CHECK(active <= objects);
    CHECK(objects == slabs * per_slab);
    CHECK(active_slabs <= slabs);
    CHECK(size * per_slab <= slab_pages * 4096);
    pages += slabs * slab_pages;
    ++caches;
  }
  CHECK(caches > 20);
  const Numbers meminfo = parse_meminfo(texts.at("/proc/meminfo"));
  CHECK(std::abs(pages * kKbPerPage - meminfo.at("Slab")) < 128);
}

TEST_CASE("memory info: what a program uses is missing from MemFree, each page accounted for by name", "[memory]") {
  RunSpec spec{.program = guest_program("musl", "memory_accounts")};
  if (spec.program.empty()) {
    SKIP("memory_accounts was not built");
  }
  const FaultlineResult result = run_faultline(spec, {.kernel = "6.1-i386", .extra = {"--ram", "1G"}});
  INFO(result.run.output << result.run.error);
  REQUIRE(result.run.exit_status == 0);
  std::map<std::string, Numbers> steps;
  std::istringstream lines(result.run.output);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string step, name;
    long pages = 0;
    words >> step;
    while (words >> name >> pages) {
      steps[step][name] = pages;
    }
  }
  REQUIRE(steps.size() == 8);
  for (const auto& [step, use] : steps) {
    INFO(step);
    CHECK(use.at("unexplained") == 0);
  }
  CHECK(steps["nothing"].at("free") == 0);
  CHECK(steps["anon"].at("anon") == 300);
  CHECK(steps["anon"].at("tables") == 3);
  CHECK(steps["dontneed"].at("anon") == -300);
  CHECK(steps["shared"].at("files") == 50);
  CHECK(steps["shared"].at("anon") == 0);
  CHECK(steps["unshared"].at("files") == -50);
  CHECK(steps["freed"].at("tables") <= -2);
  CHECK(steps["areas"].at("slab") > 0);
}

TEST_CASE("memory info: a machine with nodes obeys memory policies", "[memory]") {
  RunSpec spec{.program = guest_program("musl", "mempolicy")};
  if (spec.program.empty()) {
    SKIP("mempolicy was not built");
  }
  const FaultlineResult two =
      run_faultline(spec, {.kernel = "6.1-i386", .extra = {"--ram", "64M", "--numa", "2", "--verify", "1"}});
  INFO(two.run.output << two.run.error);
  CHECK(two.run.exit_status == 0);
  CHECK(two.run.output.ends_with("all as expected\n"));
  // A kernel without NUMA does not have the calls.
  const FaultlineResult one = run_faultline(spec, {.kernel = "6.1-i386"});
  CHECK(one.run.exit_status == 0);
  CHECK(one.run.output == "no NUMA\n");
}

TEST_CASE("memory info: busybox's tools read the files", "[memory]") {
  const std::string free = busybox({"free"});
  std::istringstream words(free.substr(free.find("Mem:") + 4));
  long total = 0, used = 0, left = 0;
  words >> total >> used >> left;
  const Numbers meminfo = parse_meminfo(busybox({"cat", "/proc/meminfo"}));
  CHECK(total == meminfo.at("MemTotal"));
  CHECK(used > 0);
  CHECK(std::abs(left - meminfo.at("MemFree")) < 1024);
  CHECK(free.find("Swap:             0           0           0") != std::string::npos);
}

TEST_CASE("memory info: every page of a small machine and of one with high memory is in one zone", "[memory]") {
  for (const char* ram : {"16M", "2G", "3G"}) {
    INFO(ram);
    const auto texts = read_files({"/proc/meminfo", "/proc/zoneinfo"}, {"--ram", ram});
    const std::vector<ZoneText> zones = parse_zoneinfo(texts.at("/proc/zoneinfo"));
    const Numbers meminfo = parse_meminfo(texts.at("/proc/meminfo"));
    CHECK(sum(zones, "managed") * kKbPerPage == meminfo.at("MemTotal"));
    CHECK((meminfo.at("HighTotal") > 0) == (std::string_view(ram) != "16M"));
  }
}

}  // namespace fl::test
