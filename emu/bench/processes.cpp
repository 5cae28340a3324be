// What one operation costs is the difference of a long and a short run, divided by the operations in between: start-up
// and what a program does first are in neither. In each round every program runs natively and under faultline one after
// the other, short and then long, and a round gives one ratio; shown are the median of the rounds' ratios, their least
// and their greatest.
//
// Times are processor time (user and system) of all of a run's processes, as in programs.cpp; the wall-clock time is in
// the JSON.
#include "emu/bench/processes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include "emu/bench/timing.hpp"

namespace fl::emu::bench {
namespace {

struct ProcessWorkload {
  std::string name;
  std::vector<std::string> command;  // program (below FL_BENCH_PROGRAMS) and arguments; N is the count
  unsigned few, many;                // counts of the short and of the long run
  unsigned operations;               // for each of the count
  double goal = 0;                   // rate of faultline over the native one; 0: none
  std::string like = {};             // the workload whose cost this one's is compared with
};

const std::string kFork = "fork";

const std::vector<ProcessWorkload>& workloads() {
  static const std::vector<ProcessWorkload> kList = {
      // 32 MiB touched; the child writes to a tenth of it.
      {kFork, {"bench_fork", "N"}, 20, 220, 1, 2.0},
      // And 1 GiB of the same area that nobody touches.
      {"fork, 1 GiB untouched", {"bench_fork", "N", "1024"}, 20, 220, 1, 2.0, kFork},
      {"fork, nothing written", {"bench_fork", "N", "0", "idle"}, 100, 2100, 1},
      {"fork and exec", {"bench_exec", "N"}, 100, 2100, 1, 0.5},
      {"vfork and exec", {"bench_exec", "N", "vfork"}, 100, 2100, 1},
      {"switch by pipe", {"bench_switch", "pipe", "N"}, 10000, 110000, 2},
      {"switch by futex", {"bench_switch", "futex", "N"}, 10000, 110000, 2},
  };
  return kList;
}

constexpr size_t kNative = 0, kFaultline = 1;
struct Runner {
  const char* name;
  std::vector<std::string> prefix;
};
const std::array<Runner, 2>& runners() {
  static const std::array<Runner, 2> kList = {
      {{"native", {}}, {"faultline", {FL_FAULTLINE, "run", "--ram", "512M", "--"}}}};
  return kList;
}

// What one runner took in one round.
struct Pair {
  Outcome few, many;
};
using Round = std::array<Pair, 2>;  // by runner

Outcome run_once(const ProcessWorkload& workload, const Runner& runner, unsigned count) {
  std::vector<std::string> command = workload.command;
  std::replace(command.begin(), command.end(), std::string("N"), std::to_string(count));
  settle_memory();
  Outcome outcome = time_process(command_line(runner.prefix, command));
  // Each program prints how many of its operations went well.
  if (!outcome.succeeded || outcome.output != fmt::format("{}\n", count)) {
    fmt::print(stderr, "{} under {}: {}\n", workload.name, runner.name,
               outcome.succeeded ? "not all went well" : "failed");
    outcome.succeeded = false;
  }
  return outcome;
}

std::optional<Round> measure(const ProcessWorkload& workload) {
  Round round;
  for (size_t at = 0; at < round.size(); ++at) {
    round[at].few = run_once(workload, runners()[at], workload.few);
  }
  for (size_t at = 0; at < round.size(); ++at) {
    round[at].many = run_once(workload, runners()[at], workload.many);
  }
  const bool succeeded = std::all_of(round.begin(), round.end(),
                                     [](const Pair& pair) { return pair.few.succeeded && pair.many.succeeded; });
  return succeeded ? std::optional(round) : std::nullopt;
}

double cost(const ProcessWorkload& workload, const Pair& pair) {
  return (pair.many.cpu_seconds - pair.few.cpu_seconds) / ((workload.many - workload.few) * workload.operations);
}

// By workload, and in each by round; a round that failed is missing.
using Rounds = std::map<std::string, std::map<unsigned, Round>>;

std::vector<double> costs(const ProcessWorkload& workload, const std::map<unsigned, Round>& rounds, size_t runner) {
  std::vector<double> result;
  for (const auto& [number, round] : rounds) {
    result.push_back(cost(workload, round[runner]));
  }
  return result;
}

std::string with_spread(const std::vector<double>& ratios) {
  if (ratios.empty()) {
    return "-";
  }
  const auto [least, greatest] = std::minmax_element(ratios.begin(), ratios.end());
  return fmt::format("{:.2f} ({:.2f}-{:.2f})", median(ratios), *least, *greatest);
}

// Cost over that of the workload it is like, in the rounds where both went well.
std::vector<double> growth(const ProcessWorkload& workload, const ProcessWorkload& like, const Rounds& rounds,
                           size_t runner) {
  std::vector<double> result;
  const std::map<unsigned, Round>& others = rounds.at(like.name);
  for (const auto& [number, round] : rounds.at(workload.name)) {
    if (const auto other = others.find(number); other != others.end()) {
      result.push_back(cost(workload, round[runner]) / cost(like, other->second[runner]));
    }
  }
  return result;
}

nlohmann::json times(const std::map<unsigned, Round>& rounds, double Outcome::*seconds) {
  nlohmann::json result;
  for (size_t runner = 0; runner < runners().size(); ++runner) {
    for (const auto& [number, round] : rounds) {
      result[runners()[runner].name]["few"].push_back(round[runner].few.*seconds);
      result[runners()[runner].name]["many"].push_back(round[runner].many.*seconds);
    }
  }
  return result;
}

nlohmann::json report(const ProcessWorkload& workload, const Rounds& all) {
  const std::map<unsigned, Round>& rounds = all.at(workload.name);
  if (rounds.empty()) {
    return {{"workload", workload.name}};
  }
  const std::vector<double> native = costs(workload, rounds, kNative), ours = costs(workload, rounds, kFaultline);
  std::vector<double> rates;
  for (size_t at = 0; at < native.size(); ++at) {
    rates.push_back(native[at] / ours[at]);
  }
  constexpr double kMicroseconds = 1e6;
  fmt::print("{:28} {:>9.2f} {:>9.2f}   {:20} {}\n", workload.name, median(native) * kMicroseconds,
             median(ours) * kMicroseconds, with_spread(rates),
             workload.goal > 0 ? fmt::format("goal {:.1f}", workload.goal) : "");
  nlohmann::json result = {{"workload", workload.name},
                           {"command", workload.command},
                           {"few", workload.few},
                           {"many", workload.many},
                           {"operations", workload.operations},
                           {"cpu_seconds", times(rounds, &Outcome::cpu_seconds)},
                           {"wall_seconds", times(rounds, &Outcome::wall_seconds)},
                           {"cpu_of_one", {{"native", native}, {"faultline", ours}}},
                           {"rate_over_native", rates}};
  if (const auto like = std::find_if(workloads().begin(), workloads().end(),
                                     [&](const ProcessWorkload& other) { return other.name == workload.like; });
      like != workloads().end() && all.contains(like->name)) {
    for (size_t runner = 0; runner < runners().size(); ++runner) {
      const std::vector<double> ratios = growth(workload, *like, all, runner);
      result["cost_over_" + like->name][runners()[runner].name] = ratios;
      fmt::print("{:28} {:>9} {:>9}   {:20} of what {} costs\n", "", "", runners()[runner].name, with_spread(ratios),
                 like->name);
    }
  }
  return result;
}

}  // namespace

nlohmann::json run_process_benchmarks(const ProgramBenchmarkOptions& options) {
  nlohmann::json result = nlohmann::json::array();
  if (!have_programs()) {
    return result;
  }
  // The rounds are outside, so that those of all workloads see the same load.
  Rounds rounds;
  for (unsigned number = 0; number < options.rounds; ++number) {
    for (const ProcessWorkload& workload : workloads()) {
      if (!options.only.empty() &&
          std::find(options.only.begin(), options.only.end(), workload.name) == options.only.end()) {
        continue;
      }
      std::map<unsigned, Round>& of_workload = rounds[workload.name];
      if (const auto round = measure(workload)) {
        of_workload.emplace(number, *round);
      }
    }
  }
  fmt::print("{:28} {:>9} {:>9}   rate of faultline over native\n", "CPU microseconds for one", "native", "faultline");
  for (const ProcessWorkload& workload : workloads()) {
    if (rounds.contains(workload.name)) {
      result.push_back(report(workload, rounds));
    }
  }
  std::fflush(stdout);
  return result;
}

}  // namespace fl::emu::bench
