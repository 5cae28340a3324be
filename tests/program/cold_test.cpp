// A machine whose files are on the disk only, what its traces say of reclaim, and samples of its memory.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/program/support/faultline_run.hpp"
#include "tests/program/support/native_run.hpp"

namespace fl::test {
namespace {

FaultlineResult run(const std::string& program, std::vector<std::string> args, std::vector<std::string> extra,
                    bool trace = false, const std::string& kernel = "6.1-i386") {
  const std::filesystem::path path = guest_program("glibc", program);
  REQUIRE(!path.empty());
  RunSpec spec{.program = path, .args = std::move(args)};
  spec.cwd = scratch();
  FaultlineOptions options{.trace = trace, .writable_scratch = true, .kernel = kernel};
  options.extra = std::move(extra);
  FaultlineResult result = run_faultline(spec, options);
  INFO("faultline's stderr: " << result.run.error);
  CHECK(result.run.exit_status == 0);
  return result;
}

std::vector<std::vector<uint64_t>> csv_rows(const std::filesystem::path& path, std::string& header) {
  std::ifstream in(path);
  REQUIRE(std::getline(in, header));
  std::vector<std::vector<uint64_t>> rows;
  for (std::string line, cell; std::getline(in, line);) {
    std::istringstream cells(line);
    rows.emplace_back();
    while (std::getline(cells, cell, ',')) {
      rows.back().push_back(std::stoull(cell));
    }
  }
  return rows;
}

}  // namespace

TEST_CASE("cold: hello has the faults of Linux 6.1 with 128 KiB readahead, and of 6.18 that reads all at once") {
  const FaultlineResult warm = run("hello", {}, {});
  CHECK(warm.minflt == 25);
  CHECK(warm.majflt == 0);
  const FaultlineResult cold = run("hello", {}, {"--page-cache", "cold"});
  CHECK(cold.minflt == 20);
  CHECK(cold.majflt == 8);
  const FaultlineResult at_once =
      run("hello", {}, {"--page-cache", "cold", "--readahead", "8192"}, false, "6.18-compat");
  CHECK(at_once.minflt == 24);
  CHECK(at_once.majflt == 1);
  const FaultlineResult none = run("hello", {}, {"--page-cache", "cold", "--readahead", "0"});
  CHECK(none.majflt > 15);
}

TEST_CASE("cold: a program's time has the disk's in it; it is the same in every run") {
  const auto nanoseconds = [](const FaultlineResult& result) {
    const size_t at = result.stats_text.find("\"virtual_ns\"");
    REQUIRE(at != std::string::npos);
    return std::stoull(result.stats_text.substr(result.stats_text.find_first_of("0123456789", at)));
  };
  const uint64_t ssd = nanoseconds(run("hello", {}, {"--page-cache", "cold"}));
  const uint64_t hdd = nanoseconds(run("hello", {}, {"--page-cache", "cold", "--disk", "hdd"}));
  const uint64_t none = nanoseconds(run("hello", {}, {"--page-cache", "cold", "--disk", "none"}));
  CHECK(ssd == nanoseconds(run("hello", {}, {"--page-cache", "cold"})));
  CHECK(ssd > none + 500'000);   // some requests of at least 100 us
  CHECK(hdd > ssd + 8'000'000);  // of at least 8 ms
  CHECK(none < 1'000'000);
}

TEST_CASE("disk: while a task waits others run, also where memory is short") {
  constexpr uint64_t kSeekNs = 5'000'000;
  const FaultlineResult result =
      run("larger_than_memory", {"fork", "24"}, {"--ram", "12M", "--swap", "96M", "--disk", "5000,200"}, true);
  CHECK(result.run.output.find("parent: 0 words wrong\n") != std::string::npos);
  // Faults that came before a major fault of somebody else can have got its page.
  uint32_t meanwhile = 0;
  std::istringstream lines(result.trace_text);
  nlohmann::json last;
  for (std::string line; std::getline(lines, line);) {
    nlohmann::json record = nlohmann::json::parse(line);
    if (!record.contains("cause")) {
      continue;
    }
    if (!last.is_null() && last["major"].get<bool>() && last["pid"] != record["pid"] &&
        record["t"].get<uint64_t>() < last["t"].get<uint64_t>() + kSeekNs) {
      ++meanwhile;
    }
    last = std::move(record);
  }
  CHECK(meanwhile > 100);
}

TEST_CASE("trace: reclaim, kswapd's wake-ups, swap-outs and writeback stand between the faults") {
  const FaultlineResult swapping =
      run("larger_than_memory", {"fork", "24"},
          {"--ram", "12M", "--swap", "96M", "--sample", "5," + (scratch() / "samples.csv").string()}, true);
  CHECK(swapping.events.at("kswapd_wake") > 0);
  CHECK(swapping.events.at("reclaim") > 0);
  CHECK(swapping.events.at("swap_out") > 1000);
  CHECK_FALSE(swapping.events.contains("oom_kill"));

  std::string header;
  const auto rows = csv_rows(scratch() / "samples.csv", header);
  CHECK(header ==
        "t,free_dma,free_normal,free_highmem,active_anon,inactive_anon,active_file,inactive_file,unevictable,"
        "swap_used,dirty,minor,major,scanned,stolen,swapped_in,swapped_out");
  REQUIRE(rows.size() > 5);
  uint64_t time = 0, minor = 0, major = 0, out = 0;
  for (const auto& row : rows) {
    REQUIRE(row.size() == 17);
    CHECK((&row == &rows[0] || row[0] > time));
    time = row[0];
    minor += row[11];
    major += row[12];
    out += row[16];
    CHECK(row[1] + row[2] + row[3] + row[4] + row[5] < (12u << 20) / 4096);
  }
  CHECK(minor == static_cast<uint64_t>(swapping.minflt));
  CHECK(major == static_cast<uint64_t>(swapping.majflt));
  CHECK(out == static_cast<uint64_t>(swapping.events.at("swap_out")));

  const FaultlineResult writing = run("larger_than_memory", {"file", "32"}, {"--ram", "12M", "--swap", "16M"}, true);
  CHECK(writing.events.at("writeback") > 1000);
}

TEST_CASE("sample: what cannot be done is refused in one line") {
  const std::filesystem::path program = guest_program("glibc", "hello");
  REQUIRE(!program.empty());
  for (const char* wrong : {"", "5", "0,x.csv", "x,y", "5,"}) {
    FaultlineOptions options;
    options.extra = {"--sample", wrong};
    const FaultlineResult result = run_faultline({.program = program}, options);
    INFO(wrong << ": " << result.run.error);
    CHECK(result.run.exit_status == 125);
    CHECK(std::count(result.run.error.begin(), result.run.error.end(), '\n') == 1);
  }
}

}  // namespace fl::test
