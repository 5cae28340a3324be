// Many processes and threads at random: what they print is what they print natively, and when all have ended every
// frame, object and area of the machine is as at boot. The random numbers are the programs' own, from a seed.
#include <catch2/catch_test_macros.hpp>

#include "tests/program/support/behaviour.hpp"
#include "tests/program/support/faultline_run.hpp"
#include "tests/program/support/native_run.hpp"

namespace fl::test {
namespace {

void check_stress(const std::string& program, const std::vector<std::string>& args, std::vector<std::string> options) {
  for (const std::string flavour : {"glibc", "musl"}) {
    RunSpec spec{.program = guest_program(flavour, program), .args = args, .timeout = std::chrono::minutes(8)};
    if (spec.program.empty()) {
      SKIP(flavour << "/" << program << " was not built");
    }
    DYNAMIC_SECTION(flavour) {
      options.insert(options.end(), {"--dump", "leaks"});
      const FaultlineResult result = run_faultline(spec, {.extra = options});
      INFO("faultline's stderr: " << result.run.error.substr(0, 3000));
      CHECK(result.run.exit_status == 0);
      CHECK(result.run.output.find(" 0 wrong") != std::string::npos);
      CHECK(result.run.error.find("leaks: none\n") != std::string::npos);
      CHECK(result.processes.size() > 5);
      if (host_runs_i386()) {
        const RunResult native = run_process(spec);
        CHECK(native.exit_status == 0);
        CHECK(result.run.output == native.output);
      }
    }
  }
}

}  // namespace

TEST_CASE("stress: 300 processes that end in every way", "[stress]") {
  check_stress("stress_processes", {"300", "3"}, {"--verify", "1"});
}
TEST_CASE("stress: 2000 processes that end in every way", "[stress][slow]") {
  check_stress("stress_processes", {"2000", "1"}, {"--verify", "1"});
}
TEST_CASE("stress: 200 tasks that make memory calls", "[stress]") {
  check_stress("stress_memory", {"40", "150", "1"}, {});
}
TEST_CASE("stress: 200 tasks that make memory calls, invariants checked", "[stress][slow]") {
  check_stress("stress_memory", {"40", "30", "2"}, {"--verify", "1"});
}
TEST_CASE("stress: processes on 16 MiB, invariants checked after each fault", "[stress]") {
  check_stress("stress_processes", {"100", "4"}, {"--verify", "2", "--ram", "16M"});
}
TEST_CASE("stress: memory calls on 16 MiB, invariants checked after each fault", "[stress]") {
  check_stress("stress_memory", {"6", "40", "5"}, {"--verify", "2", "--ram", "16M"});
}
TEST_CASE("stress: more tasks than memory holds are killed, and nothing is left", "[stress]") {
  const RunSpec spec{.program = guest_program("musl", "stress_memory"), .args = {"40", "40", "6"}};
  if (spec.program.empty()) {
    SKIP("stress_memory was not built");
  }
  const FaultlineResult result = run_faultline(spec, {.extra = {"--ram", "16M", "--verify", "1", "--dump", "leaks"}});
  INFO("faultline's stderr: " << result.run.error.substr(0, 3000));
  CHECK_FALSE(result.run.timed_out);
  CHECK(result.run.signal == 0);
  CHECK(result.run.output.find("killed by SIGKILL") != std::string::npos);
  CHECK(result.run.error.find("leaks: none\n") != std::string::npos);
}

}  // namespace fl::test
