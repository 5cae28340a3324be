// Totals of whole programs, from before execve to exit: the numbers that the fault rules publish, and the thresholds of
// the environment's size (rules C1, C2) at which the argument strings and the tables below them enter another stack
// page.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>

#include "tests/program/support/faultline_run.hpp"
#include "tests/program/support/native_run.hpp"
#include "tests/program/support/perf_recorder.hpp"

namespace fl::test {
namespace {

struct Total {
  std::string flavour, program;
  long minor;
};

// ET_EXEC: published, the same on i386 6.1. static-PIE: measured on 6.18 (the image lies elsewhere there, rule C7).
const std::vector<Total> kTotals = {
    {"nolibc", "nolibc", 3},    {"glibc", "empty", 24},   {"glibc", "hello", 25},
    {"musl", "empty", 6},       {"musl", "hello", 7},     {"glibc-pie", "empty", 22},
    {"glibc-pie", "hello", 23}, {"musl-pie", "empty", 7}, {"musl-pie", "hello", 8},
};

long mode_sum(const FaultlineResult& result) {
  long sum = 0;
  for (const auto& [mode, count] : result.by_mode) {
    sum += count;
  }
  return sum;
}

}  // namespace

TEST_CASE("totals: a program's faults from exec to exit are those of real Linux", "[faults]") {
  for (const Total& total : kTotals) {
    const RunSpec spec{.program = guest_program(total.flavour, total.program)};
    if (spec.program.empty()) {
      WARN(total.flavour << "/" << total.program << " was not built");
      continue;
    }
    const bool pie = total.flavour.ends_with("-pie");
    DYNAMIC_SECTION(total.flavour << "/" << total.program << ", native") {
      if (!host_runs_i386() || (pie && !host_is_linux_6_18())) {
        SKIP("this host cannot give the reference's numbers");
      }
      const RunResult run = mode_of_runs(spec, 7);
      CHECK(run.exit_status == 0);
      CHECK(run.minflt == total.minor);
      CHECK(run.majflt == 0);
    }
    for (const std::string kernel : {"6.18-compat", "6.1-i386"}) {
      if (pie && kernel != "6.18-compat") {
        continue;
      }
      DYNAMIC_SECTION(total.flavour << "/" << total.program << ", faultline as " << kernel) {
        const FaultlineResult result = run_faultline(spec, {.kernel = kernel});
        INFO("faultline's stderr: " << result.run.error);
        CHECK(result.run.exit_status == 0);
        CHECK(result.run.output == (total.program == "hello" ? "hello\n" : ""));
        REQUIRE(result.have_stats);
        CHECK(result.minflt == total.minor);
        CHECK(result.majflt == 0);
        CHECK(mode_sum(result) == total.minor);
        REQUIRE(result.processes.size() == 1);
        CHECK(result.processes[0].minflt == total.minor);
        CHECK(result.processes[0].exit_status == 0);
        CHECK(result.processes[0].comm == total.program);
      }
    }
  }
}

namespace {

struct EnvironmentSize {
  size_t length;  // of the one variable, "V=xxx..."
  long gup, kernel, user;
  long total() const { return gup + kernel + user; }
};

// nolibc started as "./nolibc". From STACK_TOP down: 8 bytes, the path, the variable, argv[0] (27 bytes beside the
// variable), "i686", 16 random bytes, and then argc, argv, envp and 24 auxv pairs. Measured on 6.18; by mode with perf.
const std::vector<EnvironmentSize> kSizes = {
    {3, 1, 1, 1},      {3829, 1, 1, 1},   {3830, 1, 2, 1},   {3850, 1, 2, 1},   {4069, 1, 2, 1},
    {4070, 2, 1, 1},   {7925, 2, 1, 1},   {7926, 2, 2, 1},   {8165, 2, 2, 1},   {8166, 3, 1, 1},
    {65269, 16, 1, 1}, {65270, 16, 2, 1}, {65509, 16, 2, 1}, {65510, 17, 1, 1}, {131071, 33, 1, 1},
};

}  // namespace

TEST_CASE("totals: argument strings and tables fault one stack page each as the environment grows", "[faults]") {
  const std::filesystem::path program = guest_program("nolibc", "nolibc");
  if (program.empty()) {
    SKIP("nolibc was not built");
  }
  for (const EnvironmentSize& size : kSizes) {
    const RunSpec spec{
        .program = "./nolibc", .env = {"V=" + std::string(size.length - 2, 'x')}, .cwd = program.parent_path()};
    DYNAMIC_SECTION("a variable of " << size.length << " bytes, native") {
      if (!host_runs_i386() || !host_is_linux_6_18()) {
        SKIP("this host cannot give the reference's numbers");
      }
      CHECK(mode_of_runs(spec, 5).minflt == size.total());
      if (perf_unavailable().empty()) {
        const RecordedRun recorded = record_faults(spec);
        const auto kernel = std::count_if(recorded.faults.begin(), recorded.faults.end(),
                                          [](const NativeFault& fault) { return fault.kernel; });
        CHECK(kernel == size.kernel);
        CHECK(static_cast<long>(recorded.faults.size()) - kernel == size.user);
      }
    }
    DYNAMIC_SECTION("a variable of " << size.length << " bytes, faultline") {
      const FaultlineResult result = run_faultline(spec);
      INFO("faultline's stderr: " << result.run.error);
      CHECK(result.run.exit_status == 0);
      REQUIRE(result.have_stats);
      CHECK(result.by_mode.at("gup") == size.gup);
      CHECK(result.by_mode.at("kernel") == size.kernel);
      CHECK(result.by_mode.at("user") == size.user);
      CHECK(result.minflt == size.total());
    }
  }
}

}  // namespace fl::test
