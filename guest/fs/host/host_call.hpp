// Small wrappers that the files of the host share: an errno as Result, statfs, and the calls that change a file's mode,
// owner or times through any descriptor.
#pragma once

#include <cerrno>

#include "guest/fs/open_file.hpp"
#include "mmu/base/result.hpp"

namespace fl::guest {

// Status of a host call that answers -1 and errno.
inline Status host_status(long result) { return result < 0 ? Status(fail(errno_from_host(errno))) : Status{}; }

Result<FsStat> statfs_host_fd(int fd);
// Work on O_PATH descriptors too. Sources: fchmodat2(2), fchownat(2), utimensat(2) with AT_EMPTY_PATH.
Status chmod_host_fd(int fd, uint32_t mode);
Status chown_host_fd(int fd, uint32_t uid, uint32_t gid);
Status set_times_host_fd(int fd, const TimeChanges& times);

}  // namespace fl::guest
