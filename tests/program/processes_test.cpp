// Programs of several processes and threads: fork, exec, wait, process groups, signals, pipes, pthreads. Their output
// is stored (expected/NAME.txt) and given by real Linux and by faultline; afterwards all memory is back.
#include <catch2/catch_test_macros.hpp>

#include "tests/program/support/behaviour.hpp"
#include "tests/program/support/faultline_run.hpp"
#include "tests/program/support/native_run.hpp"

namespace fl::test {
namespace {

void check_processes(const std::string& program, std::vector<std::string> args = {}) {
  check_behaviour(
      {.program = program, .args = std::move(args), .kernels = {"6.18-compat", "6.1-i386"}, .leaves_nothing = true});
}

}  // namespace

TEST_CASE("processes: fork, exit, the wait family, zombies and orphans", "[processes]") {
  check_processes("process_wait");
}
TEST_CASE("processes: groups and sessions", "[processes]") { check_processes("process_groups"); }
TEST_CASE("processes: what execve keeps, loses and refuses", "[processes]") {
  check_processes("process_exec", {"FOLDER"});
}
TEST_CASE("processes: a vfork parent waits", "[processes]") { check_processes("process_vfork"); }
TEST_CASE("processes: clone and clone3 by flag", "[processes]") { check_processes("clone_flags"); }
TEST_CASE("processes: a fork bomb ends at RLIMIT_NPROC", "[processes]") { check_processes("fork_bomb"); }
TEST_CASE("processes: SIGCHLD, and children that leave no zombie", "[processes]") { check_processes("sigchld"); }
TEST_CASE("processes: pending signals and their order", "[processes]") { check_processes("signals_queue"); }
TEST_CASE("processes: calls that a handler interrupts", "[processes]") { check_processes("signals_restart"); }
TEST_CASE("processes: masks, alternate stacks, permissions", "[processes]") { check_processes("signals_masks"); }
TEST_CASE("processes: pipes", "[processes]") { check_processes("pipes"); }
TEST_CASE("processes: /proc tells of threads, children, limits and descriptors", "[processes]") {
  check_processes("proc_files");
}
TEST_CASE("processes: smaps and pagemap", "[processes]") { check_processes("proc_memory"); }
TEST_CASE("sysv: shared memory, its attachments and their count, removal, rights, structures", "[processes][sysv]") {
  check_processes("sysv_shm");
}
TEST_CASE("sysv: semaphores, who is woken, undoing", "[processes][sysv]") { check_processes("sysv_sem"); }
TEST_CASE("sysv: message queues, their choices and who waits", "[processes][sysv]") { check_processes("sysv_msg"); }
TEST_CASE("threads: 64 threads, thread-local storage, keys, stacks", "[threads]") { check_processes("threads"); }
TEST_CASE("threads: mutexes, conditions, barriers, locks, robust ones", "[threads]") {
  check_processes("threads_sync");
}
TEST_CASE("threads: cancellation", "[threads]") { check_processes("threads_cancel"); }
TEST_CASE("threads: signals to threads", "[threads]") { check_processes("threads_signals"); }
TEST_CASE("threads: how they end; a spinning one starves nobody", "[threads]") { check_processes("threads_exit"); }

TEST_CASE("processes: two runs are the same, fault by fault", "[processes]") {
  for (const std::string program :
       {"process_wait", "signals_restart", "threads", "threads_sync", "threads_exit", "sysv_sem"}) {
    const RunSpec spec{.program = guest_program("glibc", program)};
    if (spec.program.empty()) {
      SKIP(program << " was not built");
    }
    DYNAMIC_SECTION(program) {
      const FaultlineResult first = run_faultline(spec, {.trace = true}), second = run_faultline(spec, {.trace = true});
      CHECK(first.trace.size() > 100);
      CHECK(first.run.output == second.run.output);
      CHECK((first.trace_text == second.trace_text));
      CHECK((first.stats_text == second.stats_text));
    }
  }
}

TEST_CASE("processes: the benchmarks' programs do what they count, and leave nothing", "[processes]") {
  const std::vector<std::vector<std::string>> commands = {
      {"bench_fork", "6"},
      {"bench_fork", "6", "1024"},
      {"bench_fork", "6", "0", "idle"},
      {"bench_exec", "6"},
      {"bench_exec", "6", "vfork"},
      {"bench_switch", "pipe", "6"},
      {"bench_switch", "futex", "6"},
  };
  for (const std::vector<std::string>& command : commands) {
    const RunSpec spec{.program = guest_program("glibc", command[0]), .args = {command.begin() + 1, command.end()}};
    if (spec.program.empty()) {
      SKIP(command[0] << " was not built");
    }
    DYNAMIC_SECTION(command[0] << " " << command[1] << " with " << command.size() - 1 << " arguments") {
      const FaultlineResult result = run_faultline(spec, {.extra = {"--dump", "leaks"}});
      INFO("faultline's stderr: " << result.run.error.substr(0, 3000));
      CHECK(result.run.exit_status == 0);
      CHECK(result.run.output == "6\n");
      CHECK(result.run.error.find("leaks: none\n") != std::string::npos);
      if (host_runs_i386()) {
        CHECK(run_process(spec).output == "6\n");
      }
    }
  }
}

}  // namespace fl::test
