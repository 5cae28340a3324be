// How a run ends from outside, and that runs repeat: timeouts, Ctrl-C in the middle of a traced run, identical traces,
// a guest that generates code for ever, and that no guest takes the host down with it.
#include <catch2/catch_test_macros.hpp>
#include <csignal>

#include "tests/program/support/faultline_run.hpp"
#include "tests/program/support/native_run.hpp"

namespace fl::test {
namespace {

RunSpec guest(const char* flavour, const char* name, std::vector<std::string> args = {}) {
  RunSpec spec{.program = guest_program(flavour, name), .args = std::move(args)};
  if (spec.program.empty()) {
    SKIP(name << " was not built");
  }
  return spec;
}

}  // namespace

TEST_CASE("run: --timeout ends a busy guest with status 124 and complete reports", "[run]") {
  SECTION("a loop with memory and system calls") {
    const FaultlineResult result = run_faultline(guest("musl", "spin"), {.trace = true, .extra = {"--timeout", "1"}});
    CHECK(result.run.exit_status == 124);
    CHECK(result.run.output == "running\n");
    CHECK_FALSE(result.run.timed_out);
    CHECK(result.run.seconds < 10);
    REQUIRE(result.have_stats);
    long counted = 0;
    for (const TraceRecord& record : result.trace) {
      counted += record.counted;
    }
    CHECK(counted == result.minflt + result.majflt);
  }
  SECTION("a loop of one instruction") {
    const FaultlineResult result = run_faultline(guest("nolibc", "spin_pure"), {.extra = {"--timeout", "1"}});
    CHECK(result.run.exit_status == 124);
    CHECK(result.run.seconds < 10);
    CHECK(result.have_stats);
  }
}

TEST_CASE("run: a signal to faultline ends the run with trace and statistics complete", "[run]") {
  struct End {
    int signal, status;
  };
  for (const End end : {End{SIGINT, 130}, End{SIGTERM, 143}}) {
    for (const char* name : {"spin", "spin_pure"}) {
      DYNAMIC_SECTION("signal " << end.signal << ", " << name) {
        RunSpec spec = guest(std::string_view(name) == "spin" ? "musl" : "nolibc", name);
        spec.signal = end.signal;
        spec.signal_after = std::chrono::milliseconds(700);
        const FaultlineResult result = run_faultline(spec, {.trace = true});
        CHECK(result.run.signal == 0);
        CHECK(result.run.exit_status == end.status);
        CHECK_FALSE(result.run.timed_out);
        REQUIRE(result.have_stats);
        CHECK(result.trace_text.ends_with("}\n"));
        long counted = 0;
        for (const TraceRecord& record : result.trace) {
          counted += record.counted;
        }
        CHECK(counted == result.minflt + result.majflt);
      }
    }
  }
}

TEST_CASE("run: SIGUSR1 prints the dumps and the guest goes on", "[run]") {
  for (const bool asked : {true, false}) {
    DYNAMIC_SECTION((asked ? "what --dump names" : "the default")) {
      RunSpec spec = guest("musl", "spin");
      spec.signal = SIGUSR1;
      spec.signal_after = std::chrono::milliseconds(500);
      std::vector<std::string> options = {"--timeout", "2"};
      if (asked) {
        options.insert(options.end(), {"--dump", "maps,meminfo"});
      }
      const FaultlineResult result = run_faultline(spec, {.extra = options});
      CHECK(result.run.exit_status == 124);
      size_t times = 0;
      for (size_t at = 0; (at = result.run.error.find("meminfo:\nMemTotal:", at)) != std::string::npos; ++at) {
        ++times;
      }
      // Once for the signal, and if it was asked for once more at the end.
      CHECK(times == (asked ? 2 : 1));
    }
  }
}

TEST_CASE("run: the same command gives the same trace and statistics, byte for byte", "[run]") {
  for (const char* name : {"hello", "anon", "kernel_access", "self_modifying", "segv_count"}) {
    DYNAMIC_SECTION(name) {
      RunSpec spec = guest("glibc", name);
      if (std::string_view(name) == "kernel_access") {
        spec.args.push_back(make_data_file("data").string());
      }
      const FaultlineResult first = run_faultline(spec, {.trace = true});
      const FaultlineResult second = run_faultline(spec, {.trace = true});
      CHECK(first.run.exit_status == 0);
      CHECK_FALSE(first.trace_text.empty());
      CHECK(first.trace_text == second.trace_text);
      CHECK(first.stats_text == second.stats_text);
      CHECK(first.run.output == second.run.output);
    }
  }
}

TEST_CASE("run: a guest that keeps generating code stays within its memory", "[run]") {
  const std::string count = "1000000";
  for (const char* where : {"again", "fresh"}) {
    DYNAMIC_SECTION(where) {
      const RunSpec spec = guest("musl", "codegen_forever", {count, where});
      const FaultlineResult result = run_faultline(spec, {.extra = {"--ram", "64M"}});
      INFO("faultline's stderr: " << result.run.error);
      CHECK(result.run.exit_status == 0);
      CHECK(result.run.output == "f7ce0b20 0\n");  // of the native program too
      if (host_runs_i386()) {
        CHECK(run_process(spec).output == "f7ce0b20 0\n");
      }
#ifndef __SANITIZE_ADDRESS__  // shadow memory and quarantine are no part of the promise
      CHECK(result.run.max_rss_kib < (64 + 150) * 1024);
#endif
    }
  }
}

TEST_CASE("run: a program that is no program is refused", "[run]") {
  RunSpec spec{.program = "/no/such/program"};
  const FaultlineResult missing = run_faultline(spec);
  CHECK(missing.run.exit_status == 125);
  CHECK_FALSE(missing.run.error.empty());
  spec.program = make_data_file("data");
  const FaultlineResult data = run_faultline(spec);
  CHECK(data.run.exit_status == 125);
  CHECK_FALSE(data.run.error.empty());
}

}  // namespace fl::test
