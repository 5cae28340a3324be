// Making the folder and writing page by page.
#include "emu/compare/suite_files.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>

namespace fl::emu {
namespace fs = std::filesystem;
namespace {

constexpr size_t kPage = 4096;
constexpr uint32_t kDataPages = 300;

tl::unexpected<HostError> cannot_write(const fs::path& path) {
  return host_error("cannot write the suite's file: {}: {}", path.string(), std::strerror(errno));
}

// A fresh file: an old one could keep its large folios. Closed by close() or the destructor.
class PageWriter {
 public:
  PageWriter(const fs::path& path, mode_t mode) {
    std::error_code ignored;
    fs::remove(path, ignored);
    fd_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  }
  PageWriter(const PageWriter&) = delete;
  PageWriter& operator=(const PageWriter&) = delete;
  ~PageWriter() { close(); }
  bool write(const char* bytes, size_t size) {
    return fd_ >= 0 && ::write(fd_, bytes, size) == static_cast<ssize_t>(size);
  }
  // execve refuses a file that is open for writing.
  bool close() {
    const bool good = fd_ >= 0 && ::close(fd_) == 0;
    fd_ = -1;
    return good;
  }

 private:
  int fd_;
};

HostStatus copy_page_by_page(const fs::path& from, const fs::path& to, mode_t mode) {
  std::ifstream in(from, std::ios::binary);
  if (!in) {
    return host_error("cannot read: {}", from.string());
  }
  PageWriter out(to, mode);
  std::array<char, kPage> page{};
  while (in.read(page.data(), page.size()), in.gcount() > 0) {
    if (!out.write(page.data(), static_cast<size_t>(in.gcount()))) {
      return cannot_write(to);
    }
  }
  return out.close() ? HostStatus() : cannot_write(to);
}

}  // namespace

HostResult<std::unique_ptr<SuiteFiles>> SuiteFiles::open(const std::string& path) {
  // Nobody else may put files where root is about to run them.
  if (mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) {
    return host_error("cannot make the suite's folder: {}: {}", path, std::strerror(errno));
  }
  struct stat status {};
  if (lstat(path.c_str(), &status) != 0 || !S_ISDIR(status.st_mode) || status.st_uid != geteuid() ||
      (status.st_mode & 022) != 0) {
    return host_error(
        "cannot use the suite's folder: {}: it is not a folder that only you can write to: give --scratch", path);
  }
  const int lock = ::open((path + "/.lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) != 0) {
    fmt::print(stderr, "faultline: waiting: another suite is running in {}\n", path);
  }
  if (lock < 0 || flock(lock, LOCK_EX) != 0) {
    return host_error("cannot lock the suite's folder: {}: {}", path, std::strerror(errno));
  }
  return std::unique_ptr<SuiteFiles>(new SuiteFiles(path, lock));
}

SuiteFiles::~SuiteFiles() { ::close(lock_); }

bool SuiteFiles::is_ext4() const {
  struct statfs info {};
  constexpr decltype(info.f_type) kExt4 = 0xEF53;
  return statfs(path_.c_str(), &info) == 0 && info.f_type == kExt4;
}

HostResult<std::string> SuiteFiles::add_program(const fs::path& from, const std::string& flavour,
                                                const std::string& name) {
  const fs::path to = path_ / flavour / name;
  std::error_code error;
  fs::create_directories(to.parent_path(), error);
  FL_HOST_TRY(copy_page_by_page(from, to, 0755));
  return to.string();
}

HostStatus SuiteFiles::add_inputs(const fs::path& from) {
  const fs::path to = path_ / "inputs";
  std::error_code error;
  fs::remove_all(to, error);
  fs::create_directory(to, error);
  if (!fs::is_directory(from, error)) {
    return {};
  }
  // 2020-01-01 00:00 UTC: programs print it.
  constexpr timespec kOld{1577836800, 0};
  const std::array<timespec, 2> times{kOld, kOld};
  for (const fs::directory_entry& entry : fs::directory_iterator(from, error)) {
    const fs::path copy = to / entry.path().filename();
    if (!entry.is_regular_file(error)) {
      continue;
    }
    FL_HOST_TRY(copy_page_by_page(entry.path(), copy, 0644));
    if (utimensat(AT_FDCWD, copy.c_str(), times.data(), 0) != 0) {
      return cannot_write(copy);
    }
  }
  return {};
}

HostResult<std::string> SuiteFiles::write_data() {
  const fs::path to = path_ / "data";
  PageWriter out(to, 0644);
  std::array<char, kPage> page{};
  for (uint32_t i = 0; i < kDataPages; ++i) {
    std::memcpy(page.data(), &i, sizeof i);
    if (!out.write(page.data(), page.size())) {
      return cannot_write(to);
    }
  }
  if (!out.close()) {
    return cannot_write(to);
  }
  return to.string();
}

}  // namespace fl::emu
