// The child, its two pipes, and the memory file through which it answers.
#include "emu/compare/run_machine.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <climits>
#include <csignal>
#include <cstring>

#include "emu/base/content_hash.hpp"
#include "emu/base/printable.hpp"
#include "emu/compare/collector.hpp"
#include "emu/compare/wire.hpp"
#include "emu/machine/machine.hpp"
#include "emu/machine/observers.hpp"
#include "emu/report/statistics.hpp"
#include "guest/syscall/syscall.hpp"
#include "guest/task.hpp"

namespace fl::emu {
namespace {

// How the child ended; other statuses are those of a process that could not go on.
constexpr int kAnswered = 0, kRefused = 1;

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { close_now(); }
  int get() const { return fd_; }
  void close_now() {
    if (fd_ >= 0) {
      close(fd_);
      fd_ = -1;
    }
  }

 private:
  int fd_;
};

bool write_all(int fd, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t done = write(fd, bytes.data(), bytes.size());
    if (done < 0 && errno != EINTR) {
      return false;
    }
    bytes = bytes.subspan(done > 0 ? static_cast<size_t>(done) : 0);
  }
  return true;
}

std::string describe_unimplemented(const guest::Kernel& kernel) {
  std::string text;
  for (const auto& [number, count] : kernel.unimplemented()) {
    const std::string_view name = guest::syscall_name(number);
    text += fmt::format("{}{}", text.empty() ? "" : ", ",
                        name.empty() ? fmt::format("system call {}", number) : std::string(name));
  }
  return text;
}

// "1000 (sh) waits in wait4, 1001 (cat) runs": for a run that did not end.
std::string describe_tasks(const guest::Kernel& kernel) {
  std::string text;
  for (const guest::Task& task : kernel.tasks()) {
    if (!task.alive()) {
      continue;
    }
    const bool sleeps = task.state == guest::Task::State::kSleeping;
    text += fmt::format("{}{} ({}) {}", text.empty() ? "" : ", ", task.tid, printable(task.comm),
                        task.group->stop_signal != 0 ? "is stopped"
                        : sleeps                     ? fmt::format("waits in {}", task.wait.reason)
                                                     : "runs");
  }
  return text;
}

// Tells the collector, which is made after the kernel that it listens to.
class Births final : public guest::KernelObserver {
 public:
  void tell(Collector& collector) { collector_ = &collector; }
  void on_syscall_enter(const guest::Task&, uint32_t, const guest::SyscallArgs&) override {}
  void on_syscall_exit(const guest::Task&, uint32_t, const guest::SyscallArgs&, uint32_t) override {}
  void on_signal(const guest::Task&, const guest::SignalInfo&) override {}
  void on_clone(const guest::Task& parent, const guest::Task& child) override { collector_->on_clone(parent, child); }
  void on_exit(const guest::Task&) override {}

 private:
  Collector* collector_ = nullptr;
};

// In the child, from the machine's start to its end.
HostResult<OurRun> run_here(const MachineRun& run) {
  ProcessCollector processes;
  Births births;
  ObserverList observers;
  observers.add(processes);
  observers.add(births);
  MachineOptions options = run.machine;
  options.observer = &observers;
  options.program = run.command[0];
  auto created = Machine::create(options);
  if (!created) {
    return tl::unexpected<HostError>(created.error());
  }
  Machine& machine = **created;
  Collector collector(machine.mmu(), *options.profile, options.root);
  births.tell(collector);
  machine.attach(collector);
  FL_HOST_TRY(machine.start({.path = run.command[0], .argv = run.command, .env = run.environment}));
  const guest::Outcome outcome = machine.run();
  if (outcome.kind == guest::Outcome::Kind::kDeadlock || outcome.kind == guest::Outcome::Kind::kPanic) {
    return host_error("{}", outcome.report);
  }
  if (outcome.kind == guest::Outcome::Kind::kStopped) {
    return run.machine.timeout_ms
               ? host_error("cannot compare: the program had not ended here after {} s: see --timeout; {}",
                            *run.machine.timeout_ms / 1000, describe_tasks(machine.kernel()))
               : host_error("the run was stopped before its end");
  }
  for (const guest::Task& task : machine.kernel().tasks()) {
    if (task.alive()) {
      processes.add(task);
    }
  }
  OurRun result = collector.finish(processes.processes(), machine.memory().faults());
  result.exit_status = outcome.exit_status();
  result.unimplemented = describe_unimplemented(machine.kernel());
  return result;
}

[[noreturn]] void run_child(const MachineRun& run, int out, int err, int answer) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  const int in = open(run.stdin_path.c_str(), O_RDONLY | O_CLOEXEC);
  HostResult<OurRun> result =
      host_error("cannot read the program's input: {}: {}", run.stdin_path, std::strerror(errno));
  if (in >= 0 && dup2(in, STDIN_FILENO) >= 0 && dup2(out, STDOUT_FILENO) >= 0 && dup2(err, STDERR_FILENO) >= 0) {
    close(in);
    close(out);
    close(err);
    if (!run.directory.empty() && chdir(run.directory.c_str()) != 0) {
      result = host_error("cannot change to the directory: {}: {}", run.directory, std::strerror(errno));
    } else {
      result = run_here(run);
    }
  }
  const std::vector<std::byte> bytes = result ? pack(*result) : std::vector<std::byte>();
  const bool written =
      result ? write_all(answer, bytes) : write_all(answer, std::as_bytes(std::span(result.error().message)));
  _exit(!written ? kExitHostError : result ? kAnswered : kRefused);
}

