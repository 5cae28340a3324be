// What the host can do, files that look the same in every page cache, and majority votes. See native_run.hpp.
#include "tests/program/support/native_run.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>
#include <stdexcept>
#include <system_error>
#include <tuple>

namespace fl::test {
namespace fs = std::filesystem;
namespace {

constexpr size_t kPage = 4096;

// Writes page by page into a fresh file: an old one could keep its large folios.
class PageWriter {
 public:
  PageWriter(const fs::path& path, mode_t mode) : path_(path) {
    fs::remove(path);
    fd_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    check(fd_ >= 0);
  }
  PageWriter(const PageWriter&) = delete;
  PageWriter& operator=(const PageWriter&) = delete;
  ~PageWriter() { ::close(fd_); }
  void write(const char* bytes, size_t size) { check(::write(fd_, bytes, size) == static_cast<ssize_t>(size)); }

 private:
  void check(bool good) const {
    if (!good) {
      throw std::system_error(errno, std::generic_category(), path_.string());
    }
  }
  fs::path path_;
  int fd_ = -1;
};

class ScratchFolder {
 public:
  ScratchFolder() : path_(fs::path(FL_BINARY_DIR) / "scratch" / std::to_string(::getpid())) {
    fs::create_directories(path_);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  ~ScratchFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

}  // namespace

const fs::path& scratch() {
  static const ScratchFolder folder;
  return folder.path();
}

bool scratch_is_ext4() {
  struct statfs info {};
  return ::statfs(scratch().c_str(), &info) == 0 && info.f_type == 0xEF53;
}

bool host_is_linux_6_18() {
  utsname name{};
  return ::uname(&name) == 0 && std::strncmp(name.release, "6.18", 4) == 0;
}

bool host_runs_i386() {
  static const bool runs = [] {
    const fs::path program = guest_program("nolibc", "nolibc");
    if (program.empty()) {
      return false;
    }
    try {
      return run_process({.program = program}).exit_status == 0;
    } catch (const std::system_error&) {
      return false;
    }
  }();
  return runs;
}

void copy_page_by_page(const fs::path& from, const fs::path& to) {
  std::ifstream in(from, std::ios::binary);
  if (!in) {
    throw std::runtime_error("cannot read " + from.string());
  }
  PageWriter out(to, static_cast<mode_t>(fs::status(from).permissions()));
  std::array<char, kPage> page{};
  while (in.read(page.data(), page.size()), in.gcount() > 0) {
    out.write(page.data(), static_cast<size_t>(in.gcount()));
  }
}

fs::path guest_program(std::string_view flavour, std::string_view name) {
  const fs::path built = fs::path(FL_GUEST_PROGRAMS) / flavour / name;
  if (!fs::exists(built)) {
    return {};
  }
  const fs::path copy = scratch() / flavour / name;
  if (!fs::exists(copy)) {
    fs::create_directories(copy.parent_path());
    copy_page_by_page(built, copy);
  }
  return copy;
}

fs::path make_data_file(std::string_view name) {
  constexpr uint32_t kFilePages = 300;
  fs::path path = scratch() / name;
  PageWriter out(path, 0644);
  std::array<char, kPage> page{};
  for (uint32_t i = 0; i < kFilePages; ++i) {
    std::memcpy(page.data(), &i, sizeof i);
    out.write(page.data(), page.size());
  }
  return path;
}

RunResult mode_of_runs(const RunSpec& spec, int runs) {
  (void)run_process(spec);
  std::map<std::tuple<long, long, std::string>, std::pair<int, RunResult>> seen;
  for (int i = 0; i < runs; ++i) {
    RunResult result = run_process(spec);
    auto& [count, kept] = seen[{result.minflt, result.majflt, result.output}];
    if (++count == 1) {
      kept = std::move(result);
    }
  }
  const auto best = std::max_element(seen.begin(), seen.end(),
                                     [](const auto& a, const auto& b) { return a.second.first < b.second.first; });
  return best->second.second;
}

}  // namespace fl::test
