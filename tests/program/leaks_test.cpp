// After a program has ended and all caches are dropped, the machine has what it had when it booted: every frame, every
// kernel object, every vmalloc area. For each program that was built for the tests.
#include <fmt/format.h>

#include <catch2/catch_test_macros.hpp>
#include <filesystem>
#include <set>
#include <string>

#include "tests/program/support/batch.hpp"
#include "tests/program/support/native_run.hpp"

namespace fl::test {
namespace fs = std::filesystem;

TEST_CASE("leaks: after every program each frame and kernel object is back", "[leaks]") {
  // These end by a signal from outside only, or want an argument to end.
  const std::set<std::string> endless = {"spin",          "spin_pure",         "codegen_forever", "fuzz_syscalls",
                                         "bench_compute", "bench_first_touch", "bench_memory",    "bench_syscall",
                                         "frame_reuse",   "bench_fork",        "bench_exec",      "bench_switch",
                                         "stress_memory", "stress_processes"};
  const fs::path folder = scratch() / "leaks";
  fs::create_directories(folder);
  int ended_runs = 0;
  Batch batch([&](const BatchJob& job, const BatchEnd& ended) {
    INFO(job.name << ": status " << ended.status << ", stderr: " << tail(ended.error));
    CHECK(ended.signal == 0);
    CHECK_FALSE(ended.hung);
    CHECK(ended.error.find("leaks: none\n") != std::string::npos);
    ++ended_runs;
  });
  for (const char* flavour : {"glibc", "glibc-pie", "musl", "musl-pie", "nolibc"}) {
    const fs::path programs = fs::path(FL_GUEST_PROGRAMS) / flavour;
    if (!fs::is_directory(programs)) {
      continue;
    }
    std::set<fs::path> sorted(fs::directory_iterator(programs), fs::directory_iterator{});
    for (const fs::path& program : sorted) {
      if (endless.contains(program.filename().string())) {
        continue;
      }
      const fs::path data = folder / fmt::format("{}.data", ended_runs % 16);
      fs::copy_file(make_data_file("leaks.data"), data, fs::copy_options::overwrite_existing);
      batch.run({fmt::format("{} {}", flavour, program.filename().string()),
                 {"--timeout", "60", "--verify", "1", "--dump", "leaks", "--rw", folder.string(), "--",
                  program.string(), data.string()}});
    }
  }
  batch.finish();
  CHECK(ended_runs > 100);
}

}  // namespace fl::test
