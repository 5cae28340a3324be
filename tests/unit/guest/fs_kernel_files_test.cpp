// Files that the guest's kernel makes up: pipes, memfd, /dev, /proc; and polling.
#include <fmt/format.h>

#include <sys/sysmacros.h>

#include "guest/fs/pipe.hpp"
#include "tests/unit/guest/fs_kernel.hpp"

namespace fl::guest::test {
namespace {

std::string read_text(FsKernel& machine, const std::string& path) {
  const int32_t fd = machine.open_file(path);
  REQUIRE(fd >= 0);
  const uint32_t buffer = machine.fresh(16);
  std::string text;
  while (true) {
    const int32_t got = machine.call(Nr::kRead, {static_cast<uint32_t>(fd), buffer, 16 << kPageShift});
    REQUIRE(got >= 0);
    if (got == 0) {
      break;
    }
    text += machine.bytes(buffer, static_cast<uint32_t>(got));
  }
  REQUIRE(machine.call(Nr::kClose, {static_cast<uint32_t>(fd)}) == 0);
  return text;
}

std::string link_text(FsKernel& machine, const std::string& path) {
  const int32_t length = machine.call(Nr::kReadlink, {machine.string(path), kData, 200});
  REQUIRE(length >= 0);
  return machine.bytes(kData, static_cast<uint32_t>(length));
}

}  // namespace

TEST_CASE("fs pipe: bytes come out in order, then the end of the file") {
  FsKernel machine;
  REQUIRE(machine.call(Nr::kPipe, {kData}) == 0);
  REQUIRE(machine.peek<std::array<uint32_t, 2>>(kData) == std::array<uint32_t, 2>{3, 4});
  REQUIRE(machine.call(Nr::kWrite, {4, machine.string("hello"), 5}) == 5);
  REQUIRE(machine.call(Nr::kWrite, {4, machine.string(" pipe"), 5}) == 5);
  CHECK(machine.call(Nr::kRead, {3, kData, 3}) == 3);
  CHECK(machine.call(Nr::kRead, {3, kData + 3, 100}) == 7);
  CHECK(machine.bytes(kData, 10) == "hello pipe");
  CHECK(machine.call(Nr::kLseek, {3, 0, 1}) == FsKernel::error(Errno::kESPIPE));
  CHECK(machine.call(Nr::kRead, {4, kData, 1}) == FsKernel::error(Errno::kEBADF));
  REQUIRE(machine.call(Nr::kClose, {4}) == 0);
  CHECK(machine.call(Nr::kRead, {3, kData, 100}) == 0);
}

TEST_CASE("fs pipe: it holds 64 KiB and then refuses a writer that will not wait") {
  FsKernel machine;
  REQUIRE(machine.call(Nr::kPipe2, {kData, OpenFlag::kNonBlock}) == 0);
  const uint32_t buffer = machine.fresh(32);
  CHECK(machine.call(Nr::kWrite, {4, buffer, 32 << kPageShift}) == static_cast<int32_t>(kPipePages << kPageShift));
  CHECK(machine.call(Nr::kWrite, {4, buffer, 1}) == FsKernel::error(Errno::kEAGAIN));
  // A page that was read in part still counts.
  CHECK(machine.call(Nr::kRead, {3, buffer, 100}) == 100);
  CHECK(machine.call(Nr::kWrite, {4, buffer, 1}) == FsKernel::error(Errno::kEAGAIN));
  CHECK(machine.call(Nr::kRead, {3, buffer, 3996}) == 3996);
  CHECK(machine.call(Nr::kWrite, {4, buffer, 200}) == 200);
  // Joins the last page while it fits there whole.
  CHECK(machine.call(Nr::kWrite, {4, buffer, 3800}) == 3800);
  CHECK(machine.call(Nr::kWrite, {4, buffer, 100}) == FsKernel::error(Errno::kEAGAIN));
  CHECK(machine.call(Nr::kWrite, {4, buffer, 96}) == 96);
  for (uint32_t left = kPipePages << kPageShift; left > 0; left -= 4096) {
    REQUIRE(machine.call(Nr::kRead, {3, buffer, 4096}) == 4096);
  }
  CHECK(machine.call(Nr::kRead, {3, buffer, 1}) == FsKernel::error(Errno::kEAGAIN));
}

TEST_CASE("fs pipe: its bytes stand in simulated pages, which come back when they are read or the pipe is gone") {
  FsKernel machine;
  REQUIRE(machine.call(Nr::kPipe, {kData}) == 0);
  const uint32_t buffer = machine.fresh(8);
  vm::PageAllocator& pages = machine.kernel->memory().pages();
  REQUIRE(machine.call(Nr::kWrite, {4, buffer, 1}) == 1);  // the program's own pages are there from now on
  REQUIRE(machine.call(Nr::kRead, {3, buffer, 1}) == 1);
  REQUIRE(machine.call(Nr::kWrite, {4, buffer, 8 << kPageShift}) == 8 << kPageShift);
  REQUIRE(machine.call(Nr::kRead, {3, buffer, 8 << kPageShift}) == 8 << kPageShift);
  const uint32_t free_frames = pages.free_frames();
  REQUIRE(machine.call(Nr::kWrite, {4, buffer, 3 << kPageShift}) == 3 << kPageShift);
  CHECK(pages.free_frames() == free_frames - 3);
  REQUIRE(machine.call(Nr::kRead, {3, buffer, 1 << kPageShift}) == 1 << kPageShift);
  CHECK(pages.free_frames() == free_frames - 2);
  // No memory: what is in stays, the rest is refused.
  pages.fail_allocation(2);
  CHECK(machine.call(Nr::kWrite, {4, buffer, 2 << kPageShift}) == 1 << kPageShift);
  pages.fail_allocation(1);
  CHECK(machine.call(Nr::kWrite, {4, buffer, 2 << kPageShift}) == FsKernel::error(Errno::kENOMEM));
  pages.fail_allocation(0);
  CHECK(pages.free_frames() == free_frames - 3);
  REQUIRE(machine.call(Nr::kClose, {4}) == 0);
  REQUIRE(machine.call(Nr::kClose, {3}) == 0);
  CHECK(pages.free_frames() == free_frames);
}

TEST_CASE("fs pipe: a write that nobody can read is SIGPIPE and EPIPE") {
  FsKernel machine;
  REQUIRE(machine.call(Nr::kPipe, {kData}) == 0);
  REQUIRE(machine.call(Nr::kClose, {3}) == 0);
  (*machine.task->handlers)[Signal::kPipe].handler = kSigIgn;
  CHECK(machine.call(Nr::kWrite, {4, kData, 1}) == FsKernel::error(Errno::kEPIPE));
  (*machine.task->handlers)[Signal::kPipe].handler = kSigDfl;
  machine.enter(Nr::kWrite, {4, kData, 1});
  CHECK(machine.kernel->schedule() == nullptr);
  CHECK(machine.kernel->outcome().exit_status() == 128 + Signal::kPipe);
}

TEST_CASE("fs pipe: reading an empty pipe whose only writer is oneself is a deadlock that is reported") {
  FsKernel machine;
  REQUIRE(machine.call(Nr::kPipe, {kData}) == 0);
  machine.enter(Nr::kRead, {3, kData, 1});
  CHECK(machine.kernel->schedule() == nullptr);
  CHECK(machine.kernel->outcome().kind == Outcome::Kind::kDeadlock);
  CHECK(machine.kernel->outcome().report.find("read") != std::string::npos);
}

TEST_CASE("fs pipe: a full table leaves no half-open pipe") {
  FsKernel machine;
  machine.task->group->limits[Rlimit::kNofile].current = 4;
  CHECK(machine.call(Nr::kPipe, {kData}) == FsKernel::error(Errno::kEMFILE));
  machine.task->group->limits[Rlimit::kNofile].current = 5;
  CHECK(machine.call(Nr::kPipe, {0x10000}) == FsKernel::error(Errno::kEFAULT));
  CHECK(machine.call(Nr::kPipe, {kData}) == 0);
}

TEST_CASE("fs poll: tells what is ready and times out in virtual time") {
  FsKernel machine;
  REQUIRE(machine.call(Nr::kPipe, {kData}) == 0);
  struct PollFd {
    int32_t fd;
    int16_t events, revents;
  };
  const auto poll = [&](std::array<PollFd, 3> fds, uint32_t timeout_ms) {
    REQUIRE(machine.task->user().put(VirtAddr(kData), fds));
    return machine.call(Nr::kPoll, {kData, 3, timeout_ms});
  };
  const std::array<PollFd, 3> watched = {{{3, 1, 0}, {-1, 1, 7}, {99, 1, 0}}};
  CHECK(poll(watched, 1000) == 1);
  auto seen = machine.peek<std::array<PollFd, 3>>(kData);
  CHECK(seen[0].revents == 0);
  CHECK(seen[1].revents == 0);
  CHECK(seen[2].revents == 0x20);
  const uint64_t before = machine.kernel->time().now_ns();
  CHECK(poll({{{3, 1, 0}, {-1, 0, 0}, {-1, 0, 0}}}, 1500) == 0);
  CHECK(machine.kernel->time().now_ns() - before == 1'500'000'000);
  CHECK(poll({{{3, 1, 0}, {4, 4, 0}, {-1, 0, 0}}}, ~0u) == 1);
  seen = machine.peek<std::array<PollFd, 3>>(kData);
  CHECK(seen[1].revents == 4);
}

TEST_CASE("fs memfd: can be sized, written, mapped and sealed") {
  FsKernel machine;
  constexpr uint32_t kAllowSealing = 2;
  const auto fd = static_cast<uint32_t>(machine.call(Nr::kMemfdCreate, {machine.string("name"), kAllowSealing}));
  REQUIRE(fd == 3);
  CHECK(link_text(machine, "/proc/self/fd/3") == "/memfd:name (deleted)");
  REQUIRE(machine.call(Nr::kFtruncate, {fd, 10000}) == 0);
  REQUIRE(machine.call(Nr::kWrite, {fd, machine.string("memory"), 6}) == 6);
  constexpr uint32_t kReadWrite = 3, kShared = 1;
  const auto at = static_cast<uint32_t>(machine.call(Nr::kMmap2, {0, 8192, kReadWrite, kShared, fd, 0}));
  CHECK(machine.bytes(at, 7) == std::string("memory\0", 7));
  REQUIRE(machine.task->user().put(VirtAddr(at + 6), uint8_t{'!'}));
  CHECK(machine.call(Nr::kPread64, {fd, kData, 7, 0, 0}) == 7);
  CHECK(machine.bytes(kData, 7) == "memory!");
  constexpr uint32_t kAddSeals = 1033, kSealShrink = 2, kSealGrow = 4;
  REQUIRE(machine.call(Nr::kFcntl64, {fd, kAddSeals, kSealShrink | kSealGrow}) == 0);
  CHECK(machine.call(Nr::kFtruncate, {fd, 100}) == FsKernel::error(Errno::kEPERM));
  CHECK(machine.call(Nr::kFtruncate, {fd, 20000}) == FsKernel::error(Errno::kEPERM));
}

TEST_CASE("fs dev: random bytes follow from the seed") {
  std::string first;
  {
    FsKernel machine;
    REQUIRE(machine.open_file("/dev/urandom") == 3);
    REQUIRE(machine.call(Nr::kRead, {3, kData, 64}) == 64);
    first = machine.bytes(kData, 64);
  }
  FsKernel machine;
  REQUIRE(machine.open_file("/dev/random") == 3);
  REQUIRE(machine.call(Nr::kRead, {3, kData, 64}) == 64);
  CHECK(machine.bytes(kData, 64) == first);
  CHECK(first != std::string(64, '\0'));
}

TEST_CASE("fs dev: /dev/zero mapped is anonymous memory, /dev/null cannot be mapped") {
  FsKernel machine;
  REQUIRE(machine.open_file("/dev/zero", OpenFlag::kReadWrite) == 3);
  REQUIRE(machine.open_file("/dev/null", OpenFlag::kReadWrite) == 4);
  constexpr uint32_t kReadWrite = 3, kPrivate = 2;
  const int32_t at = machine.call(Nr::kMmap2, {0, 8192, kReadWrite, kPrivate, 3, 0});
  REQUIRE(static_cast<uint32_t>(at) < 0xc0000000);
  CHECK(machine.peek<uint32_t>(static_cast<uint32_t>(at)) == 0);
  CHECK(machine.call(Nr::kMmap2, {0, 8192, kReadWrite, kPrivate, 4, 0}) == FsKernel::error(Errno::kENODEV));
}

TEST_CASE("fs proc: self names the program, its arguments and its files") {
  FsKernel machine;
  const std::string pid = std::to_string(machine.task->tgid);
  CHECK(link_text(machine, "/proc/self") == pid);
  CHECK(link_text(machine, "/proc/self/exe") == "/program");
  CHECK(link_text(machine, "/proc/self/cwd") == "/");
  CHECK(read_text(machine, "/proc/self/cmdline") == std::string("program\0one\0", 12));
  CHECK(read_text(machine, "/proc/" + pid + "/environ") == std::string("A=1\0", 4));
  CHECK(read_text(machine, "/proc/self/comm") == "program\n");
  CHECK(read_text(machine, "/proc/self/status").starts_with("Name:\tprogram\n"));
  CHECK(read_text(machine, "/proc/sys/kernel/ostype") == "Linux\n");
  REQUIRE(machine.open_file("/ro/../ro/file") == 3);
  CHECK(link_text(machine, "/proc/self/fd/3") == "/ro/file");
  // Opening the link is opening the file anew.
  REQUIRE(machine.open_file("/proc/self/fd/3") == 4);
  CHECK(machine.call(Nr::kRead, {4, kData, 9}) == 9);
  CHECK(machine.bytes(kData, 9) == "read-only");
  CHECK(machine.call(Nr::kLseek, {3, 0, 1}) == 0);
  CHECK(machine.open_file("/proc/self/fd/3", OpenFlag::kWriteOnly) == FsKernel::error(Errno::kEROFS));
  CHECK(machine.open_file("/proc/self/fd/33") == FsKernel::error(Errno::kENOENT));
  CHECK(machine.open_file("/proc/self/maps/x") == FsKernel::error(Errno::kENOTDIR));
  CHECK(machine.open_file("/proc/self/maps", OpenFlag::kWriteOnly) == FsKernel::error(Errno::kEACCES));
  CHECK(machine.open_file("/proc/self/mem") == FsKernel::error(Errno::kENOENT));
  CHECK(machine.open_file("/proc/1/maps") == FsKernel::error(Errno::kENOENT));
  CHECK(machine.open_file("/proc/self/exe") == 5);
}

TEST_CASE("fs proc: maps has Linux's columns") {
  FsKernel machine;
  const std::string maps = read_text(machine, "/proc/self/maps");
  struct stat host {};
  REQUIRE(::stat((machine.base / "root/program").c_str(), &host) == 0);
  const std::string start = fmt::format("08048000-08049000 r-xp 00000000 {:02x}:{:02x} {} ", major(host.st_dev),
                                        minor(host.st_dev), host.st_ino);
  CHECK(maps.starts_with(start));
  CHECK(maps.substr(0, maps.find('\n')) == start + std::string(49 - start.size(), ' ') + "/program");
  CHECK(maps.find("b7ffe000-b8000000 r-xp 00000000 00:00 0          [vdso]\n") != std::string::npos);
  CHECK(maps.ends_with("[stack]\n"));
}

TEST_CASE("fs proc: directories list what can be opened") {
  FsKernel machine;
  const std::string self = "/proc/" + std::to_string(machine.task->tgid);
  for (const std::string& directory :
       {std::string("/proc"), self, std::string("/proc/sys/kernel"), std::string("/dev"), self + "/fd",
        self + "/fdinfo", self + "/task", self + "/task/" + std::to_string(machine.task->tid)}) {
    const int32_t fd = machine.open_file(directory, OpenFlag::kDirectory);
    REQUIRE(fd >= 0);
    const uint32_t buffer = machine.fresh(2);
    const int32_t got = machine.call(Nr::kGetdents64, {static_cast<uint32_t>(fd), buffer, 8192});
    REQUIRE(got > 48);
    for (uint32_t at = buffer; at < buffer + static_cast<uint32_t>(got); at += machine.peek<uint16_t>(at + 16)) {
      const auto name = machine.task->user().string(VirtAddr(at + 19), 256);
      REQUIRE(name);
      const auto stat = machine.vfs->stat({*machine.vfs->make_path(directory), {machine.task->tgid, machine.task->tid}},
                                          *name, Follow::kNo);
      INFO(directory << "/" << *name);
      REQUIRE(stat);
      CHECK(stat->type() >> 12 == machine.peek<uint8_t>(at + 18));
      // Of a mount point the directory below it is listed, as on Linux.
      if (*name != ".." && *name != "shm") {
        CHECK(stat->ino == machine.peek<uint64_t>(at));
      }
    }
    machine.call(Nr::kClose, {static_cast<uint32_t>(fd)});
  }
}

TEST_CASE("fs select: looks no further than the table of descriptors is long") {
  FsKernel machine;
  const uint32_t slots = machine.kernel->profile().kernel_pointer_bytes * 8;
  CHECK(machine.task->files->max_fds(4) == 32);
  CHECK(machine.task->files->max_fds(8) == 64);
  // Ready at once: the time is 0.
  const auto select_closed = [&](uint32_t fd) {
    std::array<uint32_t, 32> set{};
    set[fd / 32] = 1u << (fd % 32);
    REQUIRE(machine.task->user().put(VirtAddr(kData), set));
    REQUIRE(machine.task->user().put(VirtAddr(kData + 512), std::array<uint32_t, 2>{0, 0}));
    return machine.call(Nr::kNewselect, {fd + 1, kData, 0, 0, kData + 512});
  };
  CHECK(select_closed(slots - 1) == FsKernel::error(Errno::kEBADF));
  CHECK(select_closed(slots) == 0);
  REQUIRE(machine.call(Nr::kDup2, {0, slots}) >= 0);
  CHECK(select_closed(slots + 1) == FsKernel::error(Errno::kEBADF));
  CHECK(machine.task->files->max_fds(4) == 256);
  CHECK(select_closed(256) == 0);
}

}  // namespace fl::guest::test
