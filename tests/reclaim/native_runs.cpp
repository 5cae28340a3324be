// One run is: swapon, a new group with the limit, a child that enters it before its execve, wait4, swapoff. Majors are
// the child's rusage with its own children; swap-ins are what /proc/vmstat's pswpin went up by, since nothing else on
// the host swaps.
//
// The program has one processor. What it maps of its own file was brought into the page cache by a run before, outside
// the group, so it is charged to others, as it is here.
#include "tests/reclaim/native_runs.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <random>
#include <sstream>
#include <stdexcept>
#include <vector>

namespace fl::test {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void die(const std::string& what) { throw std::runtime_error(what + ": " + std::strerror(errno)); }

std::string file_text(const fs::path& path) {
  std::ifstream in(path);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  while (!text.empty() && text.back() == '\n') {
    text.pop_back();
  }
  return text;
}

// Where the memory controller of version 1 is mounted; empty: nowhere.
fs::path memory_controller() {
  std::ifstream mounts("/proc/self/mounts");
  std::string device, place, type, options, rest;
  while (mounts >> device >> place >> type >> options && std::getline(mounts, rest)) {
    if (type == "cgroup" && ("," + options + ",").find(",memory,") != std::string::npos) {
      return place;
    }
  }
  return {};
}

uint64_t counter(const fs::path& file, const std::string& name) {
  std::ifstream in(file);
  std::string key;
  uint64_t value = 0;
  while (in >> key >> value) {
    if (key == name) {
      return value;
    }
  }
  throw std::runtime_error(file.string() + " has no " + name);
}

// What mkswap(8) writes into the first page. Linux: union swap_header.
std::array<char, 4096> swap_header(uint64_t bytes) {
  std::array<char, 4096> header{};
  const std::array<uint32_t, 2> version_and_last_page{1, static_cast<uint32_t>(bytes / 4096 - 1)};
  std::memcpy(header.data() + 1024, version_and_last_page.data(), sizeof version_and_last_page);
  std::memcpy(header.data() + header.size() - 10, "SWAPSPACE2", 10);
  return header;
}

class SwapFile {
 public:
  SwapFile(fs::path file, uint64_t bytes) : file_(std::move(file)) {
    const std::array<char, 4096> header = swap_header(bytes);
    const int fd = ::open(file_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    // No holes: the kernel wants to know each block.
    const std::vector<char> zeros(1 << 20);
    bool good = fd >= 0;
    for (uint64_t at = 0; good && at < bytes; at += zeros.size()) {
      good = ::pwrite(fd, zeros.data(), zeros.size(), static_cast<off_t>(at)) == static_cast<ssize_t>(zeros.size());
    }
    good = good && ::pwrite(fd, header.data(), header.size(), 0) == static_cast<ssize_t>(header.size()) &&
           ::fsync(fd) == 0;
    if (fd >= 0) {
      ::close(fd);
    }
    if (!good) {
      fs::remove(file_);
      die("cannot make " + file_.string());
    }
  }
  SwapFile(const SwapFile&) = delete;
  SwapFile& operator=(const SwapFile&) = delete;
  ~SwapFile() {
    off();
    std::error_code ignored;
    fs::remove(file_, ignored);
  }
  void on() {
    if (::swapon(file_.c_str(), 0) != 0) {
      die("cannot swap to " + file_.string());
    }
    on_ = true;
  }
  void off() {
    if (on_ && ::swapoff(file_.c_str()) == 0) {
      on_ = false;
    }
  }

 private:
  fs::path file_;
  bool on_ = false;
};

class Group {
 public:
  explicit Group(uint64_t limit) : path_(memory_controller() / fmt::format("faultline-reclaim-{}", ::getpid())) {
    if (::mkdir(path_.c_str(), 0755) != 0) {
      die("cannot make " + path_.string());
    }
    std::ofstream(path_ / "memory.limit_in_bytes") << limit << std::flush;
    if (file_text(path_ / "memory.limit_in_bytes") != std::to_string(limit)) {
      ::rmdir(path_.c_str());
      throw std::runtime_error("cannot set the limit of " + path_.string());
    }
  }
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;
  ~Group() { ::rmdir(path_.c_str()); }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

// In the child: async-signal-safe calls only. An empty group: none.
[[noreturn]] void become(const std::string& members, char* const* argv, int out) {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(0, &one);
  ::sched_setaffinity(0, sizeof one, &one);
  const int fd = members.empty() ? -1 : ::open(members.c_str(), O_WRONLY | O_CLOEXEC);
  if (!members.empty() && (fd < 0 || ::write(fd, "0", 1) != 1)) {
    ::_exit(126);
  }
  ::dup2(out, STDOUT_FILENO);
  ::execv(argv[0], argv);
  ::_exit(127);
}

Measured run_once(const fs::path& program, const std::vector<std::string>& args, const std::string& members) {
  std::vector<std::string> words{program.string()};
  words.insert(words.end(), args.begin(), args.end());
  std::vector<char*> argv;
  for (std::string& word : words) {
    argv.push_back(word.data());
  }
  argv.push_back(nullptr);
  std::array<int, 2> ends;
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    die("pipe");
  }
  const uint64_t swap_ins = counter("/proc/vmstat", "pswpin");
  const auto start = std::chrono::steady_clock::now();
  const pid_t pid = ::fork();
  if (pid == 0) {
    become(members, argv.data(), ends[1]);
  }
  ::close(ends[1]);
  Measured measured;
  std::array<char, 4096> buffer;
  for (ssize_t got; (got = ::read(ends[0], buffer.data(), buffer.size())) > 0;) {
    measured.output.append(buffer.data(), static_cast<size_t>(got));
  }
  ::close(ends[0]);
  int status = 0;
  rusage usage{};
  if (pid < 0 || ::wait4(pid, &status, 0, &usage) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    throw std::runtime_error(fmt::format("{} {}: wait status {:#x}", program.string(), args.at(0), status));
  }
  measured.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  measured.majors = static_cast<uint64_t>(usage.ru_majflt);
  measured.swap_ins = counter("/proc/vmstat", "pswpin") - swap_ins;
  return measured;
}

// The i386 program, or the same for 64 bits where the kernel runs no other: its data and accesses are the same.
std::pair<fs::path, std::string> find_program(const fs::path& programs) {
  for (const char* flavour : {"glibc", "x86-64"}) {
    const fs::path program = programs / flavour / "access_patterns";
    try {
      if (fs::exists(program)) {
        run_once(program, {"looped", "16", "1"}, "");
        return {program, flavour};
      }
    } catch (const std::runtime_error&) {
    }
  }
  throw std::runtime_error("no access_patterns in " + programs.string() + " that this host can run");
}

// What the device of the folder takes for a write of `bytes` at a random place, in microseconds: the median of many.
double write_time_us(const fs::path& folder, size_t bytes) {
  constexpr size_t kArea = 64u << 20;
  constexpr int kWrites = 200;
  const fs::path file = folder / "latency";
  const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_DIRECT, 0600);
  const std::unique_ptr<void, decltype(&std::free)> buffer(std::aligned_alloc(4096, bytes), &std::free);
  std::memset(buffer.get(), 1, bytes);
  bool good = fd >= 0;
  for (size_t at = 0; good && at < kArea; at += bytes) {
    good = ::pwrite(fd, buffer.get(), bytes, static_cast<off_t>(at)) == static_cast<ssize_t>(bytes);
  }
  std::vector<double> times;
  std::minstd_rand random;
  while (good && times.size() < kWrites) {
    const auto at = static_cast<off_t>(random() % (kArea / bytes) * bytes);
    const auto start = std::chrono::steady_clock::now();
    good = ::pwrite(fd, buffer.get(), bytes, at) == static_cast<ssize_t>(bytes);
    times.push_back(std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count());
  }
  if (fd >= 0) {
    ::close(fd);
  }
  fs::remove(file);
  if (!good) {
    die("cannot measure the device of " + folder.string());
  }
  std::nth_element(times.begin(), times.begin() + kWrites / 2, times.end());
  return times[kWrites / 2];
}

// The device as --disk takes it: what a request takes beside its bytes, and how many bytes go in a second.
std::string disk_model(const fs::path& folder) {
  constexpr size_t kSmall = 4096, kLarge = 131072;
  const double small = write_time_us(folder, kSmall);
  const double large = write_time_us(folder, kLarge);
  const double us_per_byte = std::max(large - small, 1.0) / (kLarge - kSmall);
  return fmt::format("{:.0f},{:.0f}", std::max(small - us_per_byte * kSmall, 0.0), std::max(1 / us_per_byte, 1.0));
}

// What may matter; "none" for what this kernel has not.
std::map<std::string, std::string> describe_host(const fs::path& swap_folder, const std::string& flavour) {
  const auto text_or_none = [](const fs::path& path) { return fs::exists(path) ? file_text(path) : "none"; };
  utsname name{};
  ::uname(&name);
  struct stat at {};
  ::stat(swap_folder.c_str(), &at);
  const fs::path device = fmt::format("/sys/dev/block/{}:{}", major(at.st_dev), minor(at.st_dev));
  const fs::path queue = fs::exists(device / "queue") ? device / "queue" : device / "../queue";
  return {{"kernel", fmt::format("{} {}", name.release, name.machine)},
          {"program", flavour},
          {"cgroup", "version 1"},
          {"disk", disk_model(swap_folder)},
          {"rotational", text_or_none(queue / "rotational")},
          {"vm.swappiness", text_or_none("/proc/sys/vm/swappiness")},
          {"vm.page-cluster", text_or_none("/proc/sys/vm/page-cluster")},
          {"lru_gen", text_or_none("/sys/kernel/mm/lru_gen/enabled")},
          {"zswap", text_or_none("/sys/module/zswap/parameters/enabled")},
          {"transparent_hugepage", text_or_none("/sys/kernel/mm/transparent_hugepage/enabled")}};
}

}  // namespace

