// Reading and writing pages of swap files, and opening them.
#include "guest/fs/host/host_swap.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>

#include "vm/swap/swap_header.hpp"

namespace fl::guest {
namespace {

tl::unexpected<std::string> error_text(int error) { return tl::unexpected<std::string>(std::strerror(error)); }

// Without a name from the start, or at once after it was made.
UniqueFd unnamed_file(const std::string& directory) {
  UniqueFd fd(::open(directory.c_str(), O_TMPFILE | O_RDWR | O_EXCL | O_CLOEXEC, 0600));
  if (!fd.valid()) {
    std::string name = directory + "/faultline-swap-XXXXXX";
    fd = UniqueFd(::mkostemp(name.data(), O_CLOEXEC));
    if (fd.valid()) {
      ::unlink(name.c_str());
    }
  }
  return fd;
}

}  // namespace

uint64_t HostSwapStore::pages() const {
  struct stat now {};
  return ::fstat(fd_->get(), &now) == 0 ? static_cast<uint64_t>(now.st_size) >> kPageShift : 0;
}

Status HostSwapStore::read_page(uint32_t offset, std::span<std::byte, 4096> bytes) {
  size_t done = 0;
  while (done < bytes.size()) {
    const off_t at = static_cast<off_t>((uint64_t{offset} << kPageShift) + done);
    const ssize_t got = ::pread(fd_->get(), bytes.data() + done, bytes.size() - done, at);
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got <= 0) {
      return fail(Errno::kEIO);
    }
    done += static_cast<size_t>(got);
  }
  return {};
}

Status HostSwapStore::write_page(uint32_t offset, std::span<const std::byte, 4096> bytes) {
  if (!holds(offset)) {
    return fail(Errno::kEIO);
  }
  size_t done = 0;
  while (done < bytes.size()) {
    const off_t at = static_cast<off_t>((uint64_t{offset} << kPageShift) + done);
    const ssize_t put = ::pwrite(fd_->get(), bytes.data() + done, bytes.size() - done, at);
    if (put < 0 && errno == EINTR) {
      continue;
    }
    if (put <= 0) {
      return fail(Errno::kEIO);  // ENOSPC too: to the guest the disk is broken
    }
    done += static_cast<size_t>(put);
  }
  return {};
}

tl::expected<std::shared_ptr<vm::SwapStore>, std::string> make_swap_file(uint64_t bytes) {
  const char* const named = std::getenv("TMPDIR");
  UniqueFd fd = unnamed_file(named != nullptr && *named != '\0' ? named : "/tmp");
  std::array<std::byte, 4096> header;
  vm::make_swap_header(header, static_cast<uint32_t>(bytes >> kPageShift));
  if (!fd.valid() || ::ftruncate(fd.get(), static_cast<off_t>(bytes)) != 0) {
    return error_text(errno);
  }
  const auto stat = stat_host_fd(fd.get());
  if (!stat) {
    return error_text(static_cast<int>(stat.error()));
  }
  auto store = std::make_shared<HostSwapStore>(std::make_shared<const UniqueFd>(std::move(fd)),
                                               vm::SwapKind::kPartition, HostInodeKey::of(*stat));
  if (!store->write_page(0, header)) {
    return error_text(errno);
  }
  return store;
}

tl::expected<SwapDevice, std::string> open_swap_file(const std::string& path) {
  // Not blocking: it may be a FIFO.
  auto fd = std::make_shared<const UniqueFd>(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!fd->valid()) {
    return error_text(errno);
  }
  const auto stat = stat_host_fd(fd->get());
  if (!stat) {
    return error_text(static_cast<int>(stat.error()));
  }
  if (!stat->is_regular()) {
    return tl::unexpected<std::string>("not a regular file");
  }
  if (::flock(fd->get(), LOCK_EX | LOCK_NB) != 0) {
    return tl::unexpected<std::string>("in use by another process");
  }
  std::array<char, PATH_MAX> name;
  const ssize_t length = ::readlink(fmt::format("/proc/self/fd/{}", fd->get()).c_str(), name.data(), name.size());
  if (length < 0) {
    return error_text(errno);
  }
  auto store = std::make_shared<HostSwapStore>(fd, vm::SwapKind::kFile, HostInodeKey::of(*stat));
  if (const auto layout = vm::read_swap_header(*store); !layout) {
    return tl::unexpected<std::string>(std::string(layout.error()));
  }
  return SwapDevice{std::string(name.data(), static_cast<size_t>(length)), std::move(store)};
}

}  // namespace fl::guest
