// `faultline record` and the 32-bit recorder: what they write, what they refuse, and that nothing is lost in silence.
#include <fmt/format.h>

#include <catch2/catch_test_macros.hpp>
#include <csignal>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "emu/record/record_file.hpp"
#include "emu/record/record_program.hpp"
#include "emu/record/task_exits.hpp"
#include "tests/program/support/native_run.hpp"
#include "tests/program/support/perf_recorder.hpp"

namespace fl::test {
namespace fs = std::filesystem;
namespace {

using Json = nlohmann::json;

std::string read_text(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

RunResult record(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "record");
  return run_process({.program = FL_FAULTLINE, .args = std::move(arguments)});
}

emu::NativeRecord read(const fs::path& path) {
  auto result = emu::read_record(path.string());
  REQUIRE(result.has_value());
  return std::move(*result);
}

std::string list_of(const emu::NativeRecord& record) {
  std::string text;
  for (const emu::NativeFault& fault : record.faults) {
    text += fmt::format("{} {} {:08x} {:08x} {}\n", fault.process, vm::mode_name(fault.mode), fault.addr, fault.ip,
                        fault.access ? vm::access_name(*fault.access) : "?");
  }
  return text;
}

void skip_unless_possible() {
  if (!host_runs_i386() || !perf_unavailable().empty()) {
    SKIP("cannot record here: " << perf_unavailable());
  }
}

// A command as a user without rights, in a folder that he may use.
class Ordinary {
 public:
  Ordinary() : folder_(fs::temp_directory_path() / fmt::format("faultline-record-{}", ::getpid())) {
    fs::create_directories(folder_);
    fs::permissions(folder_, fs::perms::all);
  }
  Ordinary(const Ordinary&) = delete;
  Ordinary& operator=(const Ordinary&) = delete;
  ~Ordinary() { fs::remove_all(folder_); }
  const fs::path& folder() const { return folder_; }
  RunResult run(const fs::path& program, std::vector<std::string> arguments) const {
    RunSpec spec{.program = program, .args = std::move(arguments)};
    if (::geteuid() == 0) {
      spec.program = "/usr/bin/setpriv";
      spec.args.insert(spec.args.begin(), {"--reuid", "65534", "--regid", "65534", "--clear-groups", program.string()});
    }
    return run_process(spec);
  }

 private:
  fs::path folder_;
};

}  // namespace

TEST_CASE("record: the files and the table agree", "[record]") {
  skip_unless_possible();
  const fs::path hello = guest_program("glibc", "hello");
  if (hello.empty()) {
    SKIP("hello was not built");
  }
  const fs::path output = scratch() / "r.json", trace = scratch() / "r.jsonl", stats = scratch() / "s.json";
  const RunResult result = record({"--clear-env", "--env", "A=1", "--output", output.string(), "--trace",
                                   trace.string(), "--stats", stats.string(), "--", hello.string()});
  INFO(result.error);
  CHECK(result.exit_status == 0);
  CHECK(result.output == "hello\n");  // once, although it ran six times
  CHECK(result.error.find("minor 25, major 0") != std::string::npos);

  const emu::NativeRecord written = read(output);
  CHECK(written.minflt == 25);
  CHECK(written.runs == 5);
  CHECK(written.agreeing >= 3);
  CHECK(written.command == std::vector<std::string>{hello.string()});
  CHECK(written.environment == std::vector<std::string>{"A=1"});
  CHECK(written.output_bytes == 6);
  CHECK(written.exit_status == 0);
  CHECK(written.program_bytes == fs::file_size(hello));
  CHECK_FALSE(written.cpu.cpuid.empty());
  REQUIRE(written.processes.size() == 1);
  CHECK(written.processes[0].comm == "hello");

  const Json statistics = Json::parse(read_text(stats));
  CHECK(statistics["minflt"] == 25);
  CHECK(statistics["by_mode"]["gup"] == 1);
  CHECK(statistics["by_mode"]["user"].get<size_t>() + statistics["by_mode"]["kernel"].get<size_t>() == 24);
  CHECK(statistics["processes"][0]["exit_status"] == 0);

  std::ifstream lines(trace);
  size_t count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    const Json event = Json::parse(line);
    REQUIRE(count < written.faults.size());
    const emu::NativeFault& fault = written.faults[count];
    CHECK(event["seq"] == count);
    CHECK(event["addr"] == fmt::format("0x{:08x}", fault.addr));
    CHECK(event["ip"] == fmt::format("0x{:08x}", fault.ip));
    CHECK(event["mode"] == vm::mode_name(fault.mode));
    CHECK(event["counted"] == true);
    CHECK(event["cause"].is_null());
    CHECK(event["vma"].is_null());
    CHECK(event["pte_after"].is_null());
  }
  CHECK(count == written.faults.size());
}

