// Many runs of `faultline run`, some at a time, each judged when it ends. For tests that look for crashes, hangs and
// leaks rather than for output.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace fl::test {

struct BatchJob {
  std::string name;
  std::vector<std::string> arguments;  // of `faultline run`
};

// How a run ended.
struct BatchEnd {
  int signal = 0;  // of faultline itself
  int status = 0;
  bool hung = false;  // it was killed after two minutes
  long max_rss_kib = 0;
  std::string error;  // what it wrote to stderr
};

// Starts jobs, with stdin and stdout at /dev/null; `judge` is called with the end of each, by run() and finish().
class Batch {
 public:
  using Judge = std::function<void(const BatchJob&, const BatchEnd&)>;
  explicit Batch(Judge judge) : judge_(std::move(judge)) {}
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;

  // Waits first if enough jobs run already.
  void run(BatchJob job);
  void finish();

 private:
  struct Running {
    BatchJob job;
    std::filesystem::path error_file;
    std::chrono::steady_clock::time_point deadline;
    bool hung = false;
  };
  void start(BatchJob job);
  void wait_for_one();

  Judge judge_;
  std::map<pid_t, Running> running_;
  size_t started_ = 0;
};

// All of a file; empty if it cannot be read.
std::string read_text(const std::filesystem::path& path);
// The last 2000 bytes: the guest may have written a lot.
std::string tail(const std::string& text);

// CHECKs that faultline ended by itself, in time, without an error of its own, and with no more memory than a guest of
// that much RAM explains.
void check_alive(const BatchEnd& ended, long ram_mib);

}  // namespace fl::test
