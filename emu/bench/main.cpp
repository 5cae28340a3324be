// faultline_bench: inner benchmarks, then whole programs, then several processes; tables on stdout and everything as
// JSON.
//
//   faultline_bench [--rounds N] [--json FILE] [--only WORKLOAD]... [--no-inner] [--no-programs] [--no-processes]
//   faultline_bench --floor PROGRAM [ARGS...]      runs one program on the bare engine (see floor.hpp)
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "emu/bench/floor.hpp"
#include "emu/bench/processes.hpp"
#include "emu/bench/programs.hpp"
#include "emu/cpu/block_counter.hpp"

namespace {

// Prints as usual and keeps the times for the JSON file.
class KeepingReporter : public benchmark::ConsoleReporter {
 public:
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) {
      results_[run.benchmark_name()] = {{"real_ns", run.GetAdjustedRealTime()}, {"cpu_ns", run.GetAdjustedCPUTime()}};
    }
    ConsoleReporter::ReportRuns(runs);
  }
  const nlohmann::json& results() const { return results_; }

 private:
  nlohmann::json results_ = nlohmann::json::object();
};

int run(int argc, char** argv) {
  if (argc >= 3 && std::string(argv[1]) == "--floor") {
    return fl::emu::bench::run_on_floor({argv + 2, argv + argc});
  }
  CLI::App app("Benchmarks of faultline");
  fl::emu::bench::ProgramBenchmarkOptions options;
  options.self = std::filesystem::canonical("/proc/self/exe").string();
  std::string json_file = FL_BENCH_RESULTS;
  bool no_inner = false, no_programs = false, no_processes = false;
  app.add_option("--rounds", options.rounds, "Runs of each program; medians are shown")->check(CLI::PositiveNumber);
  app.add_option("--json", json_file, "Where the results go");
  app.add_option("--only", options.only, "Run only these workloads (and start-up)");
  app.add_flag("--no-inner", no_inner, "Leave out the benchmarks of inner pieces");
  app.add_flag("--no-programs", no_programs, "Leave out the whole programs");
  app.add_flag("--no-processes", no_processes, "Leave out fork, exec and switches");
  CLI11_PARSE(app, argc, argv);

  nlohmann::json results = {{"interposed", fl::emu::describe_interposition()}};
  fmt::print("interposed: {}\n", fl::emu::describe_interposition());
  if (!no_inner) {
    int count = 1;
    benchmark::Initialize(&count, argv);
    KeepingReporter reporter;
    benchmark::RunSpecifiedBenchmarks(&reporter);
    results["inner"] = reporter.results();
  }
  if (!no_programs) {
    results["programs"] = fl::emu::bench::run_program_benchmarks(options);
  }
  if (!no_processes) {
    results["processes"] = fl::emu::bench::run_process_benchmarks(options);
  }
  std::ofstream out(json_file);
  out << results.dump(2) << '\n';
  if (!out) {
    fmt::print(stderr, "cannot write {}\n", json_file);
    return 1;
  }
  fmt::print("written to {}\n", json_file);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "faultline_bench: %s\n", error.what());
    return 1;
  }
}
