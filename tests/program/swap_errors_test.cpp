// Swap that fails while programs are in it: areas that shrink, that cannot be written, that are full, that are removed.
// Nobody loses what Linux would keep, and who needs what is lost hears of it by SIGBUS.
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <csignal>
#include <fstream>
#include <thread>

#include "tests/program/support/faultline_run.hpp"
#include "tests/program/support/native_run.hpp"
#include "tests/program/support/swap_files.hpp"

namespace fl::test {
namespace fs = std::filesystem;
namespace {

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

RunSpec swap_errors(const std::vector<std::string>& args) {
  RunSpec spec{.program = guest_program("glibc", "swap_errors"), .args = args, .cwd = scratch()};
  if (spec.program.empty()) {
    SKIP("swap_errors was not built");
  }
  return spec;
}

FaultlineOptions in_8_mib(const std::vector<std::string>& more) {
  FaultlineOptions options{.writable_scratch = true, .extra = {"--ram", "8M", "--verify", "1", "--dump", "leaks"}};
  options.extra.insert(options.extra.end(), more.begin(), more.end());
  return options;
}

void check_whole(const RunResult& run) {
  INFO(run.output << run.error);
  CHECK_FALSE(run.timed_out);
  CHECK(run.exit_status == 0);
  CHECK(has(run.error, "leaks: none\n"));
}

// Runs "lost" and does something to the host's files when the program says that it is ready.
template <typename Spoil>
RunResult run_lost(std::vector<std::string> args, const FaultlineOptions& options, Spoil&& spoil) {
  const fs::path fifo = scratch() / "go", ready = scratch() / "ready";
  fs::remove(fifo);
  fs::remove(ready);
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  std::fstream writer(fifo, std::ios::in | std::ios::out);
  RunSpec spec = swap_errors(args);
  spec.stdin_file = fifo;
  std::jthread helper([&](const std::stop_token& stop) {
    while (!fs::exists(ready) && !stop.stop_requested()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    spoil();
    writer << "x" << std::flush;
  });
  return run_faultline(spec, options).run;
}

// The host's files end here for who is started meanwhile: a write behind it fails, as on a disk that is broken or full.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : old_handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &old_) == 0);
    const rlimit now{.rlim_cur = bytes, .rlim_max = old_.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &now) == 0);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &old_);
    std::signal(SIGXFSZ, old_handler_);
  }

 private:
  rlimit old_{};
  void (*old_handler_)(int);
};

void require_root() {
  if (::geteuid() != 0) {
    SKIP("not root: the guest may not swap");
  }
}

}  // namespace

TEST_CASE("swap errors: pages of an area that was cut short are SIGBUS for who needs them, and for nobody else",
          "[swap]") {
  const fs::path area = make_swap("cut", 16384);
  const RunResult run =
      run_lost({"lost", "8"}, in_8_mib({"--swapfile", area.string()}), [&] { fs::resize_file(area, 16384); });
  check_whole(run);
  CHECK(run.output ==
        "before: 1 areas, 16380 KiB, some used\n"
        "locked: none lost, 0 wrong, 0 strange\n"
        "locked: exited 0\n"
        "plain: killed by SIGBUS\n"
        "large: some lost, 0 wrong, 0 strange\n"
        "large: exited 0\n"
        "later: 0 lost, 0 wrong\n"
        "later: exited 0\n" +
            run.output.substr(run.output.rfind("at the end: 1 areas, ")));
  CHECK_FALSE(has(run.output, "at the end: 1 areas, 16380 KiB"));  // some slots could not be read
}

TEST_CASE("swap errors: an area that was cut short can be removed; what it had is lost, and only that", "[swap]") {
  require_root();
  const fs::path area = make_swap("cut and removed", 16384);
  const RunResult run = run_lost({"lost", "8", area.string()}, in_8_mib({"--swapfile", area.string()}),
                                 [&] { fs::resize_file(area, 16384); });
  check_whole(run);
  CHECK(run.output ==
        "before: 1 areas, 16380 KiB, some used\n"
        "swapoff: ok\n"
        "after it: 0 areas, 0 KiB, none used\n"
        "locked: none lost, 0 wrong, 0 strange\n"
        "locked: exited 0\n"
        "plain: killed by SIGBUS\n"
        "large: some lost, 0 wrong, 0 strange\n"
        "large: exited 0\n"
        "later: 0 lost, 0 wrong\n"
        "later: exited 0\n"
        "at the end: 0 areas, 0 KiB, none used\n");
}

