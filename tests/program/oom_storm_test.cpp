// Storms of processes that use up memory in every way and are killed wherever they are: each storm ends, nothing is
// left of it, no invariant breaks, and whoever lives on has its data.
#include <catch2/catch_test_macros.hpp>
#include <filesystem>
#include <string>

#include "tests/program/support/faultline_run.hpp"
#include "tests/program/support/native_run.hpp"

namespace fl::test {
namespace {

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// One storm; whether somebody was killed in it. The machine is another one with each seed.
bool storm(const std::filesystem::path& program, uint32_t seed, const std::string& verify) {
  static constexpr const char* kRam[] = {"8M", "12M", "16M"};
  static constexpr const char* kSwap[] = {"", "2M", "8M"};
  FaultlineOptions options{.kernel = seed % 2 == 0 ? "6.1-i386" : "6.18-compat"};
  options.extra = {"--ram", kRam[seed % 3], "--verify", verify, "--dump", "leaks"};
  if (const std::string swap = kSwap[seed / 3 % 3]; !swap.empty()) {
    options.extra.insert(options.extra.end(), {"--swap", swap});
  }
  const RunSpec spec{.program = program, .args = {std::to_string(seed)}, .timeout = std::chrono::seconds(100)};
  const RunResult run = run_faultline(spec, options).run;
  INFO("seed " << seed << " in " << kRam[seed % 3] << " with " << kSwap[seed / 3 % 3] << " of swap");
  INFO("faultline's stderr ends: " << run.error.substr(run.error.size() - std::min<size_t>(run.error.size(), 3000)));
  CHECK_FALSE(run.timed_out);
  CHECK(run.exit_status == 0);
  CHECK(run.output.starts_with("the storm is over: "));
  CHECK(run.output.ends_with(" 0 wrong\n"));
  CHECK(has(run.error, "leaks: none\n"));
  return has(run.error, "Out of memory: Killed process");
}

void storms(uint32_t first, uint32_t last, const std::string& verify) {
  const std::filesystem::path program = guest_program("musl", "oom_storm");
  if (program.empty()) {
    SKIP("oom_storm was not built");
  }
  uint32_t killed = 0;
  for (uint32_t seed = first; seed <= last; ++seed) {
    killed += storm(program, seed, verify) ? 1 : 0;
  }
  // Or they would be no storms.
  CHECK(killed > (last - first + 1) / 2);
}

}  // namespace

// A hundred in all.
TEST_CASE("oom: random storms end, and nothing is left of them: 1 to 25", "[oom]") { storms(1, 25, "1"); }
TEST_CASE("oom: random storms end, and nothing is left of them: 26 to 50", "[oom]") { storms(26, 50, "1"); }
TEST_CASE("oom: random storms end, and nothing is left of them: 51 to 75", "[oom]") { storms(51, 75, "1"); }
TEST_CASE("oom: random storms end, and nothing is left of them: 76 to 100", "[oom]") { storms(76, 100, "1"); }
TEST_CASE("oom: random storms, invariants checked after each fault", "[oom][slow]") { storms(201, 210, "2"); }

}  // namespace fl::test
