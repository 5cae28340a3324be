// Reading a file for its hash.
#include "emu/base/content_hash.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace fl::emu {

HostResult<ContentHash> ContentHash::of_file(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return host_error("cannot read: {}: {}", path, std::strerror(errno));
  }
  ContentHash hash;
  std::array<char, 4096> page;
  ssize_t got = 0;
  while ((got = read(fd, page.data(), page.size())) > 0) {
    hash.add({page.data(), static_cast<size_t>(got)});
  }
  const int error = errno;
  close(fd);
  if (got < 0) {
    return host_error("cannot read: {}: {}", path, std::strerror(error));
  }
  return hash;
}

}  // namespace fl::emu
