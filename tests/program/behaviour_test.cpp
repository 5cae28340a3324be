// Programs whose output says how the CPU and the kernel behaved: signals with exact addresses, restarted instructions,
// code that changes, rights, layout.
#include "tests/program/support/behaviour.hpp"

#include <catch2/catch_test_macros.hpp>

#include "tests/program/support/faultline_run.hpp"
#include "tests/program/support/native_run.hpp"

namespace fl::test {

TEST_CASE("code: a page that is read over with new code runs the new code", "[behaviour]") {
  check_behaviour({.program = "frame_reuse"});
}
TEST_CASE("code: self-modifying code runs as changed", "[behaviour]") {
  check_behaviour({.program = "self_modifying"});
}
TEST_CASE("code: shared anonymous memory mapped twice is one memory for code too", "[behaviour]") {
  check_behaviour({.program = "code_alias", .args = {"anon"}, .expected = "code_alias_anon"});
}
TEST_CASE("code: what is written to a shared file mapping runs in another", "[behaviour]") {
  check_behaviour({.program = "code_alias", .args = {"NEWFILE"}, .expected = "code_alias_file"});
}
TEST_CASE("code: what is written to a memfd mapping runs in another", "[behaviour]") {
  check_behaviour({.program = "code_alias", .args = {"memfd"}, .expected = "code_alias_file"});
}
TEST_CASE("code: data faults come before the fetch of the next page", "[behaviour]") {
  check_behaviour({.program = "code_order"});
}
TEST_CASE("rights: what may be executed follows PT_GNU_STACK", "[behaviour]") {
  check_behaviour({.program = "exec_rights", .flavours = {"nolibc"}});
  check_behaviour({.program = "exec_rights_execstack", .flavours = {"nolibc"}});
  check_behaviour({.program = "exec_rights_no_gnu_stack", .flavours = {"nolibc"}});
}
TEST_CASE("faults: an instruction that faults and is tried again had no effect before", "[behaviour]") {
  check_behaviour({.program = "repair"});
}
TEST_CASE("faults: rotates through carry rotate once", "[behaviour]") {
  check_behaviour({.program = "rotate_through_carry", .args = {"DATA"}});
}
TEST_CASE("signals: si_addr is exact for every kind of operand", "[behaviour]") {
  check_behaviour({.program = "si_addr"});
}
TEST_CASE("signals: an access across the end of the address space is a protection fault", "[behaviour]") {
  // Some processors check the limit first, as ours does, some the page: what an access beyond both raises is theirs to
  // choose (Intel SDM vol. 3, 5.3).
  check_behaviour({.program = "wrap", .other_cpu = "wrap_page_fault"});
}
TEST_CASE("signals: kernel addresses are out of reach", "[behaviour]") { check_behaviour({.program = "kernel_probe"}); }
TEST_CASE("signals: CPU exceptions become the signals that Linux sends", "[behaviour]") {
  check_behaviour({.program = "traps"});
}
TEST_CASE("signals: sysenter and syscall work or are illegal", "[behaviour]") {
  check_behaviour({.program = "fast_calls"});
}
TEST_CASE("signals: x87 and SSE state survives a handler", "[behaviour]") {
  check_behaviour({.program = "fpu_signal"});
}
TEST_CASE("signals: a handler sees and changes the interrupted registers", "[behaviour]") {
  check_behaviour({.program = "sigcontext"});
}
TEST_CASE("signals: the alternate stack is used", "[behaviour]") { check_behaviour({.program = "alt_stack"}); }
TEST_CASE("ipc: futexes wait, wake and move between threads and processes", "[behaviour]") {
  check_behaviour({.program = "futexes"});
}
TEST_CASE("ipc: POSIX timers, interval timers and timerfd expire and send what they should", "[behaviour]") {
  check_behaviour({.program = "timers"});
}
TEST_CASE("ipc: eventfd, epoll, signalfd, pidfd, poll and select", "[behaviour]") {
  check_behaviour({.program = "event_files"});
}
TEST_CASE("ipc: local sockets connect, pass messages, files and credentials, and end", "[behaviour]") {
  check_behaviour({.program = "unix_sockets"});
}
TEST_CASE("mm: refused memory calls give Linux's errors, in its order of checks", "[behaviour]") {
  check_behaviour({.program = "mm_errors", .args = {"FOLDER"}});
}
TEST_CASE("mm: process_vm_readv and _writev move bytes, and stop where and how Linux does", "[behaviour]") {
  check_behaviour({.program = "process_vm"});
}
// Known differences of the CPU. When faultline gives the real output the tag makes this fail: then move the lines.
TEST_CASE("limits: a processor's behaviour that Unicorn lacks is still lacking", "[behaviour][!shouldfail]") {
  const RunSpec spec{.program = guest_program("musl", "cpu_limits")};
  REQUIRE_FALSE(spec.program.empty());
  CHECK(run_faultline(spec).run.output == stored_output("cpu_limits"));
}
TEST_CASE("limits: what the processor does there is what is stored", "[behaviour]") {
  const RunSpec spec{.program = guest_program("musl", "cpu_limits")};
  if (spec.program.empty() || !host_runs_i386()) {
    SKIP("this host cannot run the program");
  }
  check_text(run_process(spec).output, stored_output("cpu_limits"));
}
TEST_CASE("layout: stack, vDSO, mappings and brk stand where 6.18 puts them", "[behaviour]") {
  for (const std::string flavour : {"glibc", "musl", "glibc-pie", "musl-pie"}) {
    check_behaviour({.program = "layout", .flavours = {flavour}, .expected = "layout_" + flavour, .needs_6_18 = true});
  }
}

TEST_CASE("signals: no page of the kernel can be read or written", "[behaviour]") {
  // Natively the stack lies up there, so this one has no native half: every access must end in SIGSEGV.
  const RunSpec spec{.program = guest_program("musl", "kernel_probe"), .args = {"all"}};
  if (spec.program.empty()) {
    SKIP("kernel_probe was not built");
  }
  const FaultlineResult result = run_faultline(spec);
  CHECK(result.run.output == "524288 probes, 524288 signals, 0 passed\n");
  CHECK(result.run.exit_status == 0);
}

TEST_CASE("exit: a program killed by a signal or leaving with a status is reported so", "[behaviour]") {
  struct End {
    std::string how;
    int status;
  };
  const std::vector<End> ends = {{"null", 139},  {"jump", 139}, {"divide", 136}, {"ud2", 132},     {"int3", 133},
                                 {"abort", 134}, {"kill", 137}, {"term", 143},   {"text", 139},    {"stack", 139},
                                 {"bus", 135},   {"exit", 42},  {"exit256", 7},  {"blocked", 139}, {"", 1}};
  for (const std::string flavour : {"glibc", "musl"}) {
    for (const End& end : ends) {
      RunSpec spec{.program = guest_program(flavour, "die"), .args = {end.how}};
      if (spec.program.empty()) {
        continue;
      }
      const std::string want = "dying by " + end.how + "\n" + (end.how == "bus" ? "last byte 0\n" : "");
      DYNAMIC_SECTION(flavour << ", " << end.how << ", native") {
        if (!host_runs_i386()) {
          SKIP("this host runs no i386 programs");
        }
        const RunResult run = run_process(spec);
        CHECK(run.exit_status == end.status);
        CHECK(run.output == want);
      }
      DYNAMIC_SECTION(flavour << ", " << end.how << ", faultline") {
        const FaultlineResult result = run_faultline(spec);
        CHECK(result.run.signal == 0);  // faultline itself is not killed
        CHECK(result.run.exit_status == end.status);
        CHECK(result.run.output == want);
        CHECK(result.have_stats);
      }
    }
  }
}

}  // namespace fl::test
