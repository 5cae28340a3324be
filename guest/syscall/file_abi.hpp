// The structures in which i386 Linux tells about files, and how they are filled. Linux counterparts: asm/stat.h (struct
// stat, struct stat64), linux/stat.h (struct statx), asm/statfs.h; cp_new_stat, cp_new_stat64, cp_statx,
// put_compat_statfs.
#pragma once

#include <array>
#include <cstdint>

#include "guest/fs/file_stat.hpp"
#include "guest/fs/open_file.hpp"
#include "mmu/base/result.hpp"

namespace fl::guest {

// struct stat of the calls stat, lstat, fstat (106-108).
struct Stat32 {
  uint32_t dev, ino;
  uint16_t mode, nlink, uid, gid;
  uint32_t rdev, size, blksize, blocks;
  uint32_t atime, atime_nsec, mtime, mtime_nsec, ctime, ctime_nsec;
  uint32_t unused[2];
};
static_assert(sizeof(Stat32) == 64);

struct [[gnu::packed]] Stat64 {
  uint64_t dev;
  uint8_t pad0[4];
  uint32_t short_ino;
  uint32_t mode, nlink, uid, gid;
  uint64_t rdev;
  uint8_t pad3[4];
  uint64_t size;
  uint32_t blksize;
  uint64_t blocks;
  uint32_t atime, atime_nsec, mtime, mtime_nsec, ctime, ctime_nsec;
  uint64_t ino;
};
static_assert(sizeof(Stat64) == 96);

struct StatxTime {
  int64_t seconds;
  uint32_t nanoseconds;
  int32_t reserved;
};
struct Statx {
  uint32_t mask, blksize;
  uint64_t attributes;
  uint32_t nlink, uid, gid;
  uint16_t mode, spare0;
  uint64_t ino, size, blocks, attributes_mask;
  StatxTime atime, btime, ctime, mtime;
  uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
  uint64_t spare2[14];
};
static_assert(sizeof(Statx) == 256);

struct Statfs32 {
  uint32_t type, bsize, blocks, bfree, bavail, files, ffree;
  uint32_t fsid[2];
  uint32_t namelen, frsize, flags;
  uint32_t spare[4];
};
static_assert(sizeof(Statfs32) == 64);

struct [[gnu::packed]] Statfs64 {
  uint32_t type, bsize;
  uint64_t blocks, bfree, bavail, files, ffree;
  uint32_t fsid[2];
  uint32_t namelen, frsize, flags;
  uint32_t spare[4];
};
static_assert(sizeof(Statfs64) == 84);

// EOVERFLOW where a value does not fit, as Linux says.
Result<Stat32> to_stat32(const FileStat& stat);
Stat64 to_stat64(const FileStat& stat);
Statx to_statx(const FileStat& stat);
Result<Statfs32> to_statfs32(const FsStat& stat);
Statfs64 to_statfs64(const FsStat& stat);

}  // namespace fl::guest
