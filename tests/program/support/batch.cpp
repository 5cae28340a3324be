// Starting, waiting for and judging runs.
#include "tests/program/support/batch.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <csignal>
#include <fstream>
#include <system_error>
#include <thread>

#include "tests/program/support/native_run.hpp"

namespace fl::test {
namespace fs = std::filesystem;
namespace {

using Clock = std::chrono::steady_clock;

#ifdef __SANITIZE_ADDRESS__
constexpr bool kMeasureMemory = false;  // shadow memory and quarantine
#else
constexpr bool kMeasureMemory = true;
#endif
constexpr size_t kAtOnce = 4;

bool says_bug(const std::string& error) {
  return error.find("internal error") != std::string::npos || error.find("Sanitizer") != std::string::npos ||
         error.find("runtime error") != std::string::npos || error.find("terminate called") != std::string::npos;
}

}  // namespace

std::string read_text(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void Batch::run(BatchJob job) {
  while (running_.size() >= kAtOnce) {
    wait_for_one();
  }
  start(std::move(job));
}

void Batch::finish() {
  while (!running_.empty()) {
    wait_for_one();
  }
}

void Batch::start(BatchJob job) {
  const fs::path error_file = scratch() / fmt::format("batch{}.err", started_++);
  std::vector<std::string> words{FL_FAULTLINE, "run"};
  words.insert(words.end(), job.arguments.begin(), job.arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) {
    argv.push_back(word.data());
  }
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 2, error_file.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  pid_t pid = 0;
  const int error = ::posix_spawn(&pid, FL_FAULTLINE, &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    throw std::system_error(error, std::generic_category(), FL_FAULTLINE);
  }
  running_[pid] = {std::move(job), error_file, Clock::now() + std::chrono::seconds(120)};
}

void Batch::wait_for_one() {
  while (true) {
    for (auto& [pid, running] : running_) {
      int status = 0;
      struct rusage usage {};
      if (::wait4(pid, &status, WNOHANG, &usage) == pid) {
        BatchEnd ended{.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0,
                       .status = WIFEXITED(status) ? WEXITSTATUS(status) : -1,
                       .hung = running.hung,
                       .max_rss_kib = usage.ru_maxrss,
                       .error = read_text(running.error_file)};
        const BatchJob job = std::move(running.job);
        fs::remove(running.error_file);
        running_.erase(pid);
        judge_(job, ended);
        return;
      }
      if (!running.hung && Clock::now() > running.deadline) {
        running.hung = true;
        ::kill(pid, SIGKILL);
      }
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

std::string tail(const std::string& text) { return text.substr(text.size() - std::min<size_t>(text.size(), 2000)); }

void check_alive(const BatchEnd& ended, long ram_mib) {
  CHECK(ended.signal == 0);
  CHECK_FALSE(ended.hung);
  CHECK(ended.status != 124);
  CHECK_FALSE(says_bug(ended.error));
  if (kMeasureMemory) {
    CHECK(ended.max_rss_kib < (ram_mib + 150) * 1024);
  }
}

}  // namespace fl::test
