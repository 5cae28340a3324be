// openat2's RESOLVE flags, extended attributes, locks by fcntl and flock, sizes of pipes, O_TMPFILE, mknod: what the
// calls answer.
#include "guest/fs/lock_table.hpp"
#include "tests/unit/guest/fs_kernel.hpp"

namespace fl::guest::test {
namespace {

constexpr uint32_t kMknod = 14, kChroot = 61, kFlock = 143, kSetxattr = 226, kGetxattr = 229, kListxattr = 232,
                   kSyncFileRange = 314, kOpenat2 = 437, kPwritev2 = 379;
constexpr uint32_t kAtCwd = static_cast<uint32_t>(-100);
constexpr int32_t kEagain = -11, kEbadf = -9, kEinval = -22, kEloop = -40, kEnoent = -2, kEperm = -1, kExdev = -18,
                  kE2big = -7, kEopnotsupp = -95, kErange = -34, kEisdir = -21;

struct OpenHow {
  uint64_t flags = 0, mode = 0, resolve = 0;
};

int32_t openat2(FsKernel& machine, uint32_t dirfd, const char* path, const OpenHow& how, uint32_t size = 24) {
  REQUIRE(machine.task->user().put(VirtAddr(kData + 0x200), how));
  return machine.call(kOpenat2, {dirfd, machine.string(path), kData + 0x200, size});
}

struct [[gnu::packed]] Flock64 {
  int16_t type = 0, whence = 0;
  int64_t start = 0, length = 0;
  int32_t pid = 0;
};

int32_t lock(FsKernel& machine, uint32_t fd, uint32_t command, const Flock64& lock) {
  REQUIRE(machine.task->user().put(VirtAddr(kData + 0x200), lock));
  return machine.call(Nr::kFcntl64, {fd, command, kData + 0x200});
}

}  // namespace

TEST_CASE("fs calls: openat2 keeps a walk where it was told to stay") {
  FsKernel machine;
  constexpr uint64_t kNoXdev = 1, kNoMagic = 2, kNoSymlinks = 4, kBeneath = 8, kInRoot = 16;
  std::filesystem::create_symlink("/ro/file", machine.base / "root/rw/absolute");
  std::filesystem::create_symlink("../ro/file", machine.base / "root/rw/relative");
  std::filesystem::create_symlink("file", machine.base / "root/rw/here");
  const auto dir = static_cast<uint32_t>(machine.call(Nr::kOpen, {machine.string("/rw"), OpenFlag::kDirectory}));
  CHECK(openat2(machine, dir, "file", {}) > 0);
  CHECK(openat2(machine, dir, "here", {0, 0, kBeneath}) > 0);
  CHECK(openat2(machine, dir, "sub/../file", {0, 0, kBeneath}) > 0);
  CHECK(openat2(machine, dir, "../ro/file", {0, 0, kBeneath}) == kExdev);
  CHECK(openat2(machine, dir, "/rw/file", {0, 0, kBeneath}) == kExdev);
  CHECK(openat2(machine, dir, "absolute", {0, 0, kBeneath}) == kExdev);
  CHECK(openat2(machine, dir, "relative", {0, 0, kBeneath}) == kExdev);
  CHECK(openat2(machine, dir, "absolute", {0, 0, kInRoot}) == kEnoent);
  CHECK(openat2(machine, dir, "/file", {0, 0, kInRoot}) > 0);
  CHECK(openat2(machine, dir, "../../file", {0, 0, kInRoot}) > 0);
  CHECK(openat2(machine, dir, "here", {0, 0, kNoSymlinks}) == kEloop);
  CHECK(openat2(machine, dir, "file", {0, 0, kNoSymlinks}) > 0);
  CHECK(openat2(machine, kAtCwd, "/proc/self/fd/0", {0, 0, kNoMagic}) < 0);
  CHECK(openat2(machine, kAtCwd, "/tmp", {0, 0, kNoXdev}) == kExdev);
  CHECK(openat2(machine, kAtCwd, "/ro/file", {0, 0, kNoXdev}) > 0);
  CHECK(openat2(machine, dir, "new", {OpenFlag::kCreate | OpenFlag::kWriteOnly, 0600, kBeneath}) > 0);
  CHECK(std::filesystem::exists(machine.base / "root/rw/new"));
  CHECK(openat2(machine, dir, "../new", {OpenFlag::kCreate | OpenFlag::kWriteOnly, 0600, kBeneath}) == kExdev);
  // The structure.
  CHECK(openat2(machine, dir, "file", {0, 0, kBeneath | kInRoot}) == kEinval);
  CHECK(openat2(machine, dir, "file", {0, 0600, 0}) == kEinval);
  CHECK(openat2(machine, dir, "file", {uint64_t{1} << 40, 0, 0}) == kEinval);
  CHECK(openat2(machine, dir, "file", {0, 0, 64}) == kEinval);
  CHECK(openat2(machine, dir, "file", {OpenFlag::kPath | OpenFlag::kTruncate, 0, 0}) == kEinval);
  CHECK(openat2(machine, dir, "file", {}, 23) == kEinval);
  CHECK(openat2(machine, dir, "file", {}, 4097) == kE2big);
  REQUIRE(machine.task->user().put(VirtAddr(kData + 0x218), uint64_t{1}));
  CHECK(openat2(machine, dir, "file", {}, 32) == kE2big);
}

TEST_CASE("fs calls: no file has extended attributes") {
  FsKernel machine;
  const uint32_t value = kData + 0x300;
  const auto with_name = [&](const char* name) {
    REQUIRE(machine.task->user().write(VirtAddr(kData + 0x500), std::as_bytes(std::span(name, std::strlen(name) + 1))));
    return kData + 0x500;
  };
  CHECK(machine.call(kGetxattr, {machine.string("/ro/file"), with_name("user.x"), value, 10}) == kEopnotsupp);
  CHECK(machine.call(kGetxattr, {machine.string("/ro/none"), with_name("user.x"), value, 10}) == kEnoent);
  CHECK(machine.call(kGetxattr, {machine.string("/ro/file"), with_name(""), value, 10}) == kErange);
  CHECK(machine.call(kSetxattr, {machine.string("/rw/file"), with_name("user.x"), value, 1, 4}) == kEinval);
  CHECK(machine.call(kSetxattr, {machine.string("/rw/file"), with_name("user.x"), value, 1, 0}) == kEopnotsupp);
  CHECK(machine.call(kSetxattr, {machine.string("/rw/file"), with_name("user.x"), value, 65537, 0}) == kE2big);
  CHECK(machine.call(kListxattr, {machine.string("/rw/file"), value, 10}) == 0);
}

TEST_CASE("fs calls: record locks, and whose they are") {
  FsKernel machine;
  constexpr uint32_t kGet = 12, kSet = 13, kOfdGet = 36, kOfdSet = 37;
  constexpr int16_t kRead = 0, kWrite = 1, kUnlock = 2;
  const auto open = [&] {
    return static_cast<uint32_t>(machine.call(Nr::kOpen, {machine.string("/rw/file"), OpenFlag::kReadWrite}));
  };
  const uint32_t one = open(), two = open();
  CHECK(lock(machine, one, kSet, {.type = kWrite, .start = 10, .length = 10}) == 0);
  // A process is in nobody's way but others'; an open file is another owner.
  CHECK(lock(machine, two, kSet, {.type = kWrite, .start = 15, .length = 1}) == 0);
  CHECK(lock(machine, two, kOfdSet, {.type = kRead, .start = 19, .length = 5}) == kEagain);
  CHECK(lock(machine, two, kOfdSet, {.type = kRead, .start = 20, .length = 5}) == 0);
  CHECK(lock(machine, two, kOfdSet, {.type = kRead, .start = 30, .pid = 1}) == kEinval);
  CHECK(lock(machine, one, kGet, {.type = kWrite, .start = 0, .length = 0}) == 0);
  auto found = machine.peek<Flock64>(kData + 0x200);
  CHECK(found.type == kRead);
  CHECK(found.start == 20);
  CHECK(found.length == 5);
  CHECK(found.pid == -1);
  CHECK(lock(machine, two, kOfdGet, {.type = kRead, .start = 0, .length = 0}) == 0);
  found = machine.peek<Flock64>(kData + 0x200);
  CHECK(found.type == kWrite);
  CHECK(found.start == 10);
  CHECK(found.length == 10);
  CHECK(found.pid == static_cast<int32_t>(machine.task->tgid));
  CHECK(lock(machine, one, kGet, {.type = kRead, .start = 20, .length = 1}) == 0);
  CHECK(machine.peek<Flock64>(kData + 0x200).type == kUnlock);
  // From the end, backwards; bad ranges.
  CHECK(lock(machine, one, kSet, {.type = kRead, .whence = 2, .start = 0, .length = -3}) == 0);
  CHECK(lock(machine, one, kSet, {.type = kRead, .whence = 0, .start = 1, .length = -3}) == kEinval);
  CHECK(lock(machine, one, kSet, {.type = kRead, .whence = 3}) == kEinval);
  CHECK(lock(machine, one, kSet, {.type = 3}) == kEinval);
  CHECK(lock(machine, one, kSet, {.type = kRead, .start = -1}) == kEinval);
  CHECK(lock(machine, one, kSet, {.type = kRead, .whence = 2, .start = INT64_MAX}) == -75);
  CHECK(lock(machine, 99, kSet, {.type = kRead}) == kEbadf);
  const auto reader = static_cast<uint32_t>(machine.call(Nr::kOpen, {machine.string("/rw/file"), 0}));
  CHECK(lock(machine, reader, kSet, {.type = kWrite, .start = 100}) == kEbadf);
  // Closing any descriptor of the file gives the process's locks up.
  CHECK(machine.call(Nr::kClose, {reader}) == 0);
  CHECK(lock(machine, two, kOfdSet, {.type = kWrite, .start = 0, .length = 0}) == 0);
  CHECK(lock(machine, one, kSet, {.type = kRead, .start = 1, .length = 1}) == kEagain);
  CHECK(machine.call(Nr::kClose, {two}) == 0);
  CHECK(lock(machine, one, kSet, {.type = kRead, .start = 1, .length = 1}) == 0);
}

TEST_CASE("fs calls: flock") {
  FsKernel machine;
  const auto open = [&] {
    return static_cast<uint32_t>(machine.call(Nr::kOpen, {machine.string("/rw/file"), OpenFlag::kReadWrite}));
  };
  const uint32_t one = open(), two = open();
  CHECK(machine.call(kFlock, {one, 2}) == 0);
  CHECK(machine.call(kFlock, {two, 1 | 4}) == kEagain);
  const auto copy = static_cast<uint32_t>(machine.call(Nr::kDup, {one}));
  CHECK(machine.call(Nr::kClose, {one}) == 0);
  CHECK(machine.call(kFlock, {two, 2 | 4}) == kEagain);  // the copy keeps it
  CHECK(machine.call(Nr::kClose, {copy}) == 0);
  CHECK(machine.call(kFlock, {two, 2 | 4}) == 0);
  CHECK(machine.call(kFlock, {two, 8}) == 0);
  CHECK(machine.call(kFlock, {two, 3}) == kEinval);
  CHECK(machine.call(kFlock, {two, 32}) == kEopnotsupp);
  CHECK(machine.call(kFlock, {99, 1}) == kEbadf);
}

TEST_CASE("fs calls: the size of a pipe") {
  FsKernel machine;
  constexpr uint32_t kSetSize = 1031, kGetSize = 1032;
  const uint32_t fds = kData + 0x400;
  REQUIRE(machine.call(Nr::kPipe, {fds}) == 0);
  const auto reader = machine.peek<uint32_t>(fds), writer = machine.peek<uint32_t>(fds + 4);
  CHECK(machine.call(Nr::kFcntl64, {writer, kGetSize}) == 65536);
  CHECK(machine.call(Nr::kFcntl64, {reader, kSetSize, 5000}) == 8192);
  CHECK(machine.call(Nr::kFcntl64, {writer, kGetSize}) == 8192);
  REQUIRE(machine.call(Nr::kMmap2, {0x20000000, 4 * kPageSize, 3, 0x32, ~0u, 0}) == 0x20000000);
  constexpr uint32_t kSetFlags = 4;
  REQUIRE(machine.call(Nr::kFcntl64, {writer, kSetFlags, OpenFlag::kNonBlock}) == 0);
  CHECK(machine.call(Nr::kWrite, {writer, 0x20000000, 4 * kPageSize}) == 8192);
  CHECK(machine.call(Nr::kFcntl64, {reader, kSetSize, 1}) == -16);
  CHECK(machine.call(Nr::kFcntl64, {reader, kSetSize, 0x80000001}) == kEinval);
  CHECK(machine.call(Nr::kRead, {reader, 0x20000000, 5000}) == 5000);
  CHECK(machine.call(Nr::kFcntl64, {reader, kSetSize, 1}) == 4096);
  CHECK(machine.call(Nr::kRead, {reader, 0x20000000, 5000}) == 8192 - 5000);
  const auto file = static_cast<uint32_t>(machine.call(Nr::kOpen, {machine.string("/ro/file"), 0}));
  CHECK(machine.call(Nr::kFcntl64, {file, kGetSize}) == kEbadf);
}

TEST_CASE("fs calls: nodes, files without a name, and what nobody may do") {
  FsKernel machine;
  CHECK(machine.call(kMknod, {machine.string("/tmp/file"), 0644}) == 0);
  CHECK(machine.call(kMknod, {machine.string("/tmp/fifo"), 0010644}) == 0);
  CHECK(machine.call(kMknod, {machine.string("/tmp/null"), 0020666, 0x103}) == kEperm);
  CHECK(machine.call(kMknod, {machine.string("/tmp/dir"), 0040755}) == kEperm);
  CHECK(machine.call(kMknod, {machine.string("/tmp/odd"), 0050000}) == kEinval);
  CHECK(machine.call(kMknod, {machine.string("/ro/fifo"), 0010644}) == FsKernel::error(Errno::kEROFS));
  // The name is on the host, its bytes stay in the machine.
  CHECK(machine.call(kMknod, {machine.string("/rw/fifo"), 0010644}) == 0);
  CHECK(machine.call(Nr::kOpen, {machine.string("/rw/fifo"), OpenFlag::kWriteOnly | OpenFlag::kNonBlock}) ==
        FsKernel::error(Errno::kENXIO));
  CHECK(machine.call(Nr::kOpen, {machine.string("/rw/fifo"), OpenFlag::kReadOnly | OpenFlag::kNonBlock}) > 0);
  CHECK(machine.call(kMknod, {machine.string("/rw/null"), 0020666, 0x103}) == kEperm);
  constexpr uint32_t kTmpFile = OpenFlag::kTmpFileBit | OpenFlag::kDirectory;
  CHECK(machine.call(Nr::kOpen, {machine.string("/tmp"), kTmpFile | OpenFlag::kReadWrite, 0600}) > 0);
  CHECK(machine.call(Nr::kOpen, {machine.string("/tmp"), kTmpFile, 0600}) == kEinval);
  CHECK(machine.call(Nr::kOpen, {machine.string("/rw"), kTmpFile | OpenFlag::kReadWrite, 0600}) == kEopnotsupp);
  CHECK(machine.call(Nr::kOpen, {machine.string("/proc"), kTmpFile | OpenFlag::kReadWrite, 0600}) == kEopnotsupp);
  CHECK(machine.call(Nr::kOpen, {machine.string("/tmp/none/"), OpenFlag::kCreate | OpenFlag::kReadWrite}) == kEisdir);
  CHECK(machine.call(kChroot, {machine.string("/rw")}) == kEperm);
  CHECK(machine.call(kChroot, {machine.string("/none")}) == kEnoent);
}

TEST_CASE("fs calls: a write that appends once, and syncing a part") {
  FsKernel machine;
  const auto file = static_cast<uint32_t>(machine.call(Nr::kOpen, {machine.string("/rw/file"), OpenFlag::kReadWrite}));
  const uint32_t vector = kData + 0x200;
  REQUIRE(machine.task->user().put(VirtAddr(vector), std::array<uint32_t, 2>{machine.string("more"), 4}));
  constexpr uint32_t kAppend = 0x10, kNoWait = 8;
  CHECK(machine.call(kPwritev2, {file, vector, 1, 0, 0, kAppend}) == 4);
  CHECK(machine.host_text("root/rw/file") == "old text\nmore");
  CHECK(machine.call(kPwritev2, {file, vector, 1, 0, 0, 0}) == 4);
  CHECK(machine.host_text("root/rw/file") == "moretext\nmore");
  CHECK(machine.call(kPwritev2, {file, vector, 1, 0, 0, kNoWait}) == kEopnotsupp);
  CHECK(machine.call(kSyncFileRange, {file, 0, 0, 0, 0, 7}) == 0);
  CHECK(machine.call(kSyncFileRange, {file, 0, 0, 0, 0, 8}) == kEinval);
  REQUIRE(machine.call(Nr::kPipe, {vector}) == 0);
  CHECK(machine.call(kSyncFileRange, {machine.peek<uint32_t>(vector), 0, 0, 0, 0, 0}) == -29);
}

}  // namespace fl::guest::test
