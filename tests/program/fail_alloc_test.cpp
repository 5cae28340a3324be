// Every allocation can fail, and everybody copes: each program is run again and again on a small machine, each time
// with another allocation of pages or kernel objects made to fail, all invariants checked after every call and fault,
// and what did not come back at the end counted.
//
// A run may end in any way that a program short of memory ends: with its own status, killed, or refused before it
// began. It may not end by a fault of ours, hang, or leak.
#include <fmt/format.h>

#include <catch2/catch_test_macros.hpp>
#include <filesystem>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "tests/program/support/batch.hpp"
#include "tests/program/support/native_run.hpp"

namespace fl::test {
namespace fs = std::filesystem;
namespace {

constexpr long kRamMib = 8;

struct Program {
  const char* flavour;
  const char* name;
  std::vector<std::string> arguments = {};  // "DATA" stands for a copy of the data file that it may write
};

// Programs of the C library with every kind of mapping, fault, signal and file; and one of another library and without
// any, and a large one.
const std::vector<Program>& programs() {
  static const std::vector<Program> kPrograms = {
      {"musl", "hello"},
      {"glibc", "hello"},
      {"musl-pie", "hello"},
      {"nolibc", "nolibc"},
      {"musl", "empty"},
      {"musl", "anon"},
      {"musl", "brk"},
      {"musl", "mprotect", {"DATA"}},
      {"musl", "mremap", {"DATA"}},
      {"musl", "mremap_more", {"DATA"}},
      {"musl", "madvise", {"DATA"}},
      {"musl", "madvise_more", {"DATA"}},
      {"musl", "mlock", {"DATA"}},
      {"musl", "mlock_onfault", {"DATA"}},
      {"musl", "populate", {"DATA"}},
      {"musl", "shmem", {"DATA"}},
      {"musl", "memfd", {"DATA"}},
      {"musl", "sysv_pages"},
      {"musl", "fileshared", {"DATA"}},
      {"musl", "filepriv", {"DATA"}},
      {"musl", "faround", {"DATA"}},
      {"musl", "stack_growth"},
      {"musl", "signal_frames"},
      {"musl", "alt_stack"},
      {"musl", "traps"},
      {"musl", "vector_io", {"DATA"}},
      {"musl", "path_arguments"},
      {"musl", "stdio_files", {"DATA"}},
      {"musl", "malloc_sizes"},
      {"musl", "kernel_access", {"DATA"}},
      {"musl", "overlap", {"DATA"}},
      {"musl", "code_alias"},
      {"musl", "written_file", {"DATA"}},
      {"corpus", "busybox", {"ls", "-l", "/proc"}},
  };
  return kPrograms;
}

struct Totals {
  std::map<int, int> statuses;
  int runs = 0;
};

class Sweep {
 public:
  explicit Sweep(const Program& program) : program_(program), path_(guest_program(program.flavour, program.name)) {}
  bool built() const { return !path_.empty(); }

  // How many allocations the program makes when none fails, kernel objects included.
  uint64_t allocations() {
    std::optional<uint64_t> made;
    Batch batch([&](const BatchJob& job, const BatchEnd& ended) {
      judge(job, ended);
      const std::string key = "allocations: ";
      if (const size_t at = ended.error.find(key); at != std::string::npos) {
        made = std::stoull(ended.error.substr(at + key.size()));
      }
    });
    batch.run(job("nth=1000000000"));
    batch.finish();
    REQUIRE(made);
    return *made;
  }

  void run(const std::vector<std::string>& failures, Totals& totals) {
    Batch batch([&](const BatchJob& job, const BatchEnd& ended) {
      judge(job, ended);
      ++totals.statuses[ended.status];
      ++totals.runs;
    });
    for (const std::string& failure : failures) {
      batch.run(job(failure));
    }
    batch.finish();
  }

