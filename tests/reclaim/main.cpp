// reclaim_spans: how often pages come back under a memory limit, on real Linux and here. Three commands:
//
//   record  PATTERNS PROGRAMS WORK RECORD [RUNS]   runs all patterns natively (default: 10 times) and writes a record.
//                                                  Exit status 3: this host cannot; says why
//   check   RECORD PROGRAMS FAULTLINE [POLICY]     runs all patterns of a record here by lru (or POLICY) and prints a
//                                                  line for each. Exit status 1: one lies outside its span, or, if a
//                                                  POLICY is given, fewer than two do
//   table   RECORD PROGRAMS FAULTLINE              the same by all policies, as Markdown
//
// A span is that of the native runs, widened by 15 %. The setting is the record's: limit, swap, a device that rotates
// and is as fast as it was measured to be.
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "tests/reclaim/measured.hpp"
#include "tests/reclaim/native_runs.hpp"

namespace fl::test {
namespace {

namespace fs = std::filesystem;

struct Here {
  NativeRecord record;
  fs::path program;
  fs::path faultline;
};

std::string quoted(const std::string& word) { return "'" + word + "'"; }

// Runs a pattern under faultline. The output must be the native one: the same accesses gave the same data.
Measured run_here(const Here& here, const NativeRecord::Runs& runs, const std::string& policy) {
  const fs::path stats = fs::temp_directory_path() / fmt::format("reclaim-spans-{}.json", ::getpid());
  std::string command = fmt::format(
      "{} run --kernel 6.18-compat --ram 256M --clear-env --memory-limit {} --swap {} --disk {} --reclaim {} "
      "--stats={} "
      "-- {}",
      quoted(here.faultline.string()), here.record.setting.limit_bytes, here.record.setting.swap_bytes,
      quoted(here.record.host.at("disk")), policy, quoted(stats.string()), quoted(here.program.string()));
  for (const std::string& arg : runs.args) {
    command += " " + quoted(arg);
  }
  FILE* const pipe = ::popen(command.c_str(), "re");
  if (pipe == nullptr) {
    throw std::runtime_error("cannot run: " + command);
  }
  Measured measured;
  std::array<char, 4096> buffer;
  for (size_t got; (got = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) {
    measured.output.append(buffer.data(), got);
  }
  const int status = ::pclose(pipe);
  if (status != 0 || measured.output != runs.runs.at(0).output) {
    throw std::runtime_error(fmt::format("{}: wait status {:#x}, output:\n{}natively:\n{}", command, status,
                                         measured.output, runs.runs.at(0).output));
  }
  const auto json = nlohmann::json::parse(std::ifstream(stats));
  fs::remove(stats);
  measured.majors = json.at("majflt");
  measured.swap_ins = json.at("swap_ins");
  return measured;
}

bool inside(const NativeRecord::Runs& runs, const Measured& here) {
  return runs.majors().allows(here.majors) && runs.swap_ins().allows(here.swap_ins);
}

Here load(char** args) {
  Here here{read_record(args[0]), fs::path(args[1]) / "glibc/access_patterns", args[2]};
  if (!fs::exists(here.program)) {
    fmt::print("skipped: {} was not built\n", here.program.string());
    std::exit(3);
  }
  // Readahead and the choice of slots depend on it, and areas here rotate.
  if (here.record.host.at("rotational") != "1") {
    fmt::print("skipped: the record is of a device that does not rotate\n");
    std::exit(3);
  }
  return here;
}

int record(int argc, char** args) {
  if (const auto why = cannot_measure()) {
    fmt::print(stderr, "cannot measure natively: {}\n", *why);
    return 3;
  }
  const NativeOptions options{.programs = args[1], .work = args[2], .runs = argc > 4 ? std::atoi(args[4]) : 10};
  write_record(measure(read_patterns(args[0]), options), args[3]);
  return 0;
}

int check(const Here& here, const std::string& policy, bool must_be_inside) {
  int outside = 0;
  for (const auto& [name, runs] : here.record.patterns) {
    const Measured measured = run_here(here, runs, policy);
    const bool good = inside(runs, measured);
    outside += good ? 0 : 1;
    fmt::print("{:<10} {}: majors {} of {}-{}, swap-ins {} of {}-{}: {}\n", name, policy, measured.majors,
               runs.majors().least, runs.majors().most, measured.swap_ins, runs.swap_ins().least, runs.swap_ins().most,
               good ? "inside" : "outside");
  }
  return must_be_inside ? (outside == 0 ? 0 : 1) : (outside >= 2 ? 0 : 1);
}

int table(const Here& here) {
  for (const auto& [what, value] : here.record.host) {
    fmt::print("* {}: {}\n", what, value);
  }
  fmt::print("* limit: {} MiB of memory, {} MiB of swap\n\n", here.record.setting.limit_bytes >> 20,
             here.record.setting.swap_bytes >> 20);
  fmt::print("| pattern | native majors | lru | clock | fifo | native swap-ins | lru | clock | fifo |\n");
  fmt::print("|---|---|---|---|---|---|---|---|---|\n");
  for (const auto& [name, runs] : here.record.patterns) {
    std::string majors, swap_ins;
    for (const char* policy : {"lru", "clock", "fifo"}) {
      const Measured measured = run_here(here, runs, policy);
      const auto mark = [](const Span& span, uint64_t value) { return span.allows(value) ? "" : " (outside)"; };
      majors += fmt::format(" {}{} |", measured.majors, mark(runs.majors(), measured.majors));
      swap_ins += fmt::format(" {}{} |", measured.swap_ins, mark(runs.swap_ins(), measured.swap_ins));
    }
    fmt::print("| `{}` | {} to {} |{} {} to {} |{}\n", fmt::join(runs.args, " "), runs.majors().least,
               runs.majors().most, majors, runs.swap_ins().least, runs.swap_ins().most, swap_ins);
  }
  return 0;
}

int run(int argc, char** argv) {
  const std::string command = argc > 1 ? argv[1] : "";
  char** const args = argv + 2;
  const int count = argc - 2;
  if (command == "record" && (count == 4 || count == 5)) {
    return record(count, args);
  }
  if (command == "check" && (count == 3 || count == 4)) {
    return check(load(args), count == 4 ? args[3] : "lru", count == 3);
  }
  if (command == "table" && count == 3) {
    return table(load(args));
  }
  fmt::print(stderr, "usage: see the head of tests/reclaim/main.cpp\n");
  return 2;
}

}  // namespace
}  // namespace fl::test

int main(int argc, char** argv) {
  try {
    return fl::test::run(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "reclaim_spans: {}\n", error.what());
    return 2;
  }
}
