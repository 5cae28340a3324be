// launch: the child's few steps to execve. What follows is in supervisor.cpp. See launcher.hpp.
#include "emu/record/launcher.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/personality.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "emu/record/program_file.hpp"
#include "emu/record/supervisor.hpp"

namespace fl::emu {
namespace {

constexpr long kCloseRange = 436;  // the same number on every architecture
constexpr unsigned kCloseRangeCloexec = 4;
constexpr int kProgramPriority = 1;

// What the child needs; it shares our memory, so it also answers through this.
struct ChildStart {
  char* const* argv;
  char* const* envp;
  const char* cwd;
  int in, out, err;
  int processor;  // the one to run on
  int error = 0;
  struct rusage before {};
};

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

// The last processor that we may use: the first one has most of the interrupts.
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

// Runs on its own stack in our address space, while we wait (CLONE_VFORK). Must not return, allocate or throw.
// AddressSanitizer would mark its frame in the shadow of a stack that is used for something else afterwards.
__attribute__((no_sanitize("address"))) int child_main(void* argument) {
  ChildStart& start = *static_cast<ChildStart*>(argument);
  ::personality(ADDR_NO_RANDOMIZE);
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
      (start.cwd != nullptr && ::chdir(start.cwd) != 0)) {
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

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> result;
  result.reserve(strings.size() + 1);
  for (std::string& text : strings) {
    result.push_back(text.data());
  }
  result.push_back(nullptr);
  return result;
}

HostError cannot_start(const std::string& program, int error) {
  if (error == ENOEXEC && is_i386_program(program) && !host_runs_i386()) {
    return {fmt::format("cannot record: {}: this host's kernel does not run i386 programs", program), kExitNoReference};
  }
  return {fmt::format("cannot start the program: {}: {}", program, std::strerror(error))};
}

// A pipe: reading end, writing end.
HostResult<std::array<UniqueFd, 2>> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return host_error("cannot make a pipe: {}", std::strerror(errno));
  }
  return std::array{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

}  // namespace

HostResult<LaunchResult> launch(const LaunchSpec& spec, PerfSession* session, const OutputSink& sink) {
  std::vector<std::string> command = spec.command, environment = spec.environment;
  const std::vector<char*> argv = pointers(command), envp = pointers(environment);
  const UniqueFd in(::open(spec.stdin_path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!in.open()) {
    return host_error("cannot read the program's input: {}: {}", spec.stdin_path, std::strerror(errno));
  }
  auto out = make_pipe(), err = make_pipe();
  if (!out || !err) {
    return tl::unexpected((!out ? out : err).error());
  }
  ChildStart start{argv.data(),       envp.data(),     spec.cwd.empty() ? nullptr : spec.cwd.c_str(),
                   in.get(),          (*out)[1].get(), (*err)[1].get(),
                   choose_processor()};
  Supervisor supervisor(session, sink, spec.timeout_seconds);
  // Touched by its construction, so that the child takes no faults for it.
  std::vector<char> stack(64u << 10, 1);
  const pid_t pid = ::clone(child_main, stack.data() + stack.size(), CLONE_VM | CLONE_VFORK | SIGCHLD, &start);
  if (pid < 0) {
    return host_error("cannot start the program: clone: {}", std::strerror(errno));
  }
  if (start.error != 0) {
    ::waitpid(pid, nullptr, 0);
    return tl::unexpected(cannot_start(spec.command[0], start.error));
  }
  (*out)[1].reset();
  (*err)[1].reset();
  auto result = supervisor.follow(pid, std::move((*out)[0]), std::move((*err)[0]));
  if (result) {
    result->launcher_minflt = static_cast<uint64_t>(start.before.ru_minflt);
    result->launcher_majflt = static_cast<uint64_t>(start.before.ru_majflt);
    result->minflt -= result->launcher_minflt;
    result->majflt -= result->launcher_majflt;
  }
  return result;
}

}  // namespace fl::emu
