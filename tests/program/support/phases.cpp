// check_phases. See phases.hpp.
#include "tests/program/support/phases.hpp"

#include <catch2/catch_test_macros.hpp>
#include <sstream>

#include "tests/program/support/faultline_run.hpp"
#include "tests/program/support/native_run.hpp"

namespace fl::test {
namespace {

struct Parsed {
  std::vector<Phase> phases;
  std::vector<std::string> other;
};

// A line "name minor major" is a phase; a phase's name has no spaces.
Parsed parse(const std::string& output) {
  Parsed result;
  std::istringstream lines(output);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    Phase phase;
    std::string rest;
    if (words >> phase.name >> phase.minor >> phase.major && !(words >> rest)) {
      result.phases.push_back(phase);
    } else {
      result.other.push_back(line);
    }
  }
  return result;
}

void compare(const PhaseCase& test, const std::vector<Phase>& real, const std::string& output) {
  const Parsed got = parse(output);
  CHECK(got.other == test.other_output);
  REQUIRE(got.phases.size() == real.size());
  for (size_t i = 0; i < got.phases.size(); ++i) {
    INFO("phase " << real[i].name);
    CHECK(got.phases[i].name == real[i].name);
    CHECK(got.phases[i].minor == real[i].minor);
    CHECK(got.phases[i].major == real[i].major);
  }
}

std::vector<Phase> numbers_of_6_1(const PhaseCase& test) {
  std::vector<Phase> numbers = test.real;
  for (const Phase& other : test.i386_6_1) {
    for (Phase& phase : numbers) {
      if (phase.name == other.name) {
        phase = other;
      }
    }
  }
  return numbers;
}

bool native_numbers_belong_here(const PhaseCase& test) {
  return host_runs_i386() && (!test.needs_ext4 || scratch_is_ext4()) && (!test.needs_6_18 || host_is_linux_6_18());
}

RunSpec spec_of(const PhaseCase& test, std::string_view flavour) {
  RunSpec spec{.program = guest_program(flavour, test.program)};
  if (test.data_file != PhaseCase::DataFile::kNo) {
    spec.args.push_back(make_data_file("data").string());
  }
  return spec;
}

}  // namespace

void check_phases(const PhaseCase& test) {
  bool any = false;
  for (const std::string flavour : {"glibc", "musl"}) {
    if (guest_program(flavour, test.program).empty()) {
      WARN(flavour << " flavour of " << test.program << " was not built");
      continue;
    }
    any = true;
    DYNAMIC_SECTION(flavour << ", native") {
      if (!native_numbers_belong_here(test)) {
        SKIP("this host cannot give the reference's numbers");
      }
      const RunResult run = mode_of_runs(spec_of(test, flavour), 3);
      CHECK(run.exit_status == 0);
      compare(test, test.real, run.output);
    }
    DYNAMIC_SECTION(flavour << ", faultline") {
      const RunSpec spec = spec_of(test, flavour);
      const FaultlineResult result =
          run_faultline(spec, {.writable_scratch = test.data_file == PhaseCase::DataFile::kWritable});
      INFO("faultline's stderr: " << result.run.error);
      CHECK(result.run.exit_status == 0);
      compare(test, test.real, result.run.output);
      REQUIRE(result.have_stats);
      if (native_numbers_belong_here(test)) {
        const RunResult native = mode_of_runs(spec_of(test, flavour), 3);
        CHECK(result.minflt == native.minflt);
        CHECK(result.majflt == native.majflt);
      }
    }
    if (!test.needs_6_18) {
      DYNAMIC_SECTION(flavour << ", faultline as 6.1-i386") {
        const FaultlineResult result =
            run_faultline(spec_of(test, flavour), {.writable_scratch = true, .kernel = "6.1-i386"});
        INFO("faultline's stderr: " << result.run.error);
        CHECK(result.run.exit_status == 0);
        compare(test, numbers_of_6_1(test), result.run.output);
      }
    }
  }
  if (!any) {
    SKIP("no flavour of " << test.program << " was built");
  }
}

}  // namespace fl::test
