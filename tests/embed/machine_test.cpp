// faultline::Machine, as an embedding program sees it: beside the command line, and several in one process.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <csignal>
#include <cstring>
#include <faultline/machine.hpp>
#include <filesystem>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "tests/embed/embedded_run.hpp"
#include "tests/program/support/faultline_run.hpp"
#include "tests/program/support/native_run.hpp"

namespace fl::test {
namespace {

using faultline::Machine;
using faultline::MachineFault;
using faultline::MachineOptions;
using faultline::MachineState;

// Programs that say little: one task; several, with timers, signals and threads; one that counts how much of it runs
// between two ticks of the kernel.
struct Subject {
  std::string flavour, program;
  std::vector<std::string> arguments = {};
};
const std::vector<Subject> kSubjects = {{"glibc", "hello"},           {"musl", "anon"},     {"glibc", "process_wait"},
                                        {"glibc", "signals_restart"}, {"glibc", "threads"}, {"glibc", "coarse_ticks"}};

std::filesystem::path path_of(const Subject& subject) {
  const std::filesystem::path path = guest_program(subject.flavour, subject.program);
  if (path.empty()) {
    SKIP(subject.flavour << "/" << subject.program << " was not built");
  }
  return path;
}

struct Run {
  std::string trace, statistics, output;
  std::optional<int> exit_status;
  bool operator==(const Run&) const = default;
};

// A machine with its files.
class Embedded {
 public:
  explicit Embedded(const Subject& subject, const std::string& name = "embedded")
      : trace_(scratch() / (name + ".jsonl")),
        machine(Machine::create(options_for(path_of(subject), subject.arguments, files, trace_)).value()) {}
  Run result() {
    REQUIRE(machine.close_trace());
    return {contents(trace_), machine.statistics_json(), files.output(), machine.exit_status()};
  }

 private:
  std::filesystem::path trace_;

