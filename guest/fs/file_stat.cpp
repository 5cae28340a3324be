// From the host's struct statx to FileStat. Linux counterpart: vfs_getattr.
#include "guest/fs/file_stat.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

namespace fl::guest {
namespace {

FileTime time_from_host(const statx_timestamp& time) { return FileTime{time.tv_sec, time.tv_nsec}; }

}  // namespace

Result<FileStat> stat_host_fd(int fd) {
  struct statx host {};
  if (::statx(fd, "", AT_EMPTY_PATH | AT_NO_AUTOMOUNT, STATX_BASIC_STATS | STATX_BTIME, &host) != 0) {
    return fail(errno_from_host(errno));
  }
  FileStat stat;
  stat.dev = {host.stx_dev_major, host.stx_dev_minor};
  stat.ino = host.stx_ino;
  stat.mode = host.stx_mode;
  stat.nlink = host.stx_nlink;
  stat.uid = host.stx_uid;
  stat.gid = host.stx_gid;
  stat.rdev = {host.stx_rdev_major, host.stx_rdev_minor};
  stat.size = host.stx_size;
  stat.blksize = host.stx_blksize;
  stat.blocks = host.stx_blocks;
  stat.atime = time_from_host(host.stx_atime);
  stat.mtime = time_from_host(host.stx_mtime);
  stat.ctime = time_from_host(host.stx_ctime);
  stat.has_btime = (host.stx_mask & STATX_BTIME) != 0;
  if (stat.has_btime) {
    stat.btime = time_from_host(host.stx_btime);
  }
  stat.attributes = host.stx_attributes;
  stat.attributes_mask = host.stx_attributes_mask;
  return stat;
}

}  // namespace fl::guest
