// Memory runs out: who is killed, who lives on, what is told, and that nothing is left behind.
#include <catch2/catch_test_macros.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/program/support/faultline_run.hpp"
#include "tests/program/support/native_run.hpp"

namespace fl::test {
namespace {

RunResult run_out(const std::vector<std::string>& args, const std::string& ram, std::vector<std::string> more = {},
                  const char* flavour = "glibc") {
  const std::filesystem::path program = guest_program(flavour, "out_of_memory");
  if (program.empty()) {
    SKIP("out_of_memory was not built");
  }
  FaultlineOptions options;
  options.extra = {"--ram", ram, "--verify", "1", "--dump", "leaks"};
  options.extra.insert(options.extra.end(), more.begin(), more.end());
  return run_faultline({.program = program, .args = args}, options).run;
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("oom: a hog is killed and a small parent lives on with its data", "[oom]") {
  for (const char* ram : {"8M", "24M"}) {
    const RunResult run = run_out({"hog", "1"}, ram);
    INFO(run.error);
    CHECK(run.exit_status == 0);
    CHECK(run.output == "hog: killed by SIGKILL\nparent: 0 bytes wrong\n");
    CHECK(has(run.error, "out_of_memory invoked oom-killer"));
    CHECK(has(run.error, "Out of memory: Killed process 1001 (out_of_memory)"));
    CHECK(has(run.error, "leaks: none\n"));
  }
}

TEST_CASE("oom: with swap the hog only needs longer", "[oom]") {
  const RunResult run = run_out({"hog", "1"}, "8M", {"--swap", "16M"});
  INFO(run.error);
  CHECK(run.output == "hog: killed by SIGKILL\nparent: 0 bytes wrong\n");
  CHECK(has(run.error, "leaks: none\n"));
}

TEST_CASE("oom: oom_score_adj steers the choice", "[oom]") {
  const RunResult run = run_out({"adjust"}, "16M");
  INFO(run.error);
  CHECK(run.exit_status == 0);
  CHECK(run.output == "small, but preferred: killed by SIGKILL\nlarge: killed by SIGKILL\n");
  const size_t first = run.error.find("Killed process 1001");
  CHECK(first != std::string::npos);
  CHECK(first < run.error.find("Killed process 1002"));
  CHECK(has(run.error, "leaks: none\n"));
}

TEST_CASE("oom: no thread of who is killed comes back to memory that is gone", "[oom]") {
  // musl: its threads have nothing to do in the kernel when their turn comes, and so would not see the signal there.
  const RunResult run = run_out({"threads"}, "16M", {}, "musl");
  INFO(run.error);
  CHECK(run.exit_status == 0);
  CHECK(run.output == "busy: killed by SIGKILL\nlarge: killed by SIGKILL\n");
  CHECK(has(run.error, "leaks: none\n"));
}

TEST_CASE("oom: a bomb of hogs ends", "[oom]") {
  for (const char* ram : {"8M", "12M", "20M"}) {
    const RunResult run = run_out({"bomb"}, ram);
    INFO(run.error);
    CHECK(run.exit_status == 0);
    CHECK(run.output == "the bomb is over\n");
    CHECK(has(run.error, "Out of memory: Killed process"));
    CHECK(has(run.error, "leaks: none\n"));
  }
}

TEST_CASE("oom: when nobody can be killed the machine ends with a report", "[oom]") {
  const RunResult run = run_out({"unkillable"}, "8M");
  INFO(run.error);
  CHECK(run.exit_status == 125);
  CHECK(has(run.error, "out of memory, and no process can be killed for it"));
}

}  // namespace fl::test
