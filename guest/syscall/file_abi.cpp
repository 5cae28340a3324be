// Filling the i386 structures. See file_abi.hpp.
#include "guest/syscall/file_abi.hpp"

#include <limits>

namespace fl::guest {
namespace {

constexpr uint32_t kOverflowId = 65534;
constexpr uint32_t kStatxBasicStats = 0x7ff;
constexpr uint32_t kStatxBtime = 0x800;

// Linux: old_encode_dev.
uint32_t old_device(const DeviceNumber& device) { return device.major << 8 | device.minor; }
bool fits_old_device(const DeviceNumber& device) { return device.major < 256 && device.minor < 256; }
// Linux: huge_encode_dev.
uint64_t new_device(const DeviceNumber& device) {
  return (device.minor & 0xff) | uint64_t{device.major} << 8 | uint64_t{device.minor & ~0xffu} << 12;
}
uint16_t old_id(uint32_t id) { return static_cast<uint16_t>(id > 0xffff ? kOverflowId : id); }

StatxTime statx_time(const FileTime& time) { return {time.seconds, time.nanoseconds, 0}; }

}  // namespace

Result<Stat32> to_stat32(const FileStat& stat) {
  constexpr uint64_t kMaxSize = std::numeric_limits<int32_t>::max();
  const bool fits = fits_old_device(stat.dev) && fits_old_device(stat.rdev) && stat.size <= kMaxSize &&
                    stat.ino <= std::numeric_limits<uint32_t>::max() &&
                    stat.nlink <= std::numeric_limits<uint16_t>::max();
  if (!fits) {
    return fail(Errno::kEOVERFLOW);
  }
  Stat32 out{};
  out.dev = old_device(stat.dev);
  out.ino = static_cast<uint32_t>(stat.ino);
  out.mode = static_cast<uint16_t>(stat.mode);
  out.nlink = static_cast<uint16_t>(stat.nlink);
  out.uid = old_id(stat.uid);
  out.gid = old_id(stat.gid);
  out.rdev = old_device(stat.rdev);
  out.size = static_cast<uint32_t>(stat.size);
  out.blksize = stat.blksize;
  out.blocks = static_cast<uint32_t>(stat.blocks);
  out.atime = static_cast<uint32_t>(stat.atime.seconds);
  out.atime_nsec = stat.atime.nanoseconds;
  out.mtime = static_cast<uint32_t>(stat.mtime.seconds);
  out.mtime_nsec = stat.mtime.nanoseconds;
  out.ctime = static_cast<uint32_t>(stat.ctime.seconds);
  out.ctime_nsec = stat.ctime.nanoseconds;
  return out;
}

Stat64 to_stat64(const FileStat& stat) {
  Stat64 out{};
  out.dev = new_device(stat.dev);
  out.short_ino = static_cast<uint32_t>(stat.ino);
  out.mode = stat.mode;
  out.nlink = stat.nlink;
  out.uid = stat.uid;
  out.gid = stat.gid;
  out.rdev = new_device(stat.rdev);
  out.size = stat.size;
  out.blksize = stat.blksize;
  out.blocks = stat.blocks;
  out.atime = static_cast<uint32_t>(stat.atime.seconds);
  out.atime_nsec = stat.atime.nanoseconds;
  out.mtime = static_cast<uint32_t>(stat.mtime.seconds);
  out.mtime_nsec = stat.mtime.nanoseconds;
  out.ctime = static_cast<uint32_t>(stat.ctime.seconds);
  out.ctime_nsec = stat.ctime.nanoseconds;
  out.ino = stat.ino;
  return out;
}

Statx to_statx(const FileStat& stat) {
  Statx out{};
  out.mask = kStatxBasicStats | (stat.has_btime ? kStatxBtime : 0);
  out.blksize = stat.blksize;
  out.attributes = stat.attributes;
  out.nlink = stat.nlink;
  out.uid = stat.uid;
  out.gid = stat.gid;
  out.mode = static_cast<uint16_t>(stat.mode);
  out.ino = stat.ino;
  out.size = stat.size;
  out.blocks = stat.blocks;
  out.attributes_mask = stat.attributes_mask;
  out.atime = statx_time(stat.atime);
  out.btime = statx_time(stat.btime);
  out.ctime = statx_time(stat.ctime);
  out.mtime = statx_time(stat.mtime);
  out.rdev_major = stat.rdev.major;
  out.rdev_minor = stat.rdev.minor;
  out.dev_major = stat.dev.major;
  out.dev_minor = stat.dev.minor;
  return out;
}

Result<Statfs32> to_statfs32(const FsStat& stat) {
  constexpr uint64_t kAllOnes = ~uint64_t{0};
  const auto wide = [](uint64_t value) { return value >> 32 != 0; };
  // Numbers of files may be "unknown", all bits set, in any width.
  if (wide(stat.blocks | stat.blocks_free | stat.blocks_available | stat.block_size | stat.fragment_size) ||
      (stat.files != kAllOnes && wide(stat.files)) || (stat.files_free != kAllOnes && wide(stat.files_free))) {
    return fail(Errno::kEOVERFLOW);
  }
  Statfs32 out{};
  out.type = static_cast<uint32_t>(stat.type);
  out.bsize = static_cast<uint32_t>(stat.block_size);
  out.blocks = static_cast<uint32_t>(stat.blocks);
  out.bfree = static_cast<uint32_t>(stat.blocks_free);
  out.bavail = static_cast<uint32_t>(stat.blocks_available);
  out.files = static_cast<uint32_t>(stat.files);
  out.ffree = static_cast<uint32_t>(stat.files_free);
  out.fsid[0] = static_cast<uint32_t>(stat.fsid);
  out.fsid[1] = static_cast<uint32_t>(stat.fsid >> 32);
  out.namelen = static_cast<uint32_t>(stat.name_length);
  out.frsize = static_cast<uint32_t>(stat.fragment_size);
  out.flags = static_cast<uint32_t>(stat.flags);
  return out;
}

Statfs64 to_statfs64(const FsStat& stat) {
  Statfs64 out{};
  out.type = static_cast<uint32_t>(stat.type);
  out.bsize = static_cast<uint32_t>(stat.block_size);
  out.blocks = stat.blocks;
  out.bfree = stat.blocks_free;
  out.bavail = stat.blocks_available;
  out.files = stat.files;
  out.ffree = stat.files_free;
  out.fsid[0] = static_cast<uint32_t>(stat.fsid);
  out.fsid[1] = static_cast<uint32_t>(stat.fsid >> 32);
  out.namelen = static_cast<uint32_t>(stat.name_length);
  out.frsize = static_cast<uint32_t>(stat.fragment_size);
  out.flags = static_cast<uint32_t>(stat.flags);
  return out;
}

}  // namespace fl::guest