TEST_CASE("swap errors: a page that cannot be written stays in memory, and its slot is used no more", "[swap]") {
  const fs::path area = make_swap("unwritable", 16384);
  const RunSpec spec = swap_errors({"fill", "7"});
  const RunSpec too_much = swap_errors({"full", "6"});
  RunResult run, killed;
  {
    const FileSizeLimit limit(1 << 20);
    run = run_faultline(spec, in_8_mib({"--swapfile", area.string()})).run;
    killed = run_faultline(too_much, in_8_mib({"--swapfile", area.string()})).run;
  }
  check_whole(run);
  CHECK(has(run.output, "before: 1 areas, 16380 KiB, none used\nlarge: 0 lost, 0 wrong\nlarge: exited 0\n"));
  CHECK_FALSE(has(run.output, "after: 1 areas, 16380 KiB"));
  CHECK(has(run.output, "after: 1 areas, "));
  // What is left is not enough for a larger one; others are none the worse for that.
  check_whole(killed);
  CHECK(has(killed.output, "large: 0 lost, 0 wrong\nlarge: exited 0\ntoo large: killed by SIGKILL\n"));
  CHECK(has(killed.output, "again: 0 lost, 0 wrong\nagain: exited 0\n"));
}

TEST_CASE("swap errors: when swap is full the one that is too large is killed, and all of swap comes back", "[swap]") {
  const RunResult run = run_faultline(swap_errors({"full", "6"}), in_8_mib({"--swap", "4M"})).run;
  check_whole(run);
  CHECK(run.output ==
        "large: 0 lost, 0 wrong\n"
        "large: exited 0\n"
        "too large: killed by SIGKILL\n"
        "after: 1 areas, 4092 KiB, some used\n"
        "again: 0 lost, 0 wrong\n"
        "again: exited 0\n");
}

TEST_CASE("swapoff: under load, when memory or another area has room for everything", "[swap]") {
  require_root();
  const auto check = [](const std::vector<std::string>& options, const std::string& before, const std::string& after) {
    FaultlineOptions all{.writable_scratch = true, .extra = {"--verify", "1", "--dump", "leaks"}};
    all.extra.insert(all.extra.end(), options.begin(), options.end());
    const RunResult run = run_faultline(swap_errors({"swapoff", "8", "/dev/swap0"}), all).run;
    check_whole(run);
    CHECK(run.output == "before: " + before + "\nswapoff: ok\nswapoff: exited 0\nafter: " + after +
                            "\nlarge: 0 lost, 0 wrong\nlarge: exited 0\n");
  };
  check({"--ram", "24M", "--swap", "16M"}, "1 areas, 16380 KiB, some used", "0 areas, 0 KiB, none used");
  check({"--ram", "8M", "--swap", "16M,prio=7", "--swap", "16M"}, "2 areas, 32760 KiB, some used",
        "1 areas, 16380 KiB, some used");
}

TEST_CASE("swapoff: under load without room it is killed for it; the area stays, and so does what is in it", "[swap]") {
  require_root();
  const RunResult run = run_faultline(swap_errors({"swapoff", "8", "/dev/swap0"}), in_8_mib({"--swap", "16M"})).run;
  check_whole(run);
  CHECK(run.output ==
        "before: 1 areas, 16380 KiB, some used\n"
        "swapoff: killed by SIGKILL\n"
        "after: 1 areas, 16380 KiB, some used\n"
        "large: 0 lost, 0 wrong\n"
        "large: exited 0\n");
  CHECK(has(run.error, "Out of memory: Killed process 1002 (swap_errors)"));
}

}  // namespace fl::test
