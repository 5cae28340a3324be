// The runs of a recording. See record_program.hpp.
#include "emu/record/record_program.hpp"

#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <ctime>

#include "emu/base/content_hash.hpp"
#include "emu/record/launcher.hpp"
#include "emu/record/program_file.hpp"
#include "emu/record/run_choice.hpp"

namespace fl::emu {
namespace {

void write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno != EINTR) {
      return;  // our output is gone; the program's run goes on, as behind `| head`
    }
    text.remove_prefix(n > 0 ? static_cast<size_t>(n) : 0);
  }
}

std::string now_utc() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text.data();
}

// The word in brackets: "always [madvise] never".
std::string huge_page_setting() {
  std::array<char, 128> text{};
  std::FILE* const file = std::fopen("/sys/kernel/mm/transparent_hugepage/enabled", "re");
  if (file == nullptr) {
    return {};
  }
  const std::string_view line(text.data(), std::fread(text.data(), 1, text.size(), file));
  std::fclose(file);
  const size_t from = line.find('['), to = line.find(']');
  return from < to && to != std::string_view::npos ? std::string(line.substr(from + 1, to - from - 1)) : std::string();
}

NativeKernel host_kernel() {
  struct utsname names {};
  ::uname(&names);
  return {.release = names.release, .version = names.version, .machine = names.machine, .thp = huge_page_setting()};
}

HostStatus describe_program(const std::string& path, NativeRecord& record) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) {
    return host_error("cannot start the program: {}: {}", path, std::strerror(errno));
  }
  const auto hash = ContentHash::of_file(path);
  if (!hash) {
    return tl::unexpected(hash.error());
  }
  record.program_path = path;
  record.program_bytes = static_cast<uint64_t>(info.st_size);
  record.program_hash = hash->text();
  record.filesystem = filesystem_of(path);
  return {};
}

// Signals that would end us wait until launch() looks at them, or until a session's traces in the kernel (a kprobe)
// are gone.
class SignalsWait {
 public:
  SignalsWait() {
    sigset_t mask;
    sigemptyset(&mask);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
      sigaddset(&mask, signal);
    }
    ::pthread_sigmask(SIG_BLOCK, &mask, &before_);
  }
  SignalsWait(const SignalsWait&) = delete;
  SignalsWait& operator=(const SignalsWait&) = delete;
  ~SignalsWait() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_{};
};

class Recorder {
 public:
  explicit Recorder(const RecordRequest& request)
      : request_(request),
        launch_{.command = request.command,
                .environment = request.environment,
                .cwd = request.cwd,
                .root = request.root,
                .stdin_path = request.stdin_path,
                .timeout_seconds = request.timeout_seconds} {}

  HostResult<NativeRecord> record() {
    const SignalsWait wait;
    // Whether recording is allowed is said before the program runs for the first time.
    if (auto session = PerfSession::open(request_.perf); !session) {
      return tl::unexpected(session.error());
    }
    FL_HOST_TRY(warm_up());
    std::vector<RunList> runs;
    for (uint32_t i = 0; i < request_.runs; ++i) {
      auto run = record_run();
      if (!run) {
        return tl::unexpected(run.error());
      }
      runs.push_back(std::move(*run));
    }
    RunChoice choice = choose_run(runs);
    RunList& chosen = choice.list;
    record_.runs = request_.runs;
    record_.agreeing = choice.agreeing;
    record_.gup = chosen.gup;
    record_.gup_faults = chosen.gup_faults;
    record_.exit_status = chosen.exit_status;
    record_.minflt = chosen.minflt;
    record_.majflt = chosen.majflt;
    record_.output_bytes = outputs_[choice.run].bytes();
    record_.output_hash = outputs_[choice.run].text();
    record_.processes = std::move(chosen.processes);
    record_.faults = std::move(chosen.faults);
    return std::move(record_);
  }

 private:
  // The first run brings into memory what the program uses. Nothing is lost while a slow reader takes our output.
  HostStatus warm_up() {
    record_.date = now_utc();
    record_.kernel = host_kernel();
    record_.cpu = read_host_cpu();
    record_.command = request_.command;
    record_.environment = request_.environment;
    FL_HOST_TRY(before_run());
    cache_page_by_page(path());
    for (const std::string& other : request_.others) {
      const auto hash = ContentHash::of_file(other);
      if (!hash) {
        return tl::unexpected(hash.error());
      }
      record_.others.push_back({other, hash->text()});
    }
    FL_HOST_TRY(describe_program(path(), record_));
    const auto result = launch(launch_, nullptr, [this](OutputStream stream, std::string_view text) {
      if (request_.forward_output) {
        write_all(stream == OutputStream::kOut ? STDOUT_FILENO : STDERR_FILENO, text);
      }
    });
    return result ? HostStatus() : tl::unexpected(result.error());
  }

  HostResult<RunList> record_run() {
    FL_HOST_TRY(before_run());
    auto session = PerfSession::open(request_.perf);
    if (!session) {
      return tl::unexpected(session.error());
    }
    ContentHash output;
    const auto result = launch(launch_, session->get(), [&output](OutputStream stream, std::string_view text) {
      if (stream == OutputStream::kOut) {
        output.add(text);
      }
    });
    if (!result) {
      return tl::unexpected(result.error());
    }
    outputs_.push_back(output);
    record_.kernel_faults_seen = (*session)->kernel_seen();
    return make_run_list((*session)->take_records(), {.root = result->pid,
                                                      .root_is_parent = result->pid_is_init,
                                                      .exit_status = result->exit_status,
                                                      .minflt = result->minflt,
                                                      .majflt = result->majflt,
                                                      .launcher_minflt = result->launcher_minflt,
                                                      .launcher_majflt = result->launcher_majflt,
                                                      .kernel_seen = (*session)->kernel_seen(),
                                                      .gup_seen = (*session)->gup_seen(),
                                                      .instruction_access = request_.instruction_access});
  }

  HostStatus before_run() { return request_.before_run ? request_.before_run() : HostStatus(); }

  // The program's file, seen from here.
  std::string path() const {
    const std::string& program = request_.command[0];
    if (!request_.root.empty()) {
      return request_.root + "/" + program;
    }
    return request_.cwd.empty() || program.starts_with('/') ? program : request_.cwd + "/" + program;
  }

  const RecordRequest& request_;
  LaunchSpec launch_;
  NativeRecord record_;
  std::vector<ContentHash> outputs_;  // of each recorded run
};

}  // namespace

HostResult<NativeRecord> record_program(const RecordRequest& request) { return Recorder(request).record(); }

}  // namespace fl::emu
