// run_process: clone, pipes, a timeout, wait4. See process.hpp.
#include "tests/program/support/process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <system_error>
#include <utility>

#include "emu/record/unique_fd.hpp"

namespace fl::test {
namespace {

using Clock = std::chrono::steady_clock;

[[noreturn]] void fail(const char* what, int error) { throw std::system_error(error, std::generic_category(), what); }

using Fd = emu::UniqueFd;

struct Pipe {
  Fd read, write;
  Pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
      fail("pipe2", errno);
    }
    read.reset(ends[0]);
    write.reset(ends[1]);
  }
};

// What the child needs; it shares our memory, so it also answers through this.
struct ChildStart {
  const char* program;
  char* const* argv;
  char* const* envp;
  const char* cwd;
  int in, out, err;
  bool aslr;
  int error = 0;
  struct rusage before {};
};

// Runs on its own stack in our address space, while we wait (CLONE_VFORK). Must not return, allocate or throw.
// AddressSanitizer would mark its frame in the shadow of a stack that the next child uses again.
__attribute__((no_sanitize("address"))) int child_main(void* argument) {
  ChildStart& start = *static_cast<ChildStart*>(argument);
  // What whoever started the tests has open is not the program's.
  ::syscall(SYS_close_range, 3, ~0u, 1u << 2 /* CLOSE_RANGE_CLOEXEC */);
  if (!start.aslr) {
    ::personality(ADDR_NO_RANDOMIZE);
  }
  const struct rlimit no_core { 0, 0 };
  ::setrlimit(RLIMIT_CORE, &no_core);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  if (::dup2(start.in, 0) < 0 || ::dup2(start.out, 1) < 0 || ::dup2(start.err, 2) < 0 ||
      (start.cwd != nullptr && ::chdir(start.cwd) != 0)) {
    start.error = errno;
    ::_exit(127);
  }
  // Twice: the first call may fault on the way. After the second only execve is left.
  ::syscall(SYS_getrusage, RUSAGE_SELF, &start.before);
  ::syscall(SYS_getrusage, RUSAGE_SELF, &start.before);
  ::syscall(SYS_execve, start.program, start.argv, start.envp);
  start.error = errno;
  ::_exit(127);
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> result;
  for (std::string& s : strings) {
    result.push_back(s.data());
  }
  result.push_back(nullptr);
  return result;
}

pid_t start_child(ChildStart& start) {
  // Touched here, so that the child takes no faults for it.
  alignas(64) static std::array<char, 64 * 1024> stack;
  std::memset(stack.data(), 1, stack.size());
  const pid_t pid = ::clone(child_main, stack.data() + stack.size(), CLONE_VM | CLONE_VFORK | SIGCHLD, &start);
  if (pid < 0) {
    fail("clone", errno);
  }
  if (start.error != 0) {
    ::waitpid(pid, nullptr, 0);
    fail(start.program, start.error);
  }
  return pid;
}

// Reads both pipes to their ends; kills the process when time is up.
void collect(const RunSpec& spec, pid_t pid, Fd out, Fd err, Clock::time_point began, RunResult& result) {
  const Clock::time_point deadline = began + spec.timeout;
  bool signal_due = spec.signal != 0;
  std::array<pollfd, 2> polls{{{out.get(), POLLIN, 0}, {err.get(), POLLIN, 0}}};
  const std::array<std::string*, 2> texts{&result.output, &result.error};
  static std::array<char, 64 * 1024> buffer;
  while (polls[0].fd >= 0 || polls[1].fd >= 0) {
    const Clock::time_point now = Clock::now();
    if (signal_due && now >= began + spec.signal_after) {
      signal_due = false;
      ::kill(pid, spec.signal);
    }
    const Clock::time_point next = signal_due ? std::min(deadline, began + spec.signal_after) : deadline;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(next - now).count();
    if (now >= deadline && !result.timed_out) {
      result.timed_out = true;
      ::kill(pid, SIGKILL);
    }
    // After the kill, a grandchild that holds the pipe may keep us no longer than a second.
    const int ready =
        ::poll(polls.data(), polls.size(), result.timed_out ? 1000 : static_cast<int>(std::max<long>(left, 0)));
    if (ready == 0 && result.timed_out) {
      return;
    }
    for (size_t i = 0; i < polls.size(); ++i) {
      if (polls[i].fd < 0 || polls[i].revents == 0) {
        continue;
      }
      const ssize_t n = ::read(polls[i].fd, buffer.data(), buffer.size());
      if (n > 0) {
        texts[i]->append(buffer.data(), static_cast<size_t>(n));
      } else if (n == 0 || errno != EINTR) {
        polls[i].fd = -1;
      }
    }
  }
}

}  // namespace

RunResult run_process(const RunSpec& spec) {
  std::vector<std::string> args{spec.program.string()};
  args.insert(args.end(), spec.args.begin(), spec.args.end());
  std::vector<std::string> env = spec.env;
  const std::vector<char*> argv = pointers(args), envp = pointers(env);
  const std::string program = spec.program.string(), cwd = spec.cwd.string();
  const Fd in(::open(spec.stdin_file.c_str(), O_RDONLY | O_CLOEXEC));
  if (in.get() < 0) {
    fail(spec.stdin_file.c_str(), errno);
  }
  Pipe out, err;
  ChildStart start{program.c_str(), argv.data(),     envp.data(),     cwd.empty() ? nullptr : cwd.c_str(),
                   in.get(),        out.write.get(), err.write.get(), spec.aslr};
  const Clock::time_point began = Clock::now();
  RunResult result;
  result.pid = start_child(start);
  out.write.reset();
  err.write.reset();
  collect(spec, result.pid, std::move(out.read), std::move(err.read), began, result);
  int status = 0;
  struct rusage usage {};
  while (::wait4(result.pid, &status, 0, &usage) < 0 && errno == EINTR) {
  }
  result.seconds = std::chrono::duration<double>(Clock::now() - began).count();
  result.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  result.exit_status = result.signal != 0 ? 128 + result.signal : WEXITSTATUS(status);
  result.minflt = usage.ru_minflt - start.before.ru_minflt;
  result.max_rss_kib = usage.ru_maxrss;
  result.majflt = usage.ru_majflt - start.before.ru_majflt;
  return result;
}

}  // namespace fl::test