struct Drained {
  ContentHash output;
  std::string error;  // the beginning of standard error
  bool late = false;  // it took too long: there may be more
};

using Clock = std::chrono::steady_clock;

// Reads both pipes to their ends, or until then.
Drained drain(int out, int err, std::optional<Clock::time_point> until) {
  constexpr size_t kMostError = 4096;
  Drained drained;
  std::array<pollfd, 2> polls{{{out, POLLIN, 0}, {err, POLLIN, 0}}};
  std::array<char, 65536> buffer;
  while (polls[0].fd >= 0 || polls[1].fd >= 0) {
    const auto left = until ? std::chrono::ceil<std::chrono::milliseconds>(*until - Clock::now()).count() : 0;
    if (until && left <= 0) {
      drained.late = true;
      break;
    }
    if (poll(polls.data(), polls.size(), until ? static_cast<int>(std::min<int64_t>(left, INT_MAX)) : -1) < 0 &&
        errno != EINTR) {
      break;
    }
    for (size_t i = 0; i < polls.size(); ++i) {
      if (polls[i].fd < 0 || polls[i].revents == 0) {
        continue;
      }
      const ssize_t got = read(polls[i].fd, buffer.data(), buffer.size());
      if (got > 0 && i == 0) {
        drained.output.add({buffer.data(), static_cast<size_t>(got)});
      } else if (got > 0) {
        const size_t room = kMostError - drained.error.size();
        drained.error.append(buffer.data(), std::min(room, static_cast<size_t>(got)));
      } else if (got == 0 || errno != EINTR) {
        polls[i].fd = -1;
      }
    }
  }
  return drained;
}

HostResult<std::vector<std::byte>> read_answer(int fd) {
  struct stat status {};
  if (fstat(fd, &status) != 0) {
    return host_error("cannot read the result of the run: {}", std::strerror(errno));
  }
  std::vector<std::byte> bytes(static_cast<size_t>(status.st_size));
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t got = pread(fd, bytes.data() + done, bytes.size() - done, static_cast<off_t>(done));
    if (got <= 0) {
      return host_error("cannot read the result of the run: {}", got < 0 ? std::strerror(errno) : "it is cut short");
    }
    done += static_cast<size_t>(got);
  }
  return bytes;
}

}  // namespace

HostResult<OurRun> run_machine(const MachineRun& run) {
  std::array<int, 2> out{-1, -1}, err{-1, -1};
  const bool piped = pipe2(out.data(), O_CLOEXEC) == 0 && pipe2(err.data(), O_CLOEXEC) == 0;
  const Descriptor out_read(out[0]), err_read(err[0]);
  Descriptor out_write(out[1]), err_write(err[1]);
  const Descriptor answer(memfd_create("faultline-run", MFD_CLOEXEC));
  if (!piped || answer.get() < 0) {
    return host_error("cannot start the run: {}", std::strerror(errno));
  }
  const auto began = Clock::now();
  const pid_t pid = fork();
  if (pid < 0) {
    return host_error("cannot start the run: {}", std::strerror(errno));
  }
  if (pid == 0) {
    run_child(run, out[1], err[1], answer.get());
  }
  out_write.close_now();
  err_write.close_now();
  // The child stops by itself at its timeout, unless it hangs.
  constexpr std::chrono::seconds kGrace{10};
  std::optional<Clock::time_point> until;
  if (run.machine.timeout_ms) {
    until = began + std::chrono::milliseconds(*run.machine.timeout_ms) + kGrace;
  }
  const Drained drained = drain(out_read.get(), err_read.get(), until);
  if (drained.late) {
    kill(pid, SIGKILL);
  }
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (drained.late) {
    return host_error("the run hung inside faultline and was killed {} s after its timeout: {}", kGrace.count(),
                      drained.error);
  }
  if (!WIFEXITED(status) || (WEXITSTATUS(status) != kAnswered && WEXITSTATUS(status) != kRefused)) {
    return host_error("the run failed inside faultline: {}: {}",
                      WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "it could not answer", drained.error);
  }
  auto bytes = read_answer(answer.get());
  if (!bytes) {
    return tl::unexpected<HostError>(bytes.error());
  }
  if (WEXITSTATUS(status) == kRefused) {
    return host_error("{}", std::string_view(reinterpret_cast<const char*>(bytes->data()), bytes->size()));
  }
  auto result = unpack(*bytes);
  if (!result) {
    return host_error("cannot read the result of the run: it is damaged");
  }
  result->output_bytes = drained.output.bytes();
  result->output_hash = drained.output.text();
  result->seconds = std::chrono::duration<double>(Clock::now() - began).count();
  return std::move(*result);
}

}  // namespace fl::emu
