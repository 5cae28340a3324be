// Process 1 of the namespace. See pid_namespace.hpp.
#include "emu/record/pid_namespace.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <string>
#include <string_view>

namespace fl::emu {
namespace {

using Kind = NamespaceReport::Kind;

constexpr long kCloseRange = 436;                    // the same number on every architecture
constexpr std::string_view kNumberBefore = "999";    // guest/kernel.cpp begins with the next
constexpr std::string_view kHostName = "faultline";  // guest::KernelOptions
constexpr char kReady = 'r';

// What a program finds in its root as it does under faultline; where there is no folder for it, it is not there.
bool mount_proc(const char* root) {
  constexpr unsigned long kFlags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
  if (root == nullptr) {
    return ::mount("proc", "/proc", "proc", kFlags, nullptr) == 0;
  }
  const std::string folder = root;
  static_cast<void>(::mount("/dev", (folder + "/dev").c_str(), nullptr, MS_BIND | MS_REC, nullptr));
  static_cast<void>(::mount("tmpfs", (folder + "/tmp").c_str(), "tmpfs", MS_NOSUID | MS_NODEV, nullptr));
  return ::mount("proc", (folder + "/proc").c_str(), "proc", kFlags, nullptr) == 0 || errno == ENOENT;
}

bool prepare_namespace(const char* root) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  // It only waits: it must not come before the program's tasks, as we may.
  const struct sched_param ordinary { 0 };
  ::sched_setscheduler(0, SCHED_OTHER, &ordinary);
  if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 || !mount_proc(root)) {
    return false;
  }
  static_cast<void>(!::sethostname(kHostName.data(), kHostName.size()));
  const UniqueFd last(::open("/proc/sys/kernel/ns_last_pid", O_WRONLY | O_CLOEXEC));
  return last.open() &&
         ::write(last.get(), kNumberBefore.data(), kNumberBefore.size()) == static_cast<ssize_t>(kNumberBefore.size());
}

void send(int fd, const NamespaceReport& report) {
  // Smaller than PIPE_BUF: whole or not at all. If nobody reads any more, we are about to be killed.
  static_cast<void>(!::write(fd, &report, sizeof report));
}

// Nothing of the program may stay open here: its pipes would never end.
void close_all_but(int fd) {
  if (fd > 0) {
    ::syscall(kCloseRange, 0u, static_cast<unsigned>(fd) - 1, 0u);
  }
  ::syscall(kCloseRange, static_cast<unsigned>(fd) + 1, ~0u, 0u);
}

[[noreturn]] void run_init(ChildStart& start, int fd) {
  if (!prepare_namespace(start.root)) {
    ::_exit(1);
  }
  static_cast<void>(!::write(fd, &kReady, 1));
  const pid_t program = start_child(start);
  if (program < 0 || start.error != 0) {
    send(fd, {.kind = Kind::kNotStarted, .value = program < 0 ? errno : start.error});
    ::_exit(1);
  }
  close_all_but(fd);
  send(fd, {.kind = Kind::kStarted,
            .minflt = static_cast<uint64_t>(start.before.ru_minflt),
            .majflt = static_cast<uint64_t>(start.before.ru_majflt)});
  while (true) {
    int status = 0;
    const pid_t ended = ::waitpid(-1, &status, 0);
    if (ended == program) {
      send(fd, {.kind = Kind::kMainEnded, .value = status});
    } else if (ended < 0 && errno != EINTR) {
      break;
    }
  }
  struct rusage usage {};
  ::getrusage(RUSAGE_CHILDREN, &usage);
  send(fd, {.kind = Kind::kAllEnded,
            .minflt = static_cast<uint64_t>(usage.ru_minflt),
            .majflt = static_cast<uint64_t>(usage.ru_majflt)});
  ::_exit(0);
}

}  // namespace

std::optional<NamespaceInit> start_in_namespace(ChildStart& start) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return std::nullopt;
  }
  UniqueFd reading(ends[0]), writing(ends[1]);
  // Not libc's fork, which knows no namespaces; we have no threads whose locks could be left behind.
  const auto pid =
      static_cast<pid_t>(::syscall(SYS_clone, CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | SIGCHLD, 0, 0, 0, 0));
  if (pid < 0) {
    return std::nullopt;
  }
  if (pid == 0) {
    run_init(start, writing.get());
  }
  writing.reset();
  char ready = 0;
  ssize_t n = 0;
  while ((n = ::read(reading.get(), &ready, 1)) < 0 && errno == EINTR) {
  }
  if (n != 1) {
    while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    return std::nullopt;
  }
  return NamespaceInit{pid, std::move(reading)};
}

std::optional<NamespaceReport> read_report(const UniqueFd& reports) {
  NamespaceReport report;
  ssize_t n = 0;
  while ((n = ::read(reports.get(), &report, sizeof report)) < 0 && errno == EINTR) {
  }
  return n == sizeof report ? std::optional(report) : std::nullopt;
}

}  // namespace fl::emu