TEST_CASE("record: exit status and standard input are the program's own affair", "[record]") {
  skip_unless_possible();
  if (!fs::exists(FL_BUSYBOX)) {
    SKIP("no busybox");
  }
  const fs::path output = scratch() / "r.json", input = scratch() / "in.txt";
  std::ofstream(input) << "some input\n";
  CHECK(record({"--runs", "1", "--output", output.string(), FL_BUSYBOX, "false"}).exit_status == 0);
  CHECK(read(output).exit_status == 1);
  CHECK(record({"--runs=2", "--stdin", input.string(), "--output", output.string(), FL_BUSYBOX, "cat"}).output ==
        "some input\n");
  const emu::NativeRecord cat = read(output);
  CHECK(cat.output_bytes == 11);
  CHECK(cat.runs == 2);
}

TEST_CASE("record: children are processes of their own, with all their faults", "[record]") {
  skip_unless_possible();
  if (!fs::exists(FL_BUSYBOX)) {
    SKIP("no busybox");
  }
  const std::string busybox = FL_BUSYBOX;
  const fs::path output = scratch() / "r.json";
  const RunResult result =
      record({"--clear-env", "--env", "A=1", "--output", output.string(), "--", busybox, "sh", "-c",
              fmt::format("{0} echo one | {0} cat; ( {0} sleep 0 & ); {0} true; exit 7", busybox)});
  INFO(result.error);
  CHECK(result.exit_status == 0);
  CHECK(result.output == "one\n");
  const emu::NativeRecord written = read(output);
  CHECK(written.exit_status == 7);
  // sh, echo, cat, the subshell, sleep, true.
  REQUIRE(written.processes.size() == 6);
  const bool known = written.processes[0].gup_faults.has_value();
  uint64_t sum = known ? 0 : written.gup_faults;
  for (size_t i = 0; i < written.processes.size(); ++i) {
    const emu::NativeProcess& process = written.processes[i];
    sum += process.minflt + process.majflt;
    CHECK(process.minflt > 0);
    CHECK(process.parent < static_cast<int32_t>(i));
  }
  CHECK(written.processes[4].parent == 3);
  CHECK(sum == written.minflt + written.majflt);
}

TEST_CASE("record: what each process counted is known, and how it ended", "[record]") {
  skip_unless_possible();
  if (!fs::exists(FL_BUSYBOX)) {
    SKIP("no busybox");
  }
  if (!emu::TaskExits::open()) {
    SKIP("no task accounting here");
  }
  const std::string busybox = FL_BUSYBOX;
  // The last but one is forgotten by everybody: its faults are in nobody's rusage.
  const auto written =
      emu::record_program({.command = {busybox, "sh", "-c",
                                       fmt::format("{0} false; ( exit 3 ); {0} sh -c 'kill -KILL $$'; "
                                                   "( trap '' CHLD; {0} true & {0} sleep 0.2; : ); exit 0",
                                                   busybox)},
                           .environment = {"A=1"},
                           .runs = 5,
                           .forward_output = false});
  REQUIRE(written.has_value());
  REQUIRE(written->processes.size() == 7);
  const std::vector<int> statuses = {0, 1, 3, 128 + SIGKILL, 0, 0, 0};
  // One execve each, one page of arguments; the subshells have none.
  const std::vector<uint64_t> gup = {1, 1, 0, 1, 0, 1, 1};
  uint64_t sum = 0;
  for (size_t i = 0; i < statuses.size(); ++i) {
    INFO(i);
    const emu::NativeProcess& process = written->processes[i];
    CHECK(process.exit_status == statuses[i]);
    CHECK(process.gup_faults == gup[i]);
    CHECK(process.agreeing >= 1);
    sum += process.minflt + process.majflt;
  }
  CHECK(sum == written->minflt + written->majflt);
}

