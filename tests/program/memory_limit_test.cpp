// --memory-limit: a machine with much memory whose processes may have little of it.
#include <catch2/catch_test_macros.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/program/support/faultline_run.hpp"
#include "tests/program/support/native_run.hpp"

namespace fl::test {
namespace {

FaultlineResult run_limited(const char* name, const std::vector<std::string>& args, const std::string& limit,
                            const std::vector<std::string>& more = {}, const std::string& kernel = "6.18-compat") {
  const std::filesystem::path program = guest_program("glibc", name);
  if (program.empty()) {
    SKIP(std::string(name) + " was not built");
  }
  FaultlineOptions options{.kernel = kernel};
  options.extra = {"--ram", "128M", "--memory-limit", limit, "--verify", "1", "--dump", "leaks"};
  options.extra.insert(options.extra.end(), more.begin(), more.end());
  return run_faultline({.program = program, .args = args}, options);
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("memory limit: programs larger than it end with the right answer", "[reclaim]") {
  for (const char* kernel : {"6.1-i386", "6.18-compat"}) {
    const FaultlineResult result = run_limited("larger_than_memory", {"sort", "12"}, "8M", {"--swap", "32M"}, kernel);
    INFO(kernel << "\n" << result.run.error);
    CHECK(result.run.output == "sorted 196608 records, 0 wrong, none lost\n");
    CHECK(has(result.run.error, "leaks: none\n"));
    const auto stats = nlohmann::json::parse(result.stats_text);
    CHECK(stats["memory_limit"]["pages"] == 2048);
    CHECK(stats["memory_limit"]["peak"] == 2048);
    CHECK(stats["memory_limit"]["met"] > 0);
    CHECK(stats["swap_ins"] > 1000);
    CHECK(stats["peak_frames"] < 8192);
  }
}

TEST_CASE("memory limit: a hog is killed at it, and a small parent lives on", "[oom]") {
  const FaultlineResult result = run_limited("out_of_memory", {"hog", "1"}, "8M");
  INFO(result.run.error);
  CHECK(result.run.exit_status == 0);
  CHECK(result.run.output == "hog: killed by SIGKILL\nparent: 0 bytes wrong\n");
  CHECK(has(result.run.error, "memory: usage 8192kB, limit 8192kB, failcnt"));
  CHECK(has(result.run.error, "Memory cgroup out of memory: Killed process 1001 (out_of_memory)"));
  CHECK(has(result.run.error, "leaks: none\n"));
  CHECK(nlohmann::json::parse(result.stats_text)["peak_frames"] < 4096);
}

TEST_CASE("memory limit: a bomb of hogs ends", "[oom]") {
  const FaultlineResult result = run_limited("out_of_memory", {"bomb"}, "8M");
  INFO(result.run.error);
  CHECK(result.run.exit_status == 0);
  CHECK(result.run.output == "the bomb is over\n");
  CHECK(has(result.run.error, "leaks: none\n"));
}

TEST_CASE("memory limit: one that is too small is refused", "[reclaim]") {
  for (const char* limit : {"0", "1K", "x"}) {
    const FaultlineResult result = run_limited("hello", {}, limit);
    INFO(limit << "\n" << result.run.error);
    CHECK(result.run.exit_status == 125);
    CHECK(has(result.run.error, "memory limit"));
  }
}

}  // namespace fl::test
