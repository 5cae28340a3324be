// child_main runs beside its suspended parent. See child_start.hpp.
#include "emu/record/child_start.hpp"

#include <sched.h>
#include <sys/personality.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <vector>

namespace fl::emu {
namespace {

constexpr long kCloseRange = 436;  // the same number on every architecture
constexpr unsigned kCloseRangeCloexec = 4;
constexpr int kProgramPriority = 1;

// Lets the program's tasks run one after the other: each until it waits, on one processor, where none but the kernel
// comes in between (rule P2). Their descendants inherit it. Where it is not allowed they run as everybody does.
// System calls of the thread alone; raw, because libc's errno is the parent's.
__attribute__((no_sanitize("address"))) void run_in_order(int processor) {
  const struct sched_param priority { kProgramPriority };
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(processor, &set);
  if (::syscall(SYS_sched_setscheduler, 0, SCHED_RR, &priority) == 0) {
    ::syscall(SYS_sched_setaffinity, 0, sizeof set, &set);
  }
}

// The limits that a program has under faultline (guest/process/limits.cpp): shells make tables as large as
// RLIMIT_NPROC. Where ours are lower and cannot be raised they stay.
__attribute__((no_sanitize("address"))) void set_limits() {
  struct Values {
    uint64_t soft, hard;
  };
  struct Limit {
    int resource;
    Values values;
  };
  static constexpr uint64_t kInfinity = ~uint64_t{0};
  static constexpr std::array<Limit, 6> kLimits{{{RLIMIT_CORE, {0, kInfinity}},
                                                 {RLIMIT_STACK, {8u << 20, kInfinity}},
                                                 {RLIMIT_NPROC, {1024, 1024}},
                                                 {RLIMIT_NOFILE, {1024, 1048576}},
                                                 {RLIMIT_MEMLOCK, {8u << 20, 8u << 20}},
                                                 {RLIMIT_SIGPENDING, {1024, 1024}}}};
  for (const Limit& limit : kLimits) {
    Values now{};
    if (::syscall(SYS_prlimit64, 0, limit.resource, &limit.values, nullptr) != 0 &&
        ::syscall(SYS_prlimit64, 0, limit.resource, nullptr, &now) == 0) {
      now.soft = now.hard < limit.values.soft ? now.hard : limit.values.soft;
      ::syscall(SYS_prlimit64, 0, limit.resource, &now, nullptr);
    }
  }
}

// Runs on its own stack in our address space, while we wait (CLONE_VFORK). Must not return, allocate or throw.
// AddressSanitizer would mark its frame in the shadow of a stack that is used for something else afterwards.
__attribute__((no_sanitize("address"))) int child_main(void* argument) {
  ChildStart& start = *static_cast<ChildStart*>(argument);
  ::personality(ADDR_NO_RANDOMIZE);
  ::syscall(SYS_setsid);
  run_in_order(start.processor);
  set_limits();
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; ++signal) {
    ::sigaction(signal, &action, nullptr);  // ours may be ignored ones, which execve keeps
  }
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  if (::dup2(start.in, 0) < 0 || ::dup2(start.out, 1) < 0 || ::dup2(start.err, 2) < 0 ||
      (start.cwd != nullptr && ::chdir(start.cwd) != 0) ||
      (start.root != nullptr && (::chroot(start.root) != 0 || ::chdir("/") != 0))) {
    start.error = errno;
    ::_exit(127);
  }
  ::syscall(kCloseRange, 3u, ~0u, kCloseRangeCloexec);
  // Twice: the first call may fault on the way. After the second only execve is left.
  ::syscall(SYS_getrusage, RUSAGE_SELF, &start.before);
  ::syscall(SYS_getrusage, RUSAGE_SELF, &start.before);
  ::syscall(SYS_execve, start.argv[0], start.argv, start.envp);
  start.error = errno;
  ::_exit(127);
}

}  // namespace

int choose_processor() {
  cpu_set_t set;
  CPU_ZERO(&set);
  int chosen = 0;
  if (::sched_getaffinity(0, sizeof set, &set) == 0) {
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      chosen = CPU_ISSET(cpu, &set) ? cpu : chosen;
    }
  }
  return chosen;
}

pid_t start_child(ChildStart& start) {
  // Touched by its construction, so that the child takes no faults for it.
  std::vector<char> stack(64u << 10, 1);
  return ::clone(child_main, stack.data() + stack.size(), CLONE_VM | CLONE_VFORK | SIGCHLD, &start);
}

}  // namespace fl::emu
