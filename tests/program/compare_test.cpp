// faultline compare: equal and different programs, each exit status, records and their replay, and its speed.
#include <fmt/format.h>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <cstring>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "tests/program/support/native_run.hpp"
#include "tests/program/support/perf_recorder.hpp"

namespace fl::test {
namespace {

namespace fs = std::filesystem;
using Catch::Matchers::ContainsSubstring;

RunResult compare(std::vector<std::string> args) {
  args.insert(args.begin(), "compare");
  return run_process({.program = FL_FAULTLINE, .args = std::move(args), .timeout = std::chrono::seconds(120)});
}

std::vector<std::string> with(std::vector<std::string> options, const fs::path& program,
                              const std::vector<std::string>& args = {}) {
  options.insert(options.end(), {"--clear-env", "--env", "A=1", "--", program.string()});
  options.insert(options.end(), args.begin(), args.end());
  return options;
}

void skip_unless_recordable() {
  if (!host_runs_i386() || !perf_unavailable().empty()) {
    SKIP("cannot record here: " << perf_unavailable());
  }
}

fs::path program_or_skip(const std::string& name) {
  const fs::path program = guest_program("glibc", name);
  if (program.empty()) {
    SKIP(name << " was not built");
  }
  return program;
}

std::string read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

fs::path record(const fs::path& program, const std::string& name, std::vector<std::string> args = {}) {
  const fs::path file = scratch() / (name + ".json");
  args.insert(args.begin(),
              {"record", "--clear-env", "--env", "A=1", "--output", file.string(), "--", program.string()});
  const RunResult run = run_process({.program = FL_FAULTLINE, .args = args, .timeout = std::chrono::seconds(120)});
  INFO(run.error);
  REQUIRE(run.exit_status == 0);
  return file;
}

// The path of a fresh copy of the program: what stands there may be exchanged.
fs::path own_copy(const fs::path& program, const std::string& folder) {
  const fs::path copy = scratch() / folder / program.filename();
  fs::create_directories(copy.parent_path());
  copy_page_by_page(program, copy);
  return copy;
}

}  // namespace

TEST_CASE("compare: hello is equal to real Linux, fault by fault", "[faults]") {
  skip_unless_recordable();
  const fs::path json = scratch() / "hello-comparison.json";
  const RunResult run = compare(with({"--json", json.string()}, program_or_skip("hello")));
  INFO(run.output << run.error);
  CHECK(run.exit_status == 0);
  CHECK(run.output.starts_with("equal: 25 = 25 faults, in the same order\n"));
  CHECK_THAT(run.output, ContainsSubstring("exit status 0, the same\n") && ContainsSubstring("6 bytes, the same\n"));
  const auto parsed = nlohmann::json::parse(read_file(json));
  CHECK(parsed["verdict"] == "equal");
  CHECK(parsed["minor"]["real"] == 25);
  CHECK(parsed["minor"]["here"] == 25);
  CHECK(parsed["faults"].size() >= 24);
}

TEST_CASE("compare: a program has the same limits on both sides", "[faults]") {
  skip_unless_recordable();
  if (!fs::exists(FL_BUSYBOX)) {
    SKIP("no busybox");
  }
  const RunResult run = compare(with({"--level", "total"}, FL_BUSYBOX, {"sh", "-c", "ulimit -a"}));
  INFO(run.output << run.error);
  CHECK_THAT(run.output, ContainsSubstring("bytes, the same\n"));
}

TEST_CASE("compare: a planted fault is found and named", "[faults]") {
  skip_unless_recordable();
  const fs::path program = own_copy(program_or_skip("plant"), "planted");
  const fs::path file = record(program, "planted");
  // Unchanged, and with the record's own program, arguments and environment.
  const RunResult unchanged = compare({"--against", file.string()});
  INFO(unchanged.output << unchanged.error);
  CHECK(unchanged.exit_status == 0);

  std::string bytes = read_file(program);
  const size_t marker = bytes.find("PLANT-FAULTS");
  REQUIRE(marker != std::string::npos);
  const uint32_t pages = 1;
  std::memcpy(bytes.data() + marker + 12, &pages, sizeof pages);
  const fs::path changed = scratch() / "planted-image";
  std::ofstream(changed, std::ios::binary) << bytes;
  fs::permissions(changed, fs::perms::owner_all);
  copy_page_by_page(changed, program);

  const RunResult refused = compare({"--against", file.string()});
  CHECK(refused.exit_status == 2);
  CHECK_THAT(refused.error, ContainsSubstring("--accept-changed"));
  const RunResult found = compare({"--against", file.string(), "--accept-changed"});
  INFO(found.output << found.error);
  CHECK(found.exit_status == 1);
  CHECK_THAT(found.output, ContainsSubstring("different: 1 extra here; "));
  CHECK_THAT(found.output, ContainsSubstring("hint: the program's file has changed since the record was made"));
  CHECK_THAT(found.output, ContainsSubstring("\nextra here, fault "));
  CHECK_THAT(found.output,
             ContainsSubstring("  here      user   write page 0x08") && ContainsSubstring(" minor: anon\n"));
  CHECK_THAT(found.output, ContainsSubstring(" main+0x") && ContainsSubstring(" [mov byte ptr "));
  CHECK_THAT(found.output, ContainsSubstring("  vma       0x08") && ContainsSubstring(" rw-p [anon]+0x0\n"));

  // The other way round: the record has a fault that the program here does not make.
  const fs::path planted = record(program, "planted-more");
  copy_page_by_page(guest_program("glibc", "plant"), program);
  const RunResult missing = compare({"--against", planted.string(), "--accept-changed"});
  INFO(missing.output << missing.error);
  CHECK(missing.exit_status == 1);
  CHECK_THAT(missing.output,
             ContainsSubstring("different: 1 missing here; ") && ContainsSubstring("\nmissing here, fault "));
  CHECK_THAT(missing.output, ContainsSubstring(" main+0x") && ContainsSubstring(" [mov byte ptr "));
}

TEST_CASE("compare: kernel-mode faults that a record does not have leave the question open", "[faults]") {
  skip_unless_recordable();
  const fs::path file = record(program_or_skip("hello"), "hidden");
  // As at perf_event_paranoid 2: no kernel-mode lines, and the record says so.
  const std::string text = read_file(file);
  std::string kept;
  int removed = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t end = text.find('\n', at) + 1;
    const std::string line = text.substr(at, end - at);
    if (line.find("\"kernel\",\"") == std::string::npos && line.find("\"gup\",\"") == std::string::npos) {
      kept += line;
    } else {
      ++removed;
    }
    at = end;
  }
  REQUIRE(removed >= 2);
  const auto parsed = nlohmann::json::parse(text);
  const int count = parsed["fault_count"], gup = parsed["gup_faults"];
  const std::vector<std::pair<std::string, std::string>> changes = {
      {R"("kernel_faults_seen": true)", R"("kernel_faults_seen": false)"},
      {fmt::format(R"("gup_faults": {})", gup), R"("gup_faults": 0)"},
      {fmt::format(R"("fault_count": {})", count), fmt::format(R"("fault_count": {})", count - removed)},
  };
  for (const auto& [from, to] : changes) {
    const size_t at = kept.find(from);
    REQUIRE(at != std::string::npos);
    kept.replace(at, from.size(), to);
  }
  std::ofstream(file, std::ios::binary | std::ios::trunc) << kept;
  const RunResult order = compare({"--against", file.string()});
  INFO(order.output << order.error);
  CHECK(order.exit_status == 3);
  CHECK_THAT(order.output, ContainsSubstring("user-mode faults equal: 22; kernel-mode faults: 3 in all on both sides"));
  CHECK(compare({"--against", file.string(), "--level", "total"}).exit_status == 0);
}

