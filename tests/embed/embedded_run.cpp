// The descriptors of embedded programs.
#include "tests/embed/embedded_run.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <iterator>
#include <system_error>

namespace fl::test {

StandardFiles::StandardFiles() {
  in_ = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (in_ < 0 || ::pipe2(out_.data(), O_CLOEXEC) != 0 || ::pipe2(err_.data(), O_CLOEXEC) != 0) {
    throw std::system_error(errno, std::generic_category(), "pipe");
  }
}

StandardFiles::~StandardFiles() {
  for (const int fd : {in_, out_[0], out_[1], err_[0], err_[1]}) {
    ::close(fd);
  }
}

std::string StandardFiles::drain(int fd) {
  std::string text(65536, '\0');
  ::fcntl(fd, F_SETFL, O_NONBLOCK);
  const ssize_t got = ::read(fd, text.data(), text.size());
  text.resize(got > 0 ? static_cast<size_t>(got) : 0);
  return text;
}

faultline::MachineOptions options_for(const std::filesystem::path& program, const std::vector<std::string>& arguments,
                                      const StandardFiles& files, const std::filesystem::path& trace) {
  return {.program = program.string(),
          .arguments = arguments,
          .environment = {"A=1"},
          .kernel = "6.18-compat",
          .standard_files = files.guest(),
          .trace = trace.string()};
}

std::string contents(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace fl::test