std::optional<std::string> cannot_measure() {
  if (::geteuid() != 0) {
    return "not root";
  }
  if (memory_controller().empty()) {
    return "the memory controller of cgroup version 1 is not mounted";
  }
  std::ifstream swaps("/proc/swaps");
  std::string line;
  std::getline(swaps, line);
  if (std::getline(swaps, line)) {
    return "swap is on already: " + line;
  }
  return std::nullopt;
}

NativeRecord measure(const PatternTable& table, const NativeOptions& options) {
  const auto [program, flavour] = find_program(options.programs);
  fs::create_directories(options.work);
  NativeRecord record;
  record.host = describe_host(options.work, flavour);
  record.setting = table.setting;
  SwapFile swap(options.work / "swap", table.setting.swap_bytes);
  for (const Pattern& pattern : table.patterns) {
    NativeRecord::Runs& runs = record.patterns[pattern.name];
    runs.args = pattern.args;
    for (int run = 0; run < options.runs; ++run) {
      swap.on();
      {
        const Group group(table.setting.limit_bytes);
        runs.runs.push_back(run_once(program, pattern.args, (group.path() / "cgroup.procs").string()));
      }
      swap.off();
      const Measured& last = runs.runs.back();
      fmt::print(stderr, "{} run {}: majors {}, swap-ins {}, {:.1f} s\n", pattern.name, run + 1, last.majors,
                 last.swap_ins, last.seconds);
    }
  }
  return record;
}

}  // namespace fl::test
