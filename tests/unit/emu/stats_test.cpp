// --stats: the table and the JSON of a small made-up run.
#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include "emu/report/statistics.hpp"
#include "guest/task.hpp"
#include "guest/task/wait_status.hpp"
#include "tests/unit/emu/lone_task.hpp"

namespace fl::emu {
namespace {

RunStatistics sample() {
  RunStatistics s;
  s.faults.add(vm::FaultMode::kUser, vm::FaultResult::kMinor, vm::FaultCause::kFileRead);
  s.faults.add(vm::FaultMode::kUser, vm::FaultResult::kMajor, vm::FaultCause::kFileRead);
  s.faults.add(vm::FaultMode::kKernel, vm::FaultResult::kMinor, vm::FaultCause::kAnon);
  s.faults.add(vm::FaultMode::kUser, vm::FaultResult::kMapErr, vm::FaultCause::kSegvMapErr);
  s.processes.push_back({.pid = 1000,
                         .comm = "hello",
                         .minflt = 2,
                         .majflt = 1,
                         .page_table_frames = 4,
                         .syscalls = 9,
                         .exit_status = 139});
  s.ram_frames = 65536;
  s.peak_frames = 256;
  s.page_table_frames = 4;
  s.swap_ins = 70;
  s.swap_outs = 80;
  s.memory_limit = {.limit = 64, .peak = 63, .reached = 5};
  s.syscalls = 9;
  s.unimplemented["ptrace"] = 2;
  s.blocks = 1234;
  s.virtual_ns = 12340;
  return s;
}

}  // namespace

TEST_CASE("stats: the JSON holds the counters under the documented names") {
  const auto json = nlohmann::json::parse(statistics_json(sample()));
  CHECK(json["minflt"] == 2);
  CHECK(json["majflt"] == 1);
  CHECK(json["refused"] == 1);
  CHECK(json["by_mode"] == nlohmann::json({{"user", 2}, {"kernel", 1}, {"gup", 0}}));
  CHECK(json["by_cause"]["file_read"] == 2);
  CHECK(json["by_cause"]["segv_maperr"] == 1);
  CHECK(json["by_cause"]["bus"] == 0);
  CHECK(json["processes"].size() == 1);
  CHECK(json["processes"][0]["pid"] == 1000);
  CHECK(json["processes"][0]["comm"] == "hello");
  CHECK(json["processes"][0]["minflt"] == 2);
  CHECK(json["processes"][0]["majflt"] == 1);
  CHECK(json["processes"][0]["exit_status"] == 139);
  CHECK(json["unimplemented"]["ptrace"] == 2);
  CHECK(json["blocks"] == 1234);
  CHECK(json["virtual_ns"] == 12340);
  CHECK(json["swap_ins"] == 70);
  CHECK(json["swap_outs"] == 80);
  CHECK(json["memory_limit"] == nlohmann::json({{"pages", 64}, {"peak", 63}, {"met", 5}}));
}

TEST_CASE("stats: a process that was stopped has no exit status and any name is valid JSON") {
  RunStatistics s = sample();
  s.processes[0].exit_status.reset();
  s.processes[0].comm = "a\"\xff\n";
  const auto json = nlohmann::json::parse(statistics_json(s));
  CHECK(json["processes"][0]["exit_status"].is_null());
  CHECK(json["processes"][0]["comm"] == "a\"\xef\xbf\xbd\n");
  const std::string table = format_statistics(s);
  CHECK(table.find("a\"\xff?: minor 2") != std::string::npos);
  CHECK(table.find("stopped") != std::string::npos);
}

TEST_CASE("stats: the table explains the causes that occurred and leaves out the others") {
  const std::string table = format_statistics(sample());
  CHECK(
      table.starts_with("page faults            3   minor 2, major 1; and 1 refused\n"
                        "  user                 2   by the program itself\n"));
  CHECK(table.find("  file_read            2   read or execution of a file page") != std::string::npos);
  CHECK(table.find("cow_copy") == std::string::npos);
  CHECK(table.find("  pid               1000   hello: minor 2, major 1, 9 system calls, exit status 139\n") !=
        std::string::npos);
  CHECK(table.find("pages used           256   at most, of 65536: 1.0 MiB of 256.0 MiB\n") != std::string::npos);
  CHECK(table.find("  ptrace               2   not implemented: answered ENOSYS\n") != std::string::npos);
  CHECK(table.find("memory limit          64   pages, of which 63 were charged at most; met 5 times\n") !=
        std::string::npos);
  CHECK(table.find("swap                  70   pages read, 80 written\n") != std::string::npos);
  CHECK(table.find("virtual time 0.000012340 s\n") != std::string::npos);
}

TEST_CASE("stats: threads are added to their process and the wait status becomes a shell's") {
  LoneTask leader, thread;
  leader->tid = leader->tgid = thread->tgid = 7;
  thread->tid = 8;
  leader->comm = "main";
  thread->comm = "worker";
  leader->faults.minor = 3;
  thread->faults.minor = 4;
  thread->faults.major = 1;
  leader->state = thread->state = guest::Task::State::kZombie;
  leader->exit_status = 11 | 0x80;
  ProcessCollector collector;
  collector.on_exit(*thread);
  collector.on_exit(*leader);
  REQUIRE(collector.processes().size() == 1);
  const ProcessStatistics& process = collector.processes()[0];
  CHECK(process.comm == "main");
  CHECK(process.minflt == 7);
  CHECK(process.majflt == 1);
  CHECK(process.exit_status == 139);
  CHECK(guest::shell_status(3 << 8) == 3);
}

}  // namespace fl::emu
