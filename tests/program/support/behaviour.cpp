// check_behaviour. See behaviour.hpp.
#include "tests/program/support/behaviour.hpp"

#include <catch2/catch_test_macros.hpp>
#include <fstream>
#include <sstream>

#include "tests/program/support/faultline_run.hpp"
#include "tests/program/support/native_run.hpp"

namespace fl::test {
namespace fs = std::filesystem;

std::string stored_output(const std::string& name) {
  std::ifstream in(fs::path(FL_SOURCE_DIR) / "tests/program/expected" / (name + ".txt"));
  REQUIRE(in);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

void check_text(const std::string& got, const std::string& want) {
  std::istringstream got_lines(got), want_lines(want);
  std::string a, b;
  int differences = 0;
  for (int line = 1; differences < 20; ++line) {
    const bool more_got = static_cast<bool>(std::getline(got_lines, a));
    const bool more_wanted = static_cast<bool>(std::getline(want_lines, b));
    if (!more_got && !more_wanted) {
      break;
    }
    if (more_got != more_wanted || a != b) {
      ++differences;
      FAIL_CHECK("line " << line << "\n  got:  " << (more_got ? a : "(end)")
                         << "\n  want: " << (more_wanted ? b : "(end)"));
    }
  }
}

void check_behaviour(const Behaviour& test) {
  const std::string want = stored_output(test.expected.empty() ? test.program : test.expected);
  int built = 0;
  for (const std::string& flavour : test.flavours) {
    RunSpec spec{.program = guest_program(flavour, test.program), .args = test.args};
    if (spec.program.empty()) {
      WARN(flavour << "/" << test.program << " was not built");
      continue;
    }
    ++built;
    for (std::string& argument : spec.args) {
      if (argument == "DATA") {
        argument = make_data_file("data").string();
      } else if (argument == "NEWFILE") {
        argument = (scratch() / "code").string();
      } else if (argument == "FOLDER") {
        const fs::path folder = scratch() / "folder";
        fs::remove_all(folder);
        fs::create_directories(folder);
        argument = folder.string();
      }
    }
    DYNAMIC_SECTION(flavour << ", native") {
      if (!host_runs_i386() || (test.needs_6_18 && !host_is_linux_6_18())) {
        SKIP("this host cannot give the reference's output");
      }
      // All flavours of a host on which the program hangs shall be reported before ctest ends the test.
      RunSpec native = spec;
      native.timeout = std::chrono::seconds(25);
      const RunResult run = run_process(native);
      CHECK(run.exit_status == 0);
      if (test.other_cpu.empty() || run.output != stored_output(test.other_cpu)) {
        check_text(run.output, want);
      }
    }
    for (const std::string& kernel : test.kernels) {
      DYNAMIC_SECTION(flavour << ", faultline " << kernel) {
        FaultlineOptions options{.writable_scratch = true, .kernel = kernel};
        if (test.leaves_nothing) {
          options.extra = {"--verify", "1", "--dump", "leaks"};
        }
        const FaultlineResult result = run_faultline(spec, options);
        INFO("faultline's stderr: " << result.run.error);
        CHECK(result.run.exit_status == 0);
        check_text(result.run.output, want);
        if (test.leaves_nothing) {
          CHECK(result.run.error.find("leaks: none\n") != std::string::npos);
        }
      }
    }
  }
  if (built == 0) {
    SKIP(test.program << " was not built");
  }
}

}  // namespace fl::test