 public:
  StandardFiles files;
  Machine machine;
};

Run run_alone(const Subject& subject) {
  Embedded embedded(subject, "alone");
  embedded.machine.run();
  return embedded.result();
}

Run run_by_command_line(const Subject& subject) {
  const FaultlineResult run = run_faultline({.program = path_of(subject), .args = subject.arguments}, {.trace = true});
  return {run.trace_text, run.stats_text, run.run.output, run.run.exit_status};
}

}  // namespace

TEST_CASE("machine: a run is that of the command line: trace, statistics, output and exit status") {
  for (const Subject& subject : kSubjects) {
    DYNAMIC_SECTION(subject.flavour << " " << subject.program) {
      const Run expected = run_by_command_line(subject), got = run_alone(subject);
      CHECK(expected.trace.size() > 1000);
      CHECK(got.exit_status == expected.exit_status);
      CHECK(got.output == expected.output);
      CHECK(got.statistics == expected.statistics);
      CHECK((got.trace == expected.trace));
    }
  }
}

TEST_CASE("machine: it makes no difference how a run is divided") {
  for (const Subject& subject : kSubjects) {
    for (const uint64_t blocks : {uint64_t{1}, uint64_t{37}, uint64_t{5000}}) {
      // A block at a time takes long for the larger ones.
      if (blocks == 1 && subject.program != "hello") {
        continue;
      }
      DYNAMIC_SECTION(subject.flavour << " " << subject.program << ", " << blocks << " blocks") {
        const Run whole = run_alone(subject);
        Embedded embedded(subject);
        uint64_t turns = 0, before = embedded.machine.blocks();
        while (embedded.machine.run_blocks(blocks) == MachineState::kRunning) {
          CHECK(embedded.machine.blocks() - before >= blocks);
          CHECK(embedded.machine.blocks() - before <= blocks + 1);
          before = embedded.machine.blocks();
          ++turns;
        }
        CHECK(turns >= (blocks > 1000 ? 0 : 20));
        const Run got = embedded.result();
        CHECK(got.output == whole.output);
        CHECK(got.statistics == whole.statistics);
        CHECK((got.trace == whole.trace));
      }
    }
  }
}

TEST_CASE("machine: run_until_fault gives out every fault of the trace, in its order") {
  for (const Subject& subject : {kSubjects[0], kSubjects[2]}) {
    DYNAMIC_SECTION(subject.program) {
      const FaultlineResult expected = run_faultline({.program = path_of(subject)}, {.trace = true});
      Embedded embedded(subject);
      size_t at = 0;
      while (const std::optional<MachineFault> fault = embedded.machine.run_until_fault()) {
        REQUIRE(at < expected.trace.size());
        const TraceRecord& record = expected.trace[at++];
        INFO("fault " << at);
        CHECK(fault->address == record.addr);
        CHECK(fault->cause == record.cause);
        CHECK(faultline::name_of(fault->mode) == record.mode);
        CHECK(faultline::name_of(fault->access) == record.access);
        CHECK(fault->instruction == record.ip);
        CHECK(fault->counted() == record.counted);
        CHECK(fault->around_mapped == static_cast<uint32_t>(record.around ? record.around->mapped : 0));
        CHECK(fault->pid >= 1000);
        // It was handled: the entry is there, unless the task went on to unmap it in the same call.
        if (fault->mode == faultline::FaultMode::kUser && fault->counted()) {
          const auto walk = embedded.machine.walk(fault->tid, fault->address);
          REQUIRE(walk);
          CHECK((walk->steps[1].entry & ~0x60u) == (fault->entry_after & ~0x60u));
        }
      }
      CHECK(at == expected.trace.size());
      CHECK(embedded.machine.exit_status() == 0);
      const faultline::MachineStatistics statistics = embedded.machine.statistics();
      CHECK(static_cast<long>(statistics.faults.minor) == expected.minflt);
      CHECK(statistics.processes.size() == expected.processes.size());
    }
  }
}

TEST_CASE("machine: two machines in one process run as each alone, by turns and on threads") {
  const Subject first = kSubjects[2], second = kSubjects[4], third = kSubjects[0];
  const Run first_alone = run_alone(first), second_alone = run_alone(second), third_alone = run_alone(third);
  SECTION("by turns of some blocks") {
    Embedded one(first, "one"), two(second, "two");
    bool running = true;
    for (uint64_t turn = 0; running; ++turn) {
      const MachineState a = one.machine.run_blocks(100 + turn % 7), b = two.machine.run_blocks(333);
      running = a == MachineState::kRunning || b == MachineState::kRunning;
    }
    CHECK((one.result() == first_alone));
    CHECK((two.result() == second_alone));
  }
  SECTION("by turns of a fault, made in between, and the older one goes first") {
    std::optional<Embedded> one(std::in_place, third, "one");
    for (int fault = 0; fault < 10; ++fault) {
      REQUIRE(one->machine.run_until_fault());
    }
    Embedded two(first, "two");
    while (one->machine.run_until_fault()) {
      two.machine.run_until_fault();
    }
    CHECK((one->result() == third_alone));
    one.reset();
    while (two.machine.run_until_fault()) {
    }
    CHECK((two.result() == first_alone));
  }
  SECTION("on threads") {
    Embedded one(first, "one"), two(second, "two");
    const auto work = [](Machine& machine, uint64_t blocks) {
      while (machine.run_blocks(blocks) == MachineState::kRunning) {
      }
    };
    std::thread other(work, std::ref(two.machine), 200);
    work(one.machine, 150);
    other.join();
    CHECK((one.result() == first_alone));
    CHECK((two.result() == second_alone));
  }
  SECTION("one runs the other between its faults") {
    std::optional<Embedded> inner(std::in_place, third, "inner");
    Embedded outer(first, "unused");
    StandardFiles files;
    MachineOptions options = options_for(path_of(first), {}, files, scratch() / "outer.jsonl");
    int faults = 0;
    options.on_fault = [&](const MachineFault&) {
      ++faults;
      inner->machine.run_blocks(50);
    };
    Machine machine = Machine::create(options).value();
    CHECK(machine.run() == MachineState::kExited);
    inner->machine.run();
    CHECK(machine.close_trace());
    CHECK(faults > 100);
    CHECK((contents(scratch() / "outer.jsonl") == first_alone.trace));
    CHECK((inner->result() == third_alone));
  }
}

TEST_CASE("machine: it can be looked at while it stands still, and nothing changes by that") {
  const Run alone = run_alone(kSubjects[0]);
  Embedded embedded(kSubjects[0]);
  Machine& machine = embedded.machine;
  while (const auto fault = machine.run_until_fault()) {
    const std::vector<faultline::TaskInfo> tasks = machine.tasks();
    REQUIRE(tasks.size() == 1);
    CHECK(tasks[0].tid == fault->tid);
    CHECK(tasks[0].name == "hello");
    if (fault->mode == faultline::FaultMode::kUser) {
      CHECK(machine.current_tid() == fault->tid);
      CHECK(machine.registers(fault->tid)->eip == fault->instruction);
      CHECK((machine.registers(fault->tid)->cs & 3) == 3);
    }
    // ELF's magic number, once it is there.
    std::array<char, 4> magic{};
    const size_t got = machine.read_memory(fault->tid, 0x08048000, std::as_writable_bytes(std::span(magic)));
    CHECK((got == 0 || (got == 4 && std::memcmp(magic.data(),
                                                "\x7f"
                                                "ELF",
                                                4) == 0)));
    CHECK(machine.maps(fault->tid).find("[stack]") != std::string::npos);
    CHECK(machine.verify().empty());
    CHECK(machine.report("meminfo").value().starts_with("MemTotal:"));
    CHECK_FALSE(machine.exit_status());
  }
  CHECK_FALSE(machine.registers(7));
  CHECK_FALSE(machine.walk(7, 0x08048000));
  CHECK(machine.maps(7).empty());
  CHECK(machine.read_memory(7, 0x08048000, {}) == 0);
  CHECK(machine.state() == MachineState::kExited);
  CHECK(machine.run() == MachineState::kExited);
  CHECK_FALSE(machine.run_until_fault());
  CHECK(machine.statistics_text().starts_with("page faults"));
  CHECK(machine.find_leaks().empty());
  Run looked_at = embedded.result();
  looked_at.statistics = alone.statistics;  // not after find_leaks
  CHECK((looked_at == alone));
}

TEST_CASE("machine: stop ends a run for good, also from a signal handler, and our handlers are left alone") {
  static Machine* handled = nullptr;
  const std::filesystem::path program = path_of({"glibc", "spin"});
  StandardFiles files;
  struct sigaction action {};
  struct sigaction before {};
  action.sa_handler = [](int) { handled->stop(); };
  sigaction(SIGALRM, &action, &before);
  Machine machine = Machine::create(options_for(program, {}, files)).value();
  handled = &machine;
  struct sigaction now {};
  sigaction(SIGALRM, nullptr, &now);
  CHECK(now.sa_handler == action.sa_handler);
  CHECK(machine.run_blocks(100'000) == MachineState::kRunning);
  ualarm(50'000, 0);
  CHECK(machine.run() == MachineState::kStopped);
  CHECK(machine.failure() == "the machine was stopped");
  CHECK_FALSE(machine.exit_status());
  CHECK(machine.run_blocks(1) == MachineState::kStopped);
  CHECK_FALSE(machine.statistics().processes.at(0).exit_status);
  sigaction(SIGALRM, &before, nullptr);
}

TEST_CASE("machine: what cannot be had is said in one line, and files stay as they were") {
  const std::filesystem::path program = path_of(kSubjects[0]);
  StandardFiles files;
  const auto message = [&](auto&& change) {
    MachineOptions options = options_for(program, {}, files);
    change(options);
    const auto machine = Machine::create(options);
    REQUIRE_FALSE(machine);
    CHECK(machine.error().message.find('\n') == std::string::npos);
    return machine.error().message;
  };
  CHECK(message([](MachineOptions& o) { o.program = "/nowhere"; }) ==
        "cannot run the program: /nowhere: no such file, or its interpreter is missing (ENOENT)");
  CHECK(message([](MachineOptions& o) { o.program.clear(); }) == "cannot run: there is no program");
  CHECK(message([](MachineOptions& o) { o.kernel = "2.4"; }).starts_with("cannot imitate the kernel: 2.4"));
  CHECK(message([](MachineOptions& o) { o.ram_bytes = 4096; }).starts_with("cannot make the RAM: 4096 bytes"));
  CHECK(message([](MachineOptions& o) { o.swap_bytes = {4096}; }).starts_with("cannot use the swap size"));
  CHECK(message([](MachineOptions& o) { o.memory_limit = 1; }).starts_with("cannot use the memory limit"));
  CHECK(message([](MachineOptions& o) { o.nodes = 0; }).starts_with("cannot make so many nodes: 0"));
  CHECK(message([](MachineOptions& o) { o.reclaim = "best"; }).starts_with("cannot reclaim by: best"));
  CHECK(message([](MachineOptions& o) { o.cpu = "/nowhere"; }).find("/nowhere") != std::string::npos);
  CHECK(message([](MachineOptions& o) { o.disk = "tape"; }).starts_with("cannot imitate the disk: tape"));
  CHECK(message([](MachineOptions& o) { o.fail_alloc = "some"; }).starts_with("cannot make allocations fail: some"));
  CHECK(message([](MachineOptions& o) { o.swap_files = {"/nowhere"}; }).starts_with("cannot swap to: /nowhere"));
  CHECK(message([](MachineOptions& o) { o.verify = 9; }).starts_with("cannot verify at level: 9"));
  CHECK(message([](MachineOptions& o) { o.trace = "/nowhere/trace.txt"; }).starts_with("cannot create the trace file"));
  CHECK(message([](MachineOptions& o) { o.trace = "/tmp/trace.doc"; }).find("trace.doc") != std::string::npos);
}

TEST_CASE("machine: options are those of the command line") {
  StandardFiles files;
  const Subject subject{"glibc", "larger_than_memory", {"sort", "12"}};
  MachineOptions options = options_for(path_of(subject), subject.arguments, files);
  options.ram_bytes = 12 << 20;
  options.swap_bytes = {64 << 20};
  uint64_t major = 0;
  options.on_fault = [&](const MachineFault& fault) { major += fault.result == faultline::FaultResult::kMajor; };
  Machine machine = Machine::create(options).value();
  const MachineState state = machine.run();
  INFO(machine.failure());
  CHECK(state == MachineState::kExited);
  CHECK(major > 100);
  const FaultlineResult expected = run_faultline({.program = path_of(subject), .args = subject.arguments},
                                                 {.extra = {"--ram", "12M", "--swap", "64M"}});
  CHECK(machine.exit_status() == expected.run.exit_status);
  CHECK(machine.statistics_json() == expected.stats_text);
  CHECK(static_cast<long>(major) == expected.majflt);
  CHECK(machine.boot_log().size() > 5);
}

TEST_CASE("machine: the functions of libunicorn are replaced as in the program") {
  const RunResult version = run_process({.program = FL_FAULTLINE, .args = {"--version"}});
  CHECK(version.output.find("interposed: " + Machine::interposition() + "\n") != std::string::npos);
}

}  // namespace fl::test