 private:
  BatchJob job(const std::string& failure) {
    const fs::path folder = scratch() / "fail_alloc" / fmt::format("{}", number_++ % 16);
    std::error_code ignored;
    fs::remove_all(folder, ignored);
    fs::create_directories(folder);
    std::vector<std::string> arguments{"--timeout", "20",          "--ram",        fmt::format("{}M", kRamMib),
                                       "--verify",  "2",           "--fail-alloc", failure,
                                       "--dump",    "leaks",       "--rw",         folder.string(),
                                       "--",        path_.string()};
    for (const std::string& argument : program_.arguments) {
      if (argument == "DATA") {
        fs::copy_file(data_, folder / "data");
        arguments.push_back((folder / "data").string());
      } else {
        arguments.push_back(argument);
      }
    }
    return {fmt::format("{} {} --fail-alloc {}", program_.flavour, program_.name, failure), std::move(arguments)};
  }

  static void judge(const BatchJob& job, const BatchEnd& ended) {
    INFO(job.name << ": status " << ended.status << ", stderr: " << tail(ended.error));
    check_alive(ended, kRamMib);
    CHECK(ended.error.find("leaks: none\n") != std::string::npos);
  }

  Program program_;
  fs::path path_;
  fs::path data_ = make_data_file("fail_alloc.data");
  size_t number_ = 0;
};

std::vector<std::string> each_of(const std::vector<uint64_t>& numbers) {
  std::vector<std::string> failures;
  for (const uint64_t n : numbers) {
    failures.push_back(fmt::format("nth={}", n));
  }
  return failures;
}

// All up to `dense`, then `samples` of those beyond, by a seed.
std::vector<uint64_t> choose(uint64_t allocations, uint64_t dense, size_t samples, uint32_t seed) {
  std::set<uint64_t> chosen;
  for (uint64_t n = 1; n <= std::min(dense, allocations); ++n) {
    chosen.insert(n);
  }
  std::mt19937_64 random(seed);
  for (size_t i = 0; i < samples && allocations > dense; ++i) {
    chosen.insert(dense + 1 + random() % (allocations - dense));
  }
  return {chosen.begin(), chosen.end()};
}

}  // namespace

TEST_CASE("fail-alloc: a run in which nothing fails ends as ever and leaves nothing behind", "[fail_alloc]") {
  for (const Program& program : programs()) {
    DYNAMIC_SECTION(program.flavour << " " << program.name) {
      Sweep sweep(program);
      if (!sweep.built()) {
        SKIP("it was not built");
      }
      CHECK(sweep.allocations() > 0);
    }
  }
}

TEST_CASE("fail-alloc: programs cope with one failed allocation, whichever it is", "[fail_alloc]") {
  Totals totals;
  for (const Program& program : programs()) {
    Sweep sweep(program);
    if (sweep.built()) {
      sweep.run(each_of(choose(sweep.allocations(), 3, 6, 1)), totals);
    }
  }
  CHECK(totals.runs > 100);
}

TEST_CASE("fail-alloc: programs cope with many failed allocations", "[fail_alloc]") {
  Totals totals;
  for (const Program& program : programs()) {
    Sweep sweep(program);
    if (sweep.built()) {
      sweep.run({"every=3", "p=0.02", "p=1"}, totals);
    }
  }
  CHECK(totals.runs > 60);
}

TEST_CASE("fail-alloc: thirty programs, each of the first 500 allocations and 200 of the others",
          "[fail_alloc][slow]") {
  Totals totals;
  size_t programs_run = 0;
  for (const Program& program : programs()) {
    Sweep sweep(program);
    if (sweep.built()) {
      ++programs_run;
      sweep.run(each_of(choose(sweep.allocations(), 500, 200, 2)), totals);
    }
  }
  CHECK(programs_run >= 30);
  CHECK(totals.runs > 3000);
  // Failures were met by the programs, and not only before they began.
  CHECK(totals.statuses.contains(0));
  CHECK(totals.statuses.contains(125));
}

}  // namespace fl::test