TEST_CASE("record: as root the program has process numbers of its own, the same in every run", "[record]") {
  skip_unless_possible();
  const std::string busybox = FL_BUSYBOX;
  if (!fs::exists(busybox) || ::geteuid() != 0) {
    SKIP("only root may make namespaces, and the program is busybox");
  }
  const fs::path output = scratch() / "numbers.json";
  // The orphan goes on when the first process has ended, below process 1; nothing of the host is in /proc.
  const RunResult result = record(
      {"--output", output.string(), "--", busybox, "sh", "-c",
       fmt::format("echo $$ $PPID; {0} sh -c 'echo $$ $PPID; exit 0'; ( {0} sleep 0.2; {0} sh -c 'echo $$ $PPID' ) & "
                   "{0} ls -d /proc/[0-9]* | {0} tr -d '\n'; {0} hostname; exit 3",
                   busybox)});
  INFO(result.error);
  if (result.output.starts_with("1000 1\n")) {
    CHECK(result.output.starts_with("1000 1\n1001 1000\n/proc/1/proc/1000/proc/1002"));
    CHECK(result.output.find("faultline\n") != std::string::npos);
    CHECK(result.output.ends_with("\n1002 1\n"));
  } else {
    WARN("no namespaces here: " << result.output);
  }
  CHECK(read(output).exit_status == 3);
}

TEST_CASE("record: a program that does not end is given up", "[record]") {
  skip_unless_possible();
  const fs::path spin = guest_program("musl", "spin");
  if (spin.empty()) {
    SKIP("spin was not built");
  }
  const RunResult result = record({"--timeout", "1", spin.string()});
  CHECK(result.exit_status == emu::kExitTimeout);
  CHECK(result.error == "faultline: cannot record: the program had not ended after 1 s: see --timeout\n");
  CHECK(record({"--timeout", "1.5", spin.string()}).exit_status == emu::kExitUsage);
}

TEST_CASE("record: half a million faults lose nothing", "[record]") {
  skip_unless_possible();
  const fs::path program = guest_program("musl", "bench_first_touch");
  if (program.empty()) {
    SKIP("bench_first_touch was not built");
  }
  const auto record = emu::record_program(
      {.command = {program.string(), "256", "8"}, .environment = {"A=1"}, .runs = 1, .forward_output = false});
  INFO((record ? "" : record.error().message));
  REQUIRE(record.has_value());
  CHECK(record->minflt > 8u * 65536);
  CHECK(record->gup_faults == 1);
  CHECK(record->faults.size() + (record->gup == emu::GupView::kFaults ? 0 : 1) == record->minflt + record->majflt);
}

TEST_CASE("record: lost records are an error", "[record]") {
  skip_unless_possible();
  const fs::path program = guest_program("musl", "bench_first_touch");
  if (program.empty()) {
    SKIP("bench_first_touch was not built");
  }
  const auto record = emu::record_program({.command = {program.string(), "256"},
                                           .environment = {"A=1"},
                                           .runs = 1,
                                           .forward_output = false,
                                           .perf = {.buffer_bytes = 4096}});
  REQUIRE_FALSE(record.has_value());
  INFO(record.error().message);
  CHECK(record.error().message.find("lost") != std::string::npos);
  CHECK(record.error().message.find("buffer was full") != std::string::npos);
  CHECK(record.error().status == emu::kExitHostError);
}

TEST_CASE("record: a user without rights sees user-mode faults, and the totals", "[record]") {
  skip_unless_possible();
  const fs::path built = guest_program("glibc", "hello");
  if (built.empty() || (::geteuid() == 0 && !fs::exists("/usr/bin/setpriv"))) {
    SKIP("no hello, or no setpriv to give up root's rights");
  }
  int paranoid = 0;
  std::ifstream("/proc/sys/kernel/perf_event_paranoid") >> paranoid;
  const Ordinary user;
  const fs::path hello = user.folder() / "hello", output = user.folder() / "r.json";
  copy_page_by_page(built, hello);
  fs::copy_file(FL_FAULTLINE, user.folder() / "faultline");
  const fs::path unicorn = fs::path(FL_SOURCE_DIR) / ".deps/root/usr/lib/x86_64-linux-gnu/libunicorn.so.2";
  if (fs::exists(unicorn)) {
    fs::copy_file(unicorn, user.folder() / "libunicorn.so.2");
  }
  const RunResult result =
      user.run("/usr/bin/env", {"LD_LIBRARY_PATH=" + user.folder().string(), (user.folder() / "faultline").string(),
                                "record", "--clear-env", "--env", "A=1", "--output", output.string(), hello.string()});
  INFO(result.error);
  if (paranoid > 2) {
    CHECK(result.exit_status == emu::kExitNoReference);
    CHECK(result.error.find("kernel.perf_event_paranoid is") != std::string::npos);
    return;
  }
  CHECK(result.exit_status == 0);
  const emu::NativeRecord mine = read(output);
  CHECK(mine.minflt == 25);
  CHECK(mine.kernel_faults_seen == (paranoid < 2));
  const auto all =
      emu::record_program({.command = {hello.string()}, .environment = {"A=1"}, .runs = 3, .forward_output = false});
  REQUIRE(all.has_value());
  // The same user-mode faults; what the instruction says of the access is what the processor said.
  std::vector<emu::NativeFault> seen, want;
  const auto is_user = [](const emu::NativeFault& fault) { return fault.mode == vm::FaultMode::kUser; };
  std::copy_if(mine.faults.begin(), mine.faults.end(), std::back_inserter(seen), is_user);
  std::copy_if(all->faults.begin(), all->faults.end(), std::back_inserter(want), is_user);
  REQUIRE(seen.size() == want.size());
  size_t known = 0;
  for (size_t i = 0; i < seen.size(); ++i) {
    INFO(i);
    CHECK(seen[i].addr == want[i].addr);
    CHECK(seen[i].ip == want[i].ip);
    if (seen[i].access && want[i].access) {
      ++known;
      CHECK(*seen[i].access == *want[i].access);
    }
  }
  CHECK((known >= 18 || !want[0].access));
}

