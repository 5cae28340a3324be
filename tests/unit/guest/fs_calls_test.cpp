// The file calls as a program makes them: answers, the order of checks, structures, and the page faults they take.
#include "guest/syscall/file_abi.hpp"
#include "tests/unit/guest/fs_kernel.hpp"

namespace fl::guest::test {
namespace {

constexpr uint32_t kBadPointer = 0x10000;  // nothing is mapped there

}  // namespace

TEST_CASE("fs calls: read takes one write fault for each page that bytes really go to") {
  FsKernel machine;
  machine.put("root/ro/data", std::string(3 * 4096 + 10, 'd'));
  const int32_t fd = machine.open_file("/ro/data");
  REQUIRE(fd == 3);
  const uint32_t buffer = machine.fresh(16);
  machine.new_faults();
  CHECK(machine.call(Nr::kRead, {3, buffer + 100, 10}) == 10);
  CHECK(machine.new_faults() == 1);
  CHECK(machine.call(Nr::kRead, {3, buffer + 200, 10}) == 10);
  CHECK(machine.new_faults() == 0);
  CHECK(machine.call(Nr::kRead, {3, buffer + 4096, 15 * 4096}) == 3 * 4096 - 10);
  CHECK(machine.new_faults() == 3);
  CHECK(machine.call(Nr::kRead, {3, buffer + 8 * 4096, 4096}) == 0);
  CHECK(machine.new_faults() == 0);
  CHECK(machine.call(Nr::kRead, {9, buffer + 8 * 4096, 4096}) == FsKernel::error(Errno::kEBADF));
  CHECK(machine.call(Nr::kPread64, {3, buffer + 8 * 4096, 4096, 0, 0x80000000}) == FsKernel::error(Errno::kEINVAL));
  CHECK(machine.new_faults() == 0);
}

TEST_CASE("fs calls: write takes one read fault for each untouched page") {
  FsKernel machine;
  const int32_t fd = machine.open_file("/rw/out", OpenFlag::kWriteOnly | OpenFlag::kCreate);
  const uint32_t buffer = machine.fresh(8);
  machine.new_faults();
  CHECK(machine.call(Nr::kWrite, {static_cast<uint32_t>(fd), buffer + 4000, 3 * 4096}) == 3 * 4096);
  CHECK(machine.new_faults() == 4);
  CHECK(machine.host_text("root/rw/out") == std::string(3 * 4096, '\0'));
  CHECK(machine.call(Nr::kWrite, {static_cast<uint32_t>(fd), kBadPointer, 10}) == FsKernel::error(Errno::kEFAULT));
  CHECK(machine.call(Nr::kWrite, {static_cast<uint32_t>(fd), 0xbffffff0, 0x100}) == FsKernel::error(Errno::kEFAULT));
  CHECK(machine.call(Nr::kWrite, {9, kBadPointer, 10}) == FsKernel::error(Errno::kEBADF));
}

TEST_CASE("fs calls: /dev/zero writes pages, /dev/null does not read them") {
  FsKernel machine;
  const int32_t zero = machine.open_file("/dev/zero", OpenFlag::kReadWrite);
  const int32_t null = machine.open_file("/dev/null", OpenFlag::kReadWrite);
  const int32_t full = machine.open_file("/dev/full", OpenFlag::kReadWrite);
  const uint32_t buffer = machine.fresh(8);
  machine.new_faults();
  CHECK(machine.call(Nr::kRead, {static_cast<uint32_t>(zero), buffer, 2 * 4096}) == 2 * 4096);
  CHECK(machine.new_faults() == 2);
  CHECK(machine.call(Nr::kWrite, {static_cast<uint32_t>(null), buffer + 3 * 4096, 4096}) == 4096);
  CHECK(machine.call(Nr::kRead, {static_cast<uint32_t>(null), buffer + 3 * 4096, 4096}) == 0);
  CHECK(machine.new_faults() == 0);
  CHECK(machine.call(Nr::kWrite, {static_cast<uint32_t>(full), buffer, 1}) == FsKernel::error(Errno::kENOSPC));
  CHECK(machine.open_file("/dev/tty") == FsKernel::error(Errno::kENXIO));
}

TEST_CASE("fs calls: sendfile and copy_file_range take no faults") {
  FsKernel machine;
  machine.put("root/ro/data", std::string(200000, 's'));
  machine.open_file("/ro/data");
  machine.open_file("/rw/copy", OpenFlag::kReadWrite | OpenFlag::kCreate);
  machine.new_faults();
  CHECK(machine.call(Nr::kSendfile, {4, 3, 0, 150000}) == 150000);
  CHECK(machine.call(Nr::kCopyFileRange, {3, 0, 4, 0, 1 << 20, 0}) == 50000);
  CHECK(machine.new_faults() == 0);
  CHECK(machine.host_text("root/rw/copy") == std::string(200000, 's'));
  CHECK(machine.call(Nr::kSendfile, {3, 4, 0, 1}) == FsKernel::error(Errno::kEBADF));
}

TEST_CASE("fs calls: paths are read before anything else is looked at") {
  FsKernel machine;
  CHECK(machine.call(Nr::kOpen, {kBadPointer, 0}) == FsKernel::error(Errno::kEFAULT));
  CHECK(machine.call(Nr::kOpenat, {77, kBadPointer, 0}) == FsKernel::error(Errno::kEFAULT));
  CHECK(machine.call(Nr::kOpenat, {77, machine.string("x"), 0}) == FsKernel::error(Errno::kEBADF));
  CHECK(machine.call(Nr::kOpenat, {77, machine.string("/ro/file"), 0}) == 3);
  CHECK(machine.call(Nr::kOpenat, {3, machine.string("x"), 0}) == FsKernel::error(Errno::kENOTDIR));
  CHECK(machine.call(Nr::kStat64, {machine.string("/none"), kBadPointer}) == FsKernel::error(Errno::kENOENT));
  CHECK(machine.call(Nr::kStat64, {machine.string("/ro"), kBadPointer}) == FsKernel::error(Errno::kEFAULT));
  CHECK(machine.call(Nr::kReadlink, {kBadPointer, kData, 0}) == FsKernel::error(Errno::kEINVAL));
  CHECK(machine.call(Nr::kAccess, {kBadPointer, 8}) == FsKernel::error(Errno::kEINVAL));
  const uint32_t pages = machine.fresh(2);
  const std::string endless(8192, 'a');
  REQUIRE(machine.task->user().write(VirtAddr(pages), std::as_bytes(std::span(endless))));
  CHECK(machine.call(Nr::kOpen, {pages, 0}) == FsKernel::error(Errno::kENAMETOOLONG));
}

TEST_CASE("fs calls: of two paths both are read before the flags are looked at, the second first") {
  FsKernel machine;
  const uint32_t pages = machine.fresh(4);
  machine.new_faults();
  CHECK(machine.call(Nr::kRenameat2, {0, pages, 0, pages + 2 * 4096, 99}) == FsKernel::error(Errno::kEINVAL));
  CHECK(machine.new_faults() == 2);
  // The first path's error is told although the second was read before it.
  CHECK(machine.call(Nr::kRenameat2, {77, machine.string("x"), 0, kBadPointer, 0}) == FsKernel::error(Errno::kEBADF));
}

TEST_CASE("fs calls: select leaves a time of 0 alone, and forgives a time that cannot be stored") {
  FsKernel machine;
  const uint32_t time = machine.fresh(1);
  machine.new_faults();
  CHECK(machine.call(Nr::kNewselect, {0, 0, 0, 0, time}) == 0);
  CHECK(machine.new_faults() == 1);  // read; not written
  const std::array<uint32_t, 2> microsecond = {0, 1};
  REQUIRE(machine.task->user().put(VirtAddr(time), microsecond));
  REQUIRE(machine.task->mm->mprotect(VirtAddr(time), kPageSize, vm::Prot::kRead, machine.task->faults));
  CHECK(machine.call(Nr::kNewselect, {0, 0, 0, 0, time}) == 0);
}

TEST_CASE("fs calls: the stat structures hold what the host says") {
  FsKernel machine;
  struct stat host {};
  REQUIRE(::stat((machine.base / "root/ro/file").c_str(), &host) == 0);
  const uint32_t path = machine.string("/ro/file");
  REQUIRE(machine.call(Nr::kStat64, {path, kData}) == 0);
  const auto wide = machine.peek<Stat64>(kData);
  CHECK(wide.ino == host.st_ino);
  CHECK(wide.short_ino == static_cast<uint32_t>(host.st_ino));
  CHECK(wide.size == 15);
  CHECK(wide.mode == host.st_mode);
  CHECK(wide.blksize == static_cast<uint32_t>(host.st_blksize));
  CHECK(wide.mtime == static_cast<uint32_t>(host.st_mtim.tv_sec));
  CHECK(wide.mtime_nsec == static_cast<uint32_t>(host.st_mtim.tv_nsec));
  const int32_t narrow = machine.call(Nr::kStat, {path, kData});
  if (host.st_ino > UINT32_MAX) {
    CHECK(narrow == FsKernel::error(Errno::kEOVERFLOW));
  } else {
    CHECK(narrow == 0);
    CHECK(machine.peek<Stat32>(kData).size == 15);
  }
  REQUIRE(machine.call(Nr::kStatx, {static_cast<uint32_t>(-100), path, 0, 0x7ff, kData}) == 0);
  const auto full = machine.peek<Statx>(kData);
  CHECK(full.ino == host.st_ino);
  CHECK((full.mask & 0x7ff) == 0x7ff);
  CHECK(machine.call(Nr::kStatx, {static_cast<uint32_t>(-100), path, 0x6000, 0x7ff, kData}) ==
        FsKernel::error(Errno::kEINVAL));
  CHECK(machine.call(Nr::kStatfs64, {path, 84, kData}) == 0);
  CHECK(machine.call(Nr::kStatfs64, {path, 88, kData}) == FsKernel::error(Errno::kEINVAL));
  // The old structure cannot hold a file of 2 GiB, and open without O_LARGEFILE refuses it.
  std::filesystem::resize_file(machine.base / "root/rw/file", uint64_t{1} << 31);
  const uint32_t large = machine.string("/rw/file");
  CHECK(machine.call(Nr::kStat, {large, kData}) == FsKernel::error(Errno::kEOVERFLOW));
  CHECK(machine.call(Nr::kStat64, {large, kData}) == 0);
  CHECK(machine.call(Nr::kOpen, {large, 0}) == FsKernel::error(Errno::kEOVERFLOW));
  const int32_t fd = machine.open_file("/rw/file");
  REQUIRE(fd >= 0);
  CHECK(machine.call(Nr::kLseek, {static_cast<uint32_t>(fd), 0, 2}) == FsKernel::error(Errno::kEOVERFLOW));
  CHECK(machine.call(Nr::kLlseek, {static_cast<uint32_t>(fd), 0, 0, kData, 2}) == 0);
  CHECK(machine.peek<uint64_t>(kData) == uint64_t{1} << 31);
}

TEST_CASE("fs calls: getdents packs entries and refuses a buffer that holds none") {
  FsKernel machine;
  machine.put("root/ro/sub/a", "");
  const int32_t fd = machine.open_file("/ro/sub", OpenFlag::kDirectory);
  REQUIRE(fd == 3);
  CHECK(machine.call(Nr::kGetdents64, {3, kData, 20}) == FsKernel::error(Errno::kEINVAL));
  CHECK(machine.call(Nr::kGetdents64, {3, kData, 24}) == 24);  // one entry of three
  REQUIRE(machine.call(Nr::kLseek, {3, 0, 0}) == 0);
  CHECK(machine.call(Nr::kGetdents64, {3, kData, 1024}) == 72);
  CHECK(machine.call(Nr::kGetdents64, {3, kData, 1024}) == 0);
  REQUIRE(machine.call(Nr::kLseek, {3, 0, 0}) == 0);
  const int32_t old = machine.call(Nr::kGetdents, {3, kData, 1024});
  CHECK((old == 48 || old == FsKernel::error(Errno::kEOVERFLOW)));  // inode numbers may be too large
  if (old == 48) {
    CHECK(machine.peek<uint16_t>(kData + 8) == 16);
    CHECK(machine.peek<uint8_t>(kData + 15) == 4);  // DT_DIR of "." or ".."; "a" is DT_REG
  }
  CHECK(machine.call(Nr::kRead, {3, kData, 10}) == FsKernel::error(Errno::kEISDIR));
  machine.open_file("/ro/file");
  CHECK(machine.call(Nr::kGetdents64, {4, kData, 100}) == FsKernel::error(Errno::kENOTDIR));
}

TEST_CASE("fs calls: vectors fill their pieces in order") {
  FsKernel machine;
  machine.put("root/ro/data", "0123456789abcdef");
  machine.open_file("/ro/data");
  const uint32_t buffer = machine.fresh(4);
  const std::array<uint32_t, 6> vector = {buffer + 4094, 4, buffer, 0, buffer + 3 * 4096, 100};
  REQUIRE(machine.task->user().put(VirtAddr(kData), vector));
  machine.new_faults();
  CHECK(machine.call(Nr::kReadv, {3, kData, 3}) == 16);
  CHECK(machine.new_faults() == 3);
  CHECK(machine.bytes(buffer + 4094, 4) == "0123");
  CHECK(machine.bytes(buffer + 3 * 4096, 12) == "456789abcdef");
  CHECK(machine.call(Nr::kPreadv, {3, kData, 1, 10, 0}) == 4);
  CHECK(machine.bytes(buffer + 4094, 4) == "abcd");
  CHECK(machine.call(Nr::kReadv, {3, kData, 1025}) == FsKernel::error(Errno::kEINVAL));
  CHECK(machine.call(Nr::kReadv, {3, kBadPointer, 1}) == FsKernel::error(Errno::kEFAULT));
  REQUIRE(machine.task->user().put(VirtAddr(kData), std::array<uint32_t, 2>{buffer, 0x80000000}));
  CHECK(machine.call(Nr::kReadv, {3, kData, 1}) == FsKernel::error(Errno::kEINVAL));
}

TEST_CASE("fs calls: duplicated descriptors share the position, opened ones do not") {
  FsKernel machine;
  REQUIRE(machine.open_file("/ro/file") == 3);
  REQUIRE(machine.open_file("/ro/file") == 4);
  REQUIRE(machine.call(Nr::kDup, {3}) == 5);
  CHECK(machine.call(Nr::kRead, {3, kData, 4}) == 4);
  CHECK(machine.call(Nr::kLseek, {5, 0, 1}) == 4);
  CHECK(machine.call(Nr::kLseek, {4, 0, 1}) == 0);
  CHECK(machine.call(Nr::kDup2, {3, 20}) == 20);
  CHECK(machine.call(Nr::kDup2, {3, 3}) == 3);
  CHECK(machine.call(Nr::kDup3, {3, 3, 0}) == FsKernel::error(Errno::kEINVAL));
  CHECK(machine.call(Nr::kDup3, {3, 21, OpenFlag::kCloseOnExec}) == 21);
  CHECK(machine.call(Nr::kFcntl64, {21, 1}) == 1);
  CHECK(machine.call(Nr::kFcntl64, {20, 1}) == 0);
  CHECK(machine.call(Nr::kFcntl64, {3, 0, 10}) == 10);
  CHECK(machine.call(Nr::kClose, {3}) == 0);
  CHECK(machine.call(Nr::kClose, {3}) == FsKernel::error(Errno::kEBADF));
  CHECK(machine.call(Nr::kRead, {5, kData, 4}) == 4);
  machine.task->files->close_on_exec();
  CHECK(machine.call(Nr::kFcntl64, {21, 1}) == FsKernel::error(Errno::kEBADF));
  CHECK(machine.call(Nr::kCloseRange, {4, ~0u, 0}) == 0);
  CHECK(machine.call(Nr::kFcntl64, {20, 1}) == FsKernel::error(Errno::kEBADF));
  CHECK(machine.open_file("/ro/file") == 3);
}

TEST_CASE("fs calls: RLIMIT_NOFILE bounds descriptors, and a file is not made without one") {
  FsKernel machine;
  machine.task->group->limits[Rlimit::kNofile].current = 5;
  CHECK(machine.open_file("/ro/file") == 3);
  CHECK(machine.open_file("/ro/file") == 4);
  CHECK(machine.open_file("/rw/made", OpenFlag::kWriteOnly | OpenFlag::kCreate) == FsKernel::error(Errno::kEMFILE));
  CHECK_FALSE(std::filesystem::exists(machine.base / "root/rw/made"));
  CHECK(machine.call(Nr::kDup2, {3, 5}) == FsKernel::error(Errno::kEBADF));
  CHECK(machine.call(Nr::kFcntl64, {3, 0, 5}) == FsKernel::error(Errno::kEINVAL));
}

TEST_CASE("fs calls: the umask is taken off new files") {
  FsKernel machine;
  constexpr uint32_t kUmask = 60;
  machine.call(kUmask, {027});
  CHECK(machine.call(kUmask, {027}) == 027);
  REQUIRE(machine.call(Nr::kOpen, {machine.string("/rw/new"), OpenFlag::kCreate | OpenFlag::kWriteOnly, 0666}) == 3);
  REQUIRE(machine.call(Nr::kMkdir, {machine.string("/rw/dir"), 0777}) == 0);
  CHECK((machine.vfs->stat(machine.at, "/rw/new", Follow::kNo)->mode & 07777) == 0640);
  CHECK((machine.vfs->stat(machine.at, "/rw/dir", Follow::kNo)->mode & 07777) == 0750);
}

TEST_CASE("fs calls: the working directory moves and can be lost") {
  FsKernel machine;
  REQUIRE(machine.call(Nr::kChdir, {machine.string("rw/sub")}) == 0);
  CHECK(machine.call(Nr::kGetcwd, {kData, 100}) == 8);
  CHECK(machine.bytes(kData, 8) == std::string("/rw/sub\0", 8));
  CHECK(machine.call(Nr::kGetcwd, {kData, 7}) == FsKernel::error(Errno::kERANGE));
  CHECK(machine.open_file("../file") == 3);
  REQUIRE(machine.open_file("/ro", OpenFlag::kDirectory) == 4);
  REQUIRE(machine.call(Nr::kFchdir, {4}) == 0);
  CHECK(machine.call(Nr::kGetcwd, {kData, 100}) == 4);
  CHECK(machine.call(Nr::kFchdir, {3}) == FsKernel::error(Errno::kENOTDIR));
  CHECK(machine.call(Nr::kChdir, {machine.string("/rw/file")}) == FsKernel::error(Errno::kENOTDIR));
  REQUIRE(machine.call(Nr::kMkdir, {machine.string("/rw/gone"), 0755}) == 0);
  REQUIRE(machine.call(Nr::kChdir, {machine.string("/rw/gone")}) == 0);
  constexpr uint32_t kRmdir = 40;
  REQUIRE(machine.call(kRmdir, {machine.string("/rw/gone")}) == 0);
  CHECK(machine.call(Nr::kGetcwd, {kData, 100}) == FsKernel::error(Errno::kENOENT));
  CHECK(machine.open_file("x", OpenFlag::kCreate) == FsKernel::error(Errno::kENOENT));
}

}  // namespace fl::guest::test
