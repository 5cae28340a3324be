// One poll loop for everything that a running program wants from us. See supervisor.hpp.
#include "emu/record/supervisor.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstring>

#include "emu/record/pid_namespace.hpp"

namespace fl::emu {
namespace {

constexpr int kPriority = 2;      // above the program's
constexpr long kPidfdOpen = 434;  // the same number on every architecture
// For processes that the program left running: how often we look, and how long we wait.
constexpr int kLookMs = 10;
constexpr std::chrono::seconds kPatience{10};

// Our children, by /proc/PID/task/TID/children; SIGKILL for each.
void kill_children() {
  const std::string path = fmt::format("/proc/self/task/{}/children", ::syscall(SYS_gettid));
  if (std::FILE* const file = std::fopen(path.c_str(), "re")) {
    int pid = 0;
    while (std::fscanf(file, "%d", &pid) == 1) {
      ::kill(pid, SIGKILL);
    }
    std::fclose(file);
  }
}

}  // namespace

Supervisor::Supervisor(PerfSession* session, const OutputSink& sink, uint32_t timeout_seconds)
    : session_(session),
      sink_(sink),
      timeout_seconds_(timeout_seconds),
      deadline_(Clock::now() + std::chrono::seconds(timeout_seconds)) {
  sigset_t mask;
  sigemptyset(&mask);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    sigaddset(&mask, signal);
  }
  ::pthread_sigmask(SIG_BLOCK, &mask, &old_mask_);
  signals_.reset(::signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK));
  int was = 0;
  ::prctl(PR_GET_CHILD_SUBREAPER, &was);
  was_subreaper_ = was != 0;
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  struct sched_param old {};
  old_policy_ = ::sched_getscheduler(0);
  const struct sched_param priority { kPriority };
  if (::sched_getparam(0, &old) == 0 && ::sched_setscheduler(0, SCHED_RR, &priority) == 0) {
    old_priority_ = old;
  }
}

Supervisor::~Supervisor() {
  if (old_priority_) {
    ::sched_setscheduler(0, old_policy_, &*old_priority_);
  }
  ::prctl(PR_SET_CHILD_SUBREAPER, was_subreaper_ ? 1 : 0);
  ::pthread_sigmask(SIG_SETMASK, &old_mask_, nullptr);
}

void Supervisor::main_ended(int status) {
  result_.exit_status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  main_gone_ = true;
  main_end_ = Clock::now();
}

void Supervisor::add(int status, const struct rusage& usage, pid_t pid) {
  if (result_.pid_is_init) {
    return;  // it has told
  }
  result_.minflt += static_cast<uint64_t>(usage.ru_minflt);
  result_.majflt += static_cast<uint64_t>(usage.ru_majflt);
  if (pid == result_.pid) {
    main_ended(status);
  }
}

void Supervisor::take_reports() {
  while (reports_.open()) {
    const auto report = read_report(reports_);
    if (!report) {
      return;
    }
    if (report->kind == NamespaceReport::Kind::kMainEnded) {
      main_ended(report->value);
    } else if (report->kind == NamespaceReport::Kind::kAllEnded) {
      result_.minflt = report->minflt;
      result_.majflt = report->majflt;
      all_told_ = true;
    }
  }
}

void Supervisor::reap() {
  while (true) {
    int status = 0;
    struct rusage usage {};
    const pid_t pid = ::wait4(-1, &status, WNOHANG, &usage);
    if (pid > 0) {
      add(status, usage, pid);
    } else if (pid == 0 || errno != EINTR) {
      all_gone_ = pid < 0;
      return;
    }
  }
}

void Supervisor::end_all() {
  while (!all_gone_) {
    kill_children();
    ::poll(nullptr, 0, kLookMs);
    reap();
  }
}