TEST_CASE("record: what cannot be recorded is refused with a status of its own", "[record]") {
  const RunResult no_program = record({"--runs", "1"});
  CHECK(no_program.exit_status == emu::kExitUsage);
  CHECK(no_program.error.find("no PROGRAM") != std::string::npos);
  CHECK(record({"--runs", "0", "./x"}).exit_status == emu::kExitUsage);
  CHECK(record({"--unknown", "./x"}).exit_status == emu::kExitUsage);
  CHECK(record({"--trace", "t.xml", "./x"}).exit_status == emu::kExitHostError);
  skip_unless_possible();
  const RunResult absent = record({"./absent"});
  CHECK(absent.exit_status == emu::kExitHostError);
  CHECK(absent.error == "faultline: cannot start the program: ./absent: No such file or directory\n");
  const RunResult wide = record({"/usr/bin/true"});
  CHECK(wide.exit_status == emu::kExitHostError);
  CHECK(wide.error.find("not an i386 one") != std::string::npos);
  const fs::path damaged = scratch() / "damaged";
  std::ofstream(damaged) << std::string(
                                "\x7f"
                                "ELF\1\1\1",
                                7)
                         << std::string(100, '\0');
  fs::permissions(damaged, fs::perms::owner_all);
  CHECK(record({damaged.string()}).exit_status == emu::kExitHostError);
}

TEST_CASE("record: a signal ends the recording and the program", "[record]") {
  skip_unless_possible();
  const fs::path spin = guest_program("musl", "spin");
  if (spin.empty()) {
    SKIP("spin was not built");
  }
  const fs::path output = scratch() / "stopped.json";
  const RunResult result = run_process({.program = FL_FAULTLINE,
                                        .args = {"record", "--output", output.string(), spin.string()},
                                        .signal = SIGTERM,
                                        .signal_after = std::chrono::milliseconds(700)});
  CHECK(result.exit_status == 128 + SIGTERM);
  CHECK(result.error.find("stopped by signal 15") != std::string::npos);
  CHECK_FALSE(fs::exists(output));
  CHECK_FALSE(result.timed_out);  // spin would have kept the pipes open
}

TEST_CASE("record: the 32-bit recorder sees the same", "[record]") {
  skip_unless_possible();
  const fs::path hello = guest_program("glibc", "hello");
  if (hello.empty() || !fs::exists(FL_RECORD32)) {
    SKIP("hello or faultline-record32 was not built");
  }
  const fs::path wide = scratch() / "64.json", narrow = scratch() / "32.json";
  const RunResult result = run_process(
      {.program = FL_RECORD32,
       .args = {"--runs", "5", "--clear-env", "--env", "A=1", "--output", narrow.string(), "--", hello.string()}});
  INFO(result.error);
  CHECK(result.exit_status == 0);
  CHECK(result.output == "hello\n");
  CHECK(record({"--clear-env", "--env", "A=1", "--output", wide.string(), hello.string()}).exit_status == 0);
  CHECK(list_of(read(narrow)) == list_of(read(wide)));
  CHECK(read(narrow).cpu == read(wide).cpu);
  CHECK(run_process({.program = FL_RECORD32, .args = {"--output"}}).exit_status == emu::kExitUsage);
}

}  // namespace fl::test
