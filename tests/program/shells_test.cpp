// Debian's static shells, unmodified, run scripts of processes: pipelines, subshells, traps, jobs, here-documents,
// redirections, exec, fifos. Standard output and exit status are those of a native run in the same test.
//
// A script gets BB, the path of busybox, for every program that is no builtin, and TEST_DIR, an empty folder that may
// be written to. What scripts print never depends on a process number, a time or the load of the machine; where two
// processes must wait for each other natively, they sleep for a tenth of a second.
#include <fmt/format.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "tests/program/support/behaviour.hpp"
#include "tests/program/support/faultline_run.hpp"
#include "tests/program/support/native_run.hpp"

namespace fl::test {
namespace {

namespace fs = std::filesystem;

struct Shell {
  std::string name;
  std::string program;                 // of the flavour corpus
  std::vector<std::string> args = {};  // before the script
};

const std::vector<Shell>& shells_for(const fs::path& script) {
  static const std::vector<Shell> kPosix = {{"busybox", "busybox", {"sh"}},
                                            {"bash", "bash-static"},
                                            {"mksh-musl", "mksh-musl"},
                                            {"mksh-klibc", "mksh-klibc"}};
  static const std::vector<Shell> kBash = {{"bash", "bash-static"}};
  static const std::vector<Shell> kMksh = {{"mksh-musl", "mksh-musl"}, {"mksh-klibc", "mksh-klibc"}};
  return script.extension() == ".bash" ? kBash : script.extension() == ".mksh" ? kMksh : kPosix;
}

fs::path empty_folder() {
  const fs::path folder = scratch() / "shell";
  fs::remove_all(folder);
  fs::create_directories(folder);
  return folder;
}

void check_script(const fs::path& script) {
  const fs::path busybox = guest_program("corpus", "busybox");
  for (const Shell& shell : shells_for(script)) {
    RunSpec spec{.program = guest_program("corpus", shell.program), .args = shell.args};
    if (spec.program.empty() || busybox.empty()) {
      SKIP("the shells are not in .deps");
    }
    spec.args.push_back(script.string());
    spec.env = {"BB=" + busybox.string(), "PATH=/nonexistent", "TEST_DIR=" + (scratch() / "shell").string()};
    DYNAMIC_SECTION(script.filename().string() << " by " << shell.name) {
      empty_folder();
      RunResult native = run_process(spec);
      REQUIRE_FALSE(native.timed_out);
      empty_folder();
      const FaultlineResult result =
          run_faultline(spec, {.writable_scratch = true, .extra = {"--dump", "leaks", "--timeout", "50"}});
      // A loaded machine may have kept a native sleeper from its turn.
      for (int again = 0; again < 2 && native.output != result.run.output; ++again) {
        empty_folder();
        native = run_process(spec);
      }
      INFO("faultline's stderr: " << result.run.error.substr(0, 3000));
      CHECK(result.run.exit_status == native.exit_status);
      CHECK_FALSE(native.output.empty());
      check_text(result.run.output, native.output);
      CHECK(result.run.error.find("leaks: none\n") != std::string::npos);
    }
  }
}

std::vector<fs::path> scripts(const std::string& extension) {
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(fs::path(FL_SOURCE_DIR) / "tests/program/scripts")) {
    if (entry.path().extension() == extension) {
      found.push_back(entry.path());
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

void check_scripts(const std::string& extension) {
  if (!host_runs_i386()) {
    SKIP("this host runs no i386 programs");
  }
  const std::vector<fs::path> found = scripts(extension);
  REQUIRE_FALSE(found.empty());
  for (const fs::path& script : found) {
    check_script(script);
  }
}

}  // namespace

TEST_CASE("shells: POSIX scripts by busybox, bash and mksh", "[shells]") { check_scripts(".sh"); }
TEST_CASE("shells: scripts for bash", "[shells]") { check_scripts(".bash"); }
TEST_CASE("shells: scripts for mksh", "[shells]") { check_scripts(".mksh"); }

}  // namespace fl::test
