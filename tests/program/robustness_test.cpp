// That no program can take the host program down: malformed and mutated ELF files, programs of random system calls, and
// what goes wrong outside (an unwritable report, a failed start, a user without rights).
//
// Each run must end with the guest's own status, or with 125 and one line that says what is wrong: never by a signal to
// faultline, an internal error or a time-out.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>
#include <random>
#include <system_error>

#include "tests/program/support/batch.hpp"
#include "tests/program/support/faultline_run.hpp"
#include "tests/program/support/native_run.hpp"
#include "tests/support/malformed_elf.hpp"

namespace fl::test {
namespace fs = std::filesystem;
namespace {

constexpr long kRamMib = 64;

void write_text(const fs::path& path, std::string_view text) {
  std::ofstream out(path, std::ios::binary);
  out.write(text.data(), static_cast<std::streamsize>(text.size()));
}

fs::path statistics_of(const BatchJob& job) { return job.arguments.back() + ".stats"; }

// Runs each file; returns how often each status was seen.
std::map<int, int> run_files(const std::vector<ElfFile>& files) {
  std::map<int, int> statuses;
  const fs::path folder = scratch() / "elf";
  fs::create_directories(folder);
  Batch batch([&](const BatchJob& job, const BatchEnd& ended) {
    INFO(job.name << ": status " << ended.status << ", stderr: " << tail(ended.error));
    check_alive(ended, kRamMib);
    ++statuses[ended.status];
    // A program that has run may end with 125 itself; then there are statistics of it.
    if (ended.status == 125 && !fs::remove(statistics_of(job))) {
      // One line, and it says who speaks.
      CHECK(ended.error.starts_with("faultline: "));
      CHECK(std::count(ended.error.begin(), ended.error.end(), '\n') == 1);
      CHECK(ended.error.ends_with('\n'));
    }
    fs::remove(job.arguments.back());
    fs::remove(statistics_of(job));
  });
  size_t number = 0;
  for (const ElfFile& file : files) {
    const fs::path path = folder / fmt::format("{}", number++);
    write_text(path, {reinterpret_cast<const char*>(file.bytes.data()), file.bytes.size()});
    fs::permissions(path, fs::perms::owner_all);
    batch.run({file.name,
               {"--timeout", "20", "--ram", fmt::format("{}M", kRamMib), "--stats=" + path.string() + ".stats", "--",
                path.string()}});
  }
  batch.finish();
  return statuses;
}

// Copies of a file with 1 to 8 bytes or words of its ELF and program headers changed.
std::vector<ElfFile> mutated_headers(const fs::path& original, size_t count, uint32_t seed) {
  const std::string text = read_text(original);
  std::mt19937 random(seed);
  const auto below = [&random](uint32_t n) { return static_cast<uint32_t>(random() % n); };
  constexpr std::array<uint32_t, 10> kExtremes = {0,          1,          0xfff,      0x1000,     0x7fffffff,
                                                  0x80000000, 0xbffff000, 0xc0000000, 0xfffff000, 0xffffffff};
  constexpr uint32_t kHeaderBytes = 52 + 8 * 32;
  std::vector<ElfFile> files;
  for (size_t i = 0; i < count; ++i) {
    ElfFile file{fmt::format("hello, mutation {}", i), {}};
    file.bytes.resize(text.size());
    std::memcpy(file.bytes.data(), text.data(), text.size());
    for (uint32_t changes = 1 + below(8); changes > 0; --changes) {
      if (below(2) == 0) {
        file.bytes.at(below(kHeaderBytes)) = static_cast<std::byte>(random());
      } else {
        const uint32_t value = kExtremes.at(below(kExtremes.size()));
        std::memcpy(&file.bytes.at(below(kHeaderBytes / 4) * 4), &value, sizeof value);
      }
    }
    files.push_back(std::move(file));
  }
  return files;
}

// Runs fuzz_syscalls with these seeds. Returns how many came to the end of all their calls.
int run_fuzz(const char* flavour, uint32_t first_seed, uint32_t seeds, uint32_t calls) {
  const fs::path program = guest_program(flavour, "fuzz_syscalls");
  if (program.empty()) {
    SKIP("fuzz_syscalls was not built");
  }
  int complete = 0;
  Batch batch([&](const BatchJob& job, const BatchEnd& ended) {
    INFO(job.name << ": status " << ended.status << ", stderr: " << tail(ended.error));
    check_alive(ended, kRamMib);
    const bool deadlock = ended.error.find("faultline: deadlock: ") != std::string::npos;
    CHECK((ended.status != 125 || deadlock));
    complete += ended.status == 0 ? 1 : 0;
    std::error_code ignored;
    fs::remove_all(job.arguments.back(), ignored);
  });
  for (uint32_t seed = first_seed; seed < first_seed + seeds; ++seed) {
    const fs::path folder = scratch() / fmt::format("fuzz{}", seed);
    fs::create_directories(folder);
    batch.run({fmt::format("seed {}", seed),
               {"--timeout", "100", "--ram", fmt::format("{}M", kRamMib), "--verify", "1", "--kernel",
                seed % 2 == 0 ? "6.1-i386" : "6.18-compat", "--rw", folder.string(), "--", program.string(),
                std::to_string(seed), std::to_string(calls), folder.string()}});
  }
  batch.finish();
  return complete;
}

}  // namespace

TEST_CASE("robustness: every malformed ELF file is refused in one line or ends as the guest", "[robustness]") {
  const std::vector<ElfFile> files = malformed_elf_files();
  CHECK(files.size() >= 200);
  const std::map<int, int> statuses = run_files(files);
  CHECK(statuses.contains(125));
  CHECK(statuses.contains(kGoodElfStatus));  // some damage does not matter
}

TEST_CASE("robustness: mutations of a small program", "[robustness]") {
  const std::map<int, int> statuses = run_files(mutated_elf_files(60, 1));
  CHECK(statuses.contains(125));
}

TEST_CASE("robustness: a thousand mutations of a small program", "[robustness][slow]") {
  const std::map<int, int> statuses = run_files(mutated_elf_files(1000, 2));
  CHECK(statuses.contains(125));
  CHECK(statuses.contains(kGoodElfStatus));
}

TEST_CASE("robustness: mutated headers of a glibc program", "[robustness][slow]") {
  const fs::path hello = guest_program("glibc", "hello");
  if (hello.empty()) {
    SKIP("hello was not built");
  }
  const std::map<int, int> statuses = run_files(mutated_headers(hello, 200, 3));
  CHECK(statuses.contains(125));
  CHECK(statuses.contains(0));
}

TEST_CASE("robustness: random system calls hurt nobody but the guest", "[robustness]") {
  CHECK(run_fuzz("musl", 1, 12, 400) >= 8);
}

TEST_CASE("robustness: random system calls, many of them", "[robustness][slow]") {
  CHECK(run_fuzz("musl", 100, 80, 2000) >= 40);
  CHECK(run_fuzz("glibc", 200, 40, 1000) >= 20);
}

TEST_CASE("robustness: a trace that cannot be written ends the run with status 125", "[robustness]") {
  for (const char* suffix : {"jsonl", "csv", "txt"}) {
    DYNAMIC_SECTION(suffix) {
      const fs::path full = scratch() / fmt::format("full.{}", suffix);
      fs::create_symlink("/dev/full", full);
      const RunSpec hello{.program = guest_program("musl", "hello")};
      const FaultlineResult result = run_faultline(hello, {.extra = {"--trace", full.string()}});
      CHECK(result.run.exit_status == 125);
      CHECK(result.run.error ==
            fmt::format("faultline: cannot write the trace file: {}: No space left on device\n", full.string()));
      fs::remove(full);
    }
  }
}

TEST_CASE("robustness: a program that cannot be started leaves reports of earlier runs alone", "[robustness]") {
  const fs::path old_stats = scratch() / "old.json", new_stats = scratch() / "new.json";
  const fs::path old_trace = scratch() / "old.csv", new_trace = scratch() / "new.csv";
  write_text(old_stats, "old");
  write_text(old_trace, "old");
  const auto run = [](const fs::path& stats, const fs::path& trace, const std::string& program) {
    return run_process({.program = FL_FAULTLINE,
                        .args = {"run", "--stats=" + stats.string(), "--trace", trace.string(), "--", program}});
  };
  CHECK(run(old_stats, old_trace, "/no/such/program").exit_status == 125);
  CHECK(read_text(old_stats) == "old");
  CHECK(read_text(old_trace) == "old");
  CHECK(run(new_stats, new_trace, "/no/such/program").exit_status == 125);
  CHECK_FALSE(fs::exists(new_stats));
  CHECK_FALSE(fs::exists(new_trace));
  // One that starts replaces them, however short it is.
  CHECK(run(old_stats, old_trace, guest_program("musl", "hello").string()).exit_status == 0);
  CHECK(read_text(old_stats).starts_with("{"));
  CHECK(read_text(old_trace).starts_with("seq"));
}

TEST_CASE("robustness: a user without rights runs and traces programs", "[robustness]") {
  // What an ordinary user may read and write, wherever the tree stands.
  const fs::path open_folder = fs::temp_directory_path() / fmt::format("faultline-test-{}", ::getpid());
  const auto make = [&] {
    fs::create_directories(open_folder);
    fs::permissions(open_folder, fs::perms::all);
  };
  make();
  const fs::path faultline = open_folder / "faultline", stats = open_folder / "s.json", trace = open_folder / "t.jsonl";
  fs::copy_file(FL_FAULTLINE, faultline);
  // The program's own search path leads into the tree, which that user may be unable to enter.
  const fs::path unicorn = fs::path(FL_SOURCE_DIR) / ".deps/root/usr/lib/x86_64-linux-gnu/libunicorn.so.2";
  if (fs::exists(unicorn)) {
    fs::copy_file(unicorn, open_folder / "libunicorn.so.2");
  }
  std::vector<std::pair<fs::path, std::vector<std::string>>> programs;
  if (const fs::path hello = guest_program("glibc", "hello"); !hello.empty()) {
    fs::copy_file(hello, open_folder / "hello");
    programs.push_back({open_folder / "hello", {}});
  }
  if (fs::exists(FL_BUSYBOX)) {
    fs::copy_file(FL_BUSYBOX, open_folder / "busybox");
    programs.push_back({open_folder / "busybox", {"sha256sum", "/etc/passwd"}});
    programs.push_back({open_folder / "busybox", {"ls", "-l", "/"}});
  }
  for (const auto& [program, arguments] : programs) {
    INFO(program);
    RunSpec spec{.program = faultline, .args = {}};
    if (::geteuid() == 0) {
      if (!fs::exists("/usr/bin/setpriv")) {
        SKIP("no setpriv to give up root's rights");
      }
      spec = {.program = "/usr/bin/setpriv",
              .args = {"--reuid", "65534", "--regid", "65534", "--clear-groups", faultline.string()}};
    }
    spec.env = {"A=1", "LD_LIBRARY_PATH=" + open_folder.string()};
    spec.args.insert(spec.args.end(),
                     {"run", "--stats=" + stats.string(), "--trace", trace.string(), "--", program.string()});
    spec.args.insert(spec.args.end(), arguments.begin(), arguments.end());
    const RunResult result = run_process(spec);
    CHECK(result.exit_status == 0);
    CHECK(result.error.empty());
    CHECK_FALSE(result.output.empty());
    CHECK(read_text(stats).starts_with("{"));
    CHECK(read_text(trace).ends_with("}\n"));
    if (struct stat owner{}; ::geteuid() == 0 && ::stat(trace.c_str(), &owner) == 0) {
      CHECK(owner.st_uid == 65534);
    }
  }
  fs::remove_all(open_folder);
}

}  // namespace fl::test