TEST_CASE("compare: system and popen start a shell in a root of its own", "[faults]") {
  skip_unless_recordable();
  if (::geteuid() != 0 || !fs::exists(FL_BUSYBOX)) {
    SKIP("another root needs root, and the shell is busybox");
  }
  for (const char* flavour : {"glibc", "musl"}) {
    const fs::path program = guest_program(flavour, "system_popen");
    if (program.empty()) {
      SKIP("system_popen was not built");
    }
    const fs::path root = scratch() / fmt::format("root-{}", flavour);
    for (const char* folder : {"bin", "dev", "proc", "tmp"}) {
      fs::create_directories(root / folder);
    }
    copy_page_by_page(program, root / "bin/program");
    copy_page_by_page(FL_BUSYBOX, root / "bin/busybox");
    for (const char* applet : {"sh", "sort"}) {
      fs::create_symlink("busybox", root / "bin" / applet);
    }
    const RunResult run = compare({"--root", root.string(), "--clear-env", "--env", "PATH=/bin", "--", "/bin/program"});
    INFO(flavour << ": " << run.output << run.error);
    CHECK(run.exit_status == 0);
    CHECK_THAT(run.output, ContainsSubstring("64 bytes, the same\n"));
  }
}

TEST_CASE("compare: a script of twenty commands has equal totals in each process, and equal faults", "[faults]") {
  skip_unless_recordable();
  const fs::path shell = guest_program("corpus", "busybox"), inputs = fs::path(FL_GUEST_PROGRAMS) / "inputs";
  if (shell.empty() || !fs::exists(inputs / "commands.sh")) {
    SKIP("no busybox");
  }
  const fs::path json = scratch() / "commands.json";
  const RunResult run = compare(with({"--level", "total", "--json", json.string()}, shell,
                                     {"ash", (inputs / "commands.sh").string(), shell.string(), inputs.string()}));
  INFO(run.output << run.error);
  CHECK(run.exit_status == 0);
  const auto parsed = nlohmann::json::parse(read_file(json));
  REQUIRE(parsed["processes"].size() == 29);
  for (const auto& process : parsed["processes"]) {
    CHECK(process["minor"]["real"] == process["minor"]["here"]);
    CHECK(process["minor"]["real"] > 0);
  }
}

