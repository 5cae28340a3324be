// What is known about a file, wide enough for every stat structure of i386. Linux counterpart: struct kstat.
//
// The values are Linux's on every architecture (S_IF*, mode bits); device numbers are kept as major and minor, because
// each stat structure packs them in its own way.
#pragma once

#include <cstdint>

#include "mmu/base/result.hpp"

struct statx;

namespace fl::guest {

// S_IFMT and friends (inode(7)).
struct FileMode {
  enum Bit : uint32_t {
    kTypeMask = 0170000,
    kSocket = 0140000,
    kSymlink = 0120000,
    kRegular = 0100000,
    kBlock = 0060000,
    kDirectory = 0040000,
    kCharacter = 0020000,
    kFifo = 0010000,
    kPermissions = 07777,
  };
};

struct FileTime {
  int64_t seconds = 0;
  uint32_t nanoseconds = 0;
};

struct DeviceNumber {
  uint32_t major = 0;
  uint32_t minor = 0;
  bool operator==(const DeviceNumber&) const = default;
  // The one-word form that getdents, /proc/PID/maps and the inode table use as an identity.
  uint64_t word() const { return uint64_t{major} << 32 | minor; }
};

struct FileStat {
  DeviceNumber dev;
  uint64_t ino = 0;
  uint32_t mode = 0;
  uint32_t nlink = 1;
  uint32_t uid = 0;
  uint32_t gid = 0;
  DeviceNumber rdev;
  uint64_t size = 0;
  uint32_t blksize = 4096;
  uint64_t blocks = 0;  // of 512 bytes
  FileTime atime, mtime, ctime, btime;
  bool has_btime = false;
  uint64_t attributes = 0;       // STATX_ATTR_*
  uint64_t attributes_mask = 0;  // which of them the file system knows

  uint32_t type() const { return mode & FileMode::kTypeMask; }
  bool is_directory() const { return type() == FileMode::kDirectory; }
  bool is_regular() const { return type() == FileMode::kRegular; }
  bool is_symlink() const { return type() == FileMode::kSymlink; }
};

// The host's answer for an open descriptor (O_PATH will do). Source: statx(2) with AT_EMPTY_PATH.
Result<FileStat> stat_host_fd(int fd);

}  // namespace fl::guest
