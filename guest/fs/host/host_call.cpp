// Host system calls on descriptors, translated.
#include "guest/fs/host/host_call.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstring>

namespace fl::guest {
namespace {

// Younger than Debian 12's headers.
constexpr long kFchmodat2 = 452;

timespec to_host(const TimeChange& change) {
  switch (change.kind) {
    case TimeChange::Kind::kNow:
      return {0, UTIME_NOW};
    case TimeChange::Kind::kOmit:
      return {0, UTIME_OMIT};
    case TimeChange::Kind::kSet:
      break;
  }
  return {change.time.seconds, static_cast<long>(change.time.nanoseconds)};
}

}  // namespace

Result<FsStat> statfs_host_fd(int fd) {
  struct statfs host {};
  FL_TRY(host_status(::fstatfs(fd, &host)));
  FsStat stat;
  stat.type = static_cast<uint32_t>(host.f_type);
  stat.block_size = static_cast<uint64_t>(host.f_bsize);
  stat.blocks = host.f_blocks;
  stat.blocks_free = host.f_bfree;
  stat.blocks_available = host.f_bavail;
  stat.files = host.f_files;
  stat.files_free = host.f_ffree;
  static_assert(sizeof host.f_fsid == sizeof stat.fsid);
  std::memcpy(&stat.fsid, &host.f_fsid, sizeof stat.fsid);
  stat.name_length = static_cast<uint64_t>(host.f_namelen);
  stat.fragment_size = static_cast<uint64_t>(host.f_frsize);
  stat.flags = static_cast<uint64_t>(host.f_flags);
  return stat;
}

Status chmod_host_fd(int fd, uint32_t mode) {
  mode &= FileMode::kPermissions;
  if (::syscall(kFchmodat2, fd, "", mode, AT_EMPTY_PATH) == 0) {
    return {};
  }
  if (errno != ENOSYS) {
    return fail(errno_from_host(errno));
  }
  // Before Linux 6.6 an O_PATH descriptor can be named only through our own /proc.
  return host_status(::chmod(fmt::format("/proc/self/fd/{}", fd).c_str(), mode));
}

Status chown_host_fd(int fd, uint32_t uid, uint32_t gid) {
  return host_status(::fchownat(fd, "", uid, gid, AT_EMPTY_PATH));
}

Status set_times_host_fd(int fd, const TimeChanges& times) {
  const std::array<timespec, 2> host = {to_host(times.access), to_host(times.modification)};
  return host_status(::utimensat(fd, "", host.data(), AT_EMPTY_PATH));
}

}  // namespace fl::guest