TEST_CASE("compare: a program that does not end on either side is given up", "[faults]") {
  skip_unless_recordable();
  const RunResult native = compare({"--timeout", "1", "--", program_or_skip("spin").string()});
  CHECK(native.exit_status == 2);
  CHECK_THAT(native.error, ContainsSubstring("the program had not ended after 1 s"));
  const fs::path file = record(program_or_skip("hello"), "ends");
  const RunResult here = compare(
      {"--timeout", "1", "--against", file.string(), "--accept-changed", "--", program_or_skip("spin").string()});
  CHECK(here.exit_status == 2);
  CHECK_THAT(here.error,
             ContainsSubstring("the program had not ended here after 1 s: see --timeout; 1000 (spin) runs"));
}

TEST_CASE("compare: what cannot be used ends with status 2 and a reason") {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{}, "there is no PROGRAM"},
      {{"--level", "exact", "--", "/bin/true"}, "cannot compare at level: exact"},
      {{"--runs", "0", "--", "/bin/true"}, "cannot make so many runs: 0"},
      {{"--kernel", "2.4", "--", "/bin/true"}, "cannot imitate the kernel: 2.4"},
      {{"--against", "/nonexistent.json"}, "/nonexistent.json"},
      {{"--suite", "/nonexistent.tsv", "--programs", "/tmp"}, "/nonexistent.tsv"},
      {{"--suite", "/nonexistent.tsv"}, "--programs"},
      {{"--no-such-option"}, "--no-such-option"},
  };
  for (const auto& [args, reason] : cases) {
    const RunResult run = compare(args);
    INFO(fmt::format("{}", fmt::join(args, " ")) << ": " << run.error);
    CHECK(run.exit_status == 2);
    CHECK_THAT(run.error, ContainsSubstring(reason));
    CHECK(run.error.find('\n') == run.error.size() - 1);
    CHECK(run.output.empty());
  }
}

TEST_CASE("compare: a suite skips loudly what was not recorded or is another file", "[faults]") {
  skip_unless_recordable();
  if (guest_program("musl", "hello").empty()) {
    SKIP("musl's hello was not built");
  }
  const fs::path table = scratch() / "suite.tsv", records = scratch() / "suite-records", place = scratch() / "suite";
  std::ofstream(table) << "hello\tmusl\thello\t-\torder\t-\nabsent\tmusl\tabsent\t-\torder\t-\n";
  const std::vector<std::string> common{"--suite",         table.string(), "--programs",
                                        FL_GUEST_PROGRAMS, "--scratch",    place.string()};
  const auto run = [&](std::vector<std::string> more) {
    more.insert(more.begin(), common.begin(), common.end());
    return compare(more);
  };
  const fs::path markdown = scratch() / "suite.md";
  const RunResult live = run({"--record-dir", records.string(), "--markdown", markdown.string()});
  INFO(live.output << live.error);
  CHECK(live.exit_status == 0);
  CHECK_THAT(live.output, ContainsSubstring("musl/hello                       7 = 7 faults") &&
                              ContainsSubstring("SKIPPED        musl/absent"));
  CHECK_THAT(read_file(markdown), ContainsSubstring("| musl/hello |  | order | 7 | 7 | equal |"));
  const RunResult stored = run({"--against-dir", records.string()});
  CHECK(stored.exit_status == 0);
  CHECK_THAT(stored.output, ContainsSubstring("1 equal, 1 skipped"));
  // Another file: not compared, and nothing compared is no success.
  const fs::path other = scratch() / "other-programs";
  fs::create_directories(other / "musl");
  copy_page_by_page(fs::path(FL_GUEST_PROGRAMS) / "musl" / "empty", other / "musl" / "hello");
  const RunResult changed = compare({"--suite", table.string(), "--programs", other.string(), "--scratch",
                                     place.string(), "--against-dir", records.string()});
  CHECK(changed.exit_status == 3);
  CHECK_THAT(changed.output,
             ContainsSubstring("SKIPPED        musl/hello") && ContainsSubstring("not the one that was recorded"));
}

TEST_CASE("compare: 300,000 faults take less than five seconds beyond the runs", "[faults]") {
  skip_unless_recordable();
  const fs::path program = program_or_skip("bench_first_touch");
  const fs::path file = record(program, "many", {"64", "19"});
  const fs::path json = scratch() / "many-comparison.json";
  const RunResult run = compare({"--against", file.string(), "--json", json.string()});
  INFO(run.output << run.error);
  CHECK(run.exit_status == 0);
  const auto parsed = nlohmann::json::parse(read_file(json));
  CHECK(parsed["minor"]["here"] > 300'000);
  CHECK(parsed["faults"].size() > 300'000);
  CHECK(run.seconds - parsed["seconds_here"].get<double>() < 5);
  fs::remove(file);
  fs::remove(json);
}

}  // namespace fl::test
