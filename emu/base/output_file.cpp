// Buffered output with write(2): partial writes are continued, EINTR is tried again, every other error is kept.
#include "emu/base/output_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace fl::emu {

OutputFile::OutputFile(int fd, std::string path, std::string_view what)
    : fd_(fd), path_(std::move(path)), what_(what), buffer_(new char[kBuffer]) {}

HostResult<std::unique_ptr<OutputFile>> OutputFile::create(const std::string& path, std::string_view what) {
  State state = State::kMade;
  int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd < 0 && errno == EEXIST) {
    state = State::kFound;
    fd = open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  }
  if (fd < 0) {
    return host_error("cannot create the {}: {}: {}", what, path, std::strerror(errno));
  }
  std::unique_ptr<OutputFile> file(new OutputFile(fd, path, what));
  file->state_ = state;
  return file;
}

HostResult<std::unique_ptr<OutputFile>> OutputFile::on_descriptor(int fd, std::string_view what) {
  const int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  if (copy < 0) {
    return host_error("cannot write the {}: descriptor {}: {}", what, fd, std::strerror(errno));
  }
  return std::unique_ptr<OutputFile>(new OutputFile(copy, fmt::format("descriptor {}", fd), what));
}

OutputFile::~OutputFile() {
  if (fd_ < 0) {
    return;
  }
  if (state_ == State::kBegun) {
    flush();
  } else if (state_ == State::kMade) {
    ::unlink(path_.c_str());
  }
  ::close(fd_);
}

void OutputFile::append(std::string_view text) {
  while (!text.empty()) {
    const size_t part = std::min(text.size(), kBuffer);
    char* at = reserve(part);
    std::memcpy(at, text.data(), part);
    commit(at + part);
    text.remove_prefix(part);
  }
}

void OutputFile::begin() {
  if (state_ == State::kFound) {
    struct stat found {};
    // Devices and pipes have nothing to cut.
    if (fstat(fd_, &found) == 0 && S_ISREG(found.st_mode) && ftruncate(fd_, 0) != 0) {
      error_ = errno;
    }
  }
  state_ = State::kBegun;
}

void OutputFile::flush() {
  begin();
  size_t done = 0;
  while (done < used_ && error_ == 0) {
    const ssize_t written = write(fd_, buffer_.get() + done, used_ - done);
    if (written >= 0) {
      done += static_cast<size_t>(written);
    } else if (errno != EINTR) {
      error_ = errno;
    }
  }
  used_ = 0;
}

HostError OutputFile::error() const {
  return HostError{fmt::format("cannot write the {}: {}: {}", what_, path_, std::strerror(error_))};
}

HostStatus OutputFile::close() {
  if (fd_ >= 0) {
    flush();
    if (::close(fd_) != 0 && error_ == 0) {
      error_ = errno;
    }
    fd_ = -1;
  }
  if (failed()) {
    return tl::unexpected<HostError>(error());
  }
  return {};
}

}  // namespace fl::emu