void Supervisor::read_pipe(UniqueFd& pipe, OutputStream stream) {
  std::array<char, 64 * 1024> buffer;
  while (pipe.open()) {
    const ssize_t n = ::read(pipe.get(), buffer.data(), buffer.size());
    if (n > 0) {
      sink_(stream, {buffer.data(), static_cast<size_t>(n)});
    } else if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
      pipe.reset();
    } else if (errno == EAGAIN) {
      return;
    }
    if (session_ != nullptr && n > 0) {
      return;  // the perf buffers first, before more of the same
    }
  }
}

HostStatus Supervisor::take_signal() {
  signalfd_siginfo info{};
  if (::read(signals_.get(), &info, sizeof info) == sizeof info) {
    const auto signal = static_cast<int>(info.ssi_signo);
    return tl::unexpected(HostError{fmt::format("recording was stopped by signal {}", signal), 128 + signal});
  }
  return {};
}

int Supervisor::wait_ms() const {
  if (main_gone_) {
    return kLookMs;
  }
  if (timeout_seconds_ == 0) {
    return -1;
  }
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - Clock::now()).count();
  return static_cast<int>(std::clamp<int64_t>(left + 1, 0, INT_MAX));
}

HostStatus Supervisor::watch() {
  while (!all_gone_ || out_.open() || err_.open()) {
    std::vector<pollfd> polls{{signals_.get(), POLLIN, 0}, {out_.get(), POLLIN, 0}, {err_.get(), POLLIN, 0}};
    if (!main_gone_) {
      polls.push_back({main_.get(), POLLIN, 0});
      polls.push_back({reports_.get(), POLLIN, 0});
    }
    if (session_ != nullptr) {
      for (const int fd : session_->descriptors()) {
        polls.push_back({fd, POLLIN, 0});
      }
    }
    ::poll(polls.data(), polls.size(), wait_ms());
    if (session_ != nullptr) {
      FL_HOST_TRY(session_->drain());
    }
    FL_HOST_TRY(take_signal());
    if (timeout_seconds_ != 0 && Clock::now() >= deadline_) {
      return tl::unexpected(
          HostError{fmt::format("cannot record: the program had not ended after {} s: see --timeout", timeout_seconds_),
                    kExitTimeout});
    }
    read_pipe(out_, OutputStream::kOut);
    read_pipe(err_, OutputStream::kErr);
    reap();
    take_reports();
    if (all_gone_ && (!main_gone_ || !all_told_)) {
      return host_error("cannot record: the first process of the program's namespace died");
    }
    if (main_gone_ && Clock::now() - main_end_ > kPatience) {
      return all_gone_ ? host_error("cannot record: somebody else holds the program's standard output open")
                       : host_error("cannot record: the program left processes running behind");
    }
  }
  return {};
}

HostResult<LaunchResult> Supervisor::follow(Family family, UniqueFd out, UniqueFd err) {
  result_.pid = family.pid;
  result_.launcher_minflt = family.launcher_minflt;
  result_.launcher_majflt = family.launcher_majflt;
  reports_ = std::move(family.reports);
  result_.pid_is_init = reports_.open();
  all_told_ = !result_.pid_is_init;
  if (reports_.open()) {
    ::fcntl(reports_.get(), F_SETFL, O_NONBLOCK);
  }
  out_ = std::move(out);
  err_ = std::move(err);
  ::fcntl(out_.get(), F_SETFL, O_NONBLOCK);
  ::fcntl(err_.get(), F_SETFL, O_NONBLOCK);
  main_.reset(static_cast<int>(::syscall(kPidfdOpen, family.pid, 0)));
  HostStatus status = main_.open() ? watch() : host_error("cannot watch the program: {}", std::strerror(errno));
  if (status && session_ != nullptr) {
    status = session_->drain();
  }
  end_all();
  if (!status) {
    return tl::unexpected(status.error());
  }
  result_.minflt -= std::min(result_.minflt, result_.launcher_minflt);
  result_.majflt -= std::min(result_.majflt, result_.launcher_majflt);
  return result_;
}

}  // namespace fl::emu
