// /proc/PID and /proc/PID/task/TID: what stands there, who may look, and what it costs. That the numbers are Linux's is
// shown by tests/guest_programs/proc_memory.c.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "mmu/layout.hpp"
#include "mmu/page_tables.hpp"
#include "tests/unit/guest/fs_kernel.hpp"

namespace fl::guest::test {
namespace {

constexpr uint32_t kFork = 2, kWaitPid = 7, kMunmap = 91, kMprotect = 125, kMlock2 = 376, kEventfd = 323;

// All of a file, in reads of `step` bytes.
std::string text_of(FsKernel& machine, const std::string& path, uint32_t step = 4 << kPageShift) {
  const int32_t fd = machine.open_file(path);
  REQUIRE(fd >= 0);
  static constexpr uint32_t kPages = 4;
  // All of it there before, so that it looks the same in every text.
  const uint32_t buffer = machine.fresh(kPages);
  REQUIRE(machine.task->user().clear(VirtAddr(buffer), kPages << kPageShift));
  std::string text;
  int32_t got = 0;
  while ((got = machine.call(Nr::kRead, {static_cast<uint32_t>(fd), buffer, step})) > 0) {
    text += machine.bytes(buffer, static_cast<uint32_t>(got));
  }
  REQUIRE(machine.call(Nr::kClose, {static_cast<uint32_t>(fd)}) == 0);
  REQUIRE(machine.call(kMunmap, {buffer, kPages << kPageShift}) == 0);
  REQUIRE(got == 0);
  return text;
}

// The lines of smaps for the area that begins at `addr`.
std::string area_text(const std::string& smaps, uint32_t addr) {
  const size_t begin = smaps.find(fmt::format("{:08x}-", addr));
  REQUIRE(begin != std::string::npos);
  const size_t flags = smaps.find("VmFlags:", begin);
  return smaps.substr(begin, smaps.find('\n', flags) + 1 - begin);
}

Task& fork(FsKernel& machine) {
  const int32_t pid = machine.call(kFork);
  REQUIRE(pid > 0);
  Task* const child = machine.kernel->find_task(static_cast<uint32_t>(pid));
  REQUIRE(child != nullptr);
  return *child;
}

void become(Task& task, uint32_t id) {
  task.cred.uid = task.cred.euid = task.cred.suid = task.cred.fsuid = id;
  task.cred.gid = task.cred.egid = task.cred.sgid = task.cred.fsgid = id;
}

std::array<uint64_t, 2> words_at(FsKernel& machine, uint32_t fd, uint32_t addr) {
  REQUIRE(machine.call(Nr::kPread64, {fd, kData, 16, (addr >> kPageShift) * 8, 0}) == 16);
  return machine.peek<std::array<uint64_t, 2>>(kData);
}

}  // namespace

TEST_CASE("proc task: smaps of 6.1 line by line") {
  FsKernel machine;
  // Unmapped pages around it keep it alone.
  const uint32_t at = machine.fresh(6) + kPageSize;
  REQUIRE(machine.call(kMunmap, {at - kPageSize, kPageSize}) == 0);
  REQUIRE(machine.call(kMunmap, {at + 4 * kPageSize, kPageSize}) == 0);
  constexpr uint32_t kOnFault = 1;
  REQUIRE(machine.call(kMlock2, {at, 4 * kPageSize, kOnFault}) == 0);
  REQUIRE(machine.task->user().put(VirtAddr(at), 1));
  REQUIRE(machine.task->user().put(VirtAddr(at + kPageSize), 1));
  CHECK(area_text(text_of(machine, "/proc/self/smaps"), at) ==
        fmt::format("{:08x}-{:08x} rwxp 00000000 00:00 0 \n", at, at + 4 * kPageSize) +
            "Size:                 16 kB\n"
            "KernelPageSize:        4 kB\n"
            "MMUPageSize:           4 kB\n"
            "Rss:                   8 kB\n"
            "Pss:                   8 kB\n"
            "Pss_Dirty:             8 kB\n"
            "Shared_Clean:          0 kB\n"
            "Shared_Dirty:          0 kB\n"
            "Private_Clean:         0 kB\n"
            "Private_Dirty:         8 kB\n"
            "Referenced:            8 kB\n"
            "Anonymous:             8 kB\n"
            "LazyFree:              0 kB\n"
            "AnonHugePages:         0 kB\n"
            "ShmemPmdMapped:        0 kB\n"
            "FilePmdMapped:         0 kB\n"
            "Shared_Hugetlb:        0 kB\n"
            "Private_Hugetlb:       0 kB\n"
            "Swap:                  0 kB\n"
            "SwapPss:               0 kB\n"
            "Locked:                8 kB\n"
            "THPeligible:    0\n"
            "VmFlags: rd wr ex mr mw me lo ?? ac \n");
  // The accessed bit is what makes a page referenced.
  mmu::Pte* const pte = machine.task->mm->tables().find(VirtAddr(at));
  *pte = pte->without(mmu::Pte::kAccessed);
  CHECK(area_text(text_of(machine, "/proc/self/smaps"), at).find("Referenced:            4 kB\n") != std::string::npos);
}

TEST_CASE("proc task: smaps_rollup has one header and all pages") {
  FsKernel machine;
  const std::string text = text_of(machine, "/proc/self/smaps_rollup");
  CHECK(
      text.starts_with(fmt::format("08048000-c0000000 ---p 00000000 00:00 0 {}[rollup]\nRss:  ", std::string(9, ' '))));
  CHECK(text.find("Pss_Shmem:             0 kB\nShared_Clean:") != std::string::npos);
  CHECK(std::count(text.begin(), text.end(), '\n') == 22);
}

TEST_CASE("proc task: the pages of the vDSO count, by how many processes map them") {
  FsKernel machine;
  constexpr uint32_t kVdso = 0xb7ffe000;
  uint32_t first = 0;
  REQUIRE(machine.task->user().read(std::as_writable_bytes(std::span(&first, 1)), VirtAddr(kVdso)));
  CHECK(area_text(text_of(machine, "/proc/self/smaps"), kVdso)
            .find("Rss:                   4 kB\nPss:                   4 kB") != std::string::npos);
  Task& child = fork(machine);
  vm::FaultCounters faults;
  REQUIRE(vm::UserAccess(*child.mm, faults).read(std::as_writable_bytes(std::span(&first, 1)), VirtAddr(kVdso)));
  CHECK(area_text(text_of(machine, "/proc/self/smaps"), kVdso)
            .find("Rss:                   4 kB\nPss:                   2 kB") != std::string::npos);
}

TEST_CASE("proc task: a long smaps takes no more memory than a short one, however it is read") {
  FsKernel machine;
  constexpr uint32_t kAreas = 400, kReadOnly = 1;
  const uint32_t at = machine.fresh(2 * kAreas);
  for (uint32_t i = 0; i < kAreas; ++i) {
    REQUIRE(machine.call(kMprotect, {at + 2 * i * kPageSize, kPageSize, kReadOnly}) == 0);
  }
  const std::string whole = text_of(machine, "/proc/self/smaps");
  CHECK(whole.size() > kAreas * 2 * 500);
  CHECK(text_of(machine, "/proc/self/smaps", 1000) == whole);
  const auto fd = static_cast<uint32_t>(machine.open_file("/proc/self/smaps"));
  const uint32_t buffer = machine.fresh(4);
  REQUIRE(machine.call(Nr::kRead, {fd, buffer, 4 << kPageShift}) > 3000);
  const uint32_t free_frames = machine.memory->pages().free_frames();
  int32_t got = 0;
  uint32_t least = free_frames;
  while ((got = machine.call(Nr::kRead, {fd, buffer, 4 << kPageShift})) > 0) {
    CHECK(got < static_cast<int32_t>(kPageSize));
    least = std::min(least, machine.memory->pages().free_frames());
  }
  CHECK(free_frames - least < 10);
  // At an offset: what stands there.
  REQUIRE(machine.call(Nr::kPread64, {fd, buffer, 100, 200000, 0}) == 100);
  CHECK(machine.bytes(buffer, 100) == whole.substr(200000, 100));
}

TEST_CASE("proc task: a read without memory is ENOMEM, and the next one goes on") {
  FsKernel machine;
  const std::string whole = text_of(machine, "/proc/self/smaps");
  const auto fd = static_cast<uint32_t>(machine.open_file("/proc/self/smaps"));
  const uint32_t buffer = machine.fresh(4);
  REQUIRE(machine.task->user().clear(VirtAddr(buffer), 4 << kPageShift));
  int failed = 0;
  std::string text;
  for (int32_t got = 1; got != 0;) {
    machine.memory->pages().fail_alloc().fail_every(1);
    got = machine.call(Nr::kRead, {fd, buffer, 4 << kPageShift});
    machine.memory->pages().fail_alloc().off();
    if (got == FsKernel::error(Errno::kENOMEM)) {
      ++failed;
      got = machine.call(Nr::kRead, {fd, buffer, 4 << kPageShift});
    }
    REQUIRE(got >= 0);
    text += machine.bytes(buffer, static_cast<uint32_t>(got));
  }
  CHECK(text == whole);
  CHECK(failed > 0);
}

TEST_CASE("proc task: pagemap shows frames to user 0 alone") {
  FsKernel machine;
  const uint32_t at = machine.fresh(2);
  REQUIRE(machine.task->user().put(VirtAddr(at), 1));
  const auto fd = static_cast<uint32_t>(machine.open_file("/proc/self/pagemap"));
  constexpr uint64_t kPresent = uint64_t{1} << 63, kExclusive = uint64_t{1} << 56;
  const Pfn pfn = machine.task->mm->tables().find(VirtAddr(at))->pfn();
  CHECK(words_at(machine, fd, at) == std::array<uint64_t, 2>{kPresent | kExclusive | pfn.value(), 0});
  become(*machine.task, 1000);
  // Who opened it decides.
  CHECK(words_at(machine, fd, at)[0] == (kPresent | kExclusive | pfn.value()));
  const auto other = static_cast<uint32_t>(machine.open_file("/proc/self/pagemap"));
  REQUIRE(static_cast<int32_t>(other) > 0);
  CHECK(words_at(machine, other, at)[0] == (kPresent | kExclusive));
}

TEST_CASE("proc task: pagemap of the whole address space is made as it is read") {
  FsKernel machine;
  const auto fd = static_cast<uint32_t>(machine.open_file("/proc/self/pagemap"));
  const uint32_t buffer = machine.fresh(16);
  REQUIRE(machine.task->user().clear(VirtAddr(buffer), 16 << kPageShift));
  const uint32_t free_frames = machine.memory->pages().free_frames();
  uint64_t bytes = 0, present = 0;
  for (int32_t got = 1; got > 0; bytes += static_cast<uint32_t>(got)) {
    got = machine.call(Nr::kRead, {fd, buffer, 16 << kPageShift});
    REQUIRE(got >= 0);
    const std::string words = machine.bytes(buffer, static_cast<uint32_t>(got));
    for (size_t i = 7; i < words.size(); i += 8) {
      present += (words[i] & 0x80) != 0 ? 1 : 0;
    }
  }
  CHECK(bytes == (mmu::kTaskSize >> kPageShift) * 8);
  CHECK(present >= machine.task->mm->use().rss());
  CHECK(machine.memory->pages().free_frames() == free_frames);
  CHECK(machine.call(Nr::kPread64, {fd, kData, 12, 0, 0}) == FsKernel::error(Errno::kEINVAL));
  CHECK(machine.call(Nr::kPread64, {fd, kData, 8, 4, 0}) == FsKernel::error(Errno::kEINVAL));
  CHECK(machine.call(Nr::kPread64, {fd, 0x10000, 8, 0, 0}) == FsKernel::error(Errno::kEFAULT));
}

TEST_CASE("proc task: another user's memory and files are out of sight") {
  FsKernel machine;
  Task& child = fork(machine);
  const std::string of_child = fmt::format("/proc/{}/", child.tid);
  CHECK(machine.open_file(of_child + "maps") >= 0);
  become(*machine.task, 1000);
  for (const char* name :
       {"maps", "smaps", "smaps_rollup", "pagemap", "auxv", "environ", "fd", "fdinfo", "fdinfo/0", "task/{}/maps"}) {
    INFO(name);
    const std::string path = of_child + fmt::format(fmt::runtime(name), child.tid);
    CHECK(machine.open_file(path) == FsKernel::error(Errno::kEACCES));
  }
  CHECK(machine.call(Nr::kReadlink, {machine.string(of_child + "exe"), kData, 100}) == FsKernel::error(Errno::kEACCES));
  CHECK(text_of(machine, of_child + "status").find("\nCapEff:\t000001ffffffffff\n") != std::string::npos);
  // Where its code stands is no secret, but not told.
  CHECK(text_of(machine, of_child + "stat").find(" 1 1 0 0 0 ") != std::string::npos);
  CHECK(text_of(machine, "/proc/self/stat").find(fmt::format(" {} ", kCode)) != std::string::npos);
  become(child, 1000);
  CHECK(machine.open_file(of_child + "maps") >= 0);
  child.group->dumpable = 0;
  CHECK(machine.open_file(of_child + "maps") == FsKernel::error(Errno::kEACCES));
}

TEST_CASE("proc task: what was opened shows the memory of then, and nothing once that is gone") {
  FsKernel machine;
  Task& child = fork(machine);
  const auto fd = static_cast<uint32_t>(machine.open_file(fmt::format("/proc/{}/maps", child.tid)));
  const auto pagemap = static_cast<uint32_t>(machine.open_file(fmt::format("/proc/{}/pagemap", child.tid)));
  CHECK(machine.call(Nr::kPread64, {fd, kData, 50, 0, 0}) == 50);
  CHECK(machine.call(Nr::kPread64, {pagemap, kData, 8, 0, 0}) == 8);
  machine.kernel->exit_group(child, 0);
  CHECK(machine.call(Nr::kPread64, {fd, kData, 50, 0, 0}) == 0);
  CHECK(machine.call(Nr::kPread64, {pagemap, kData, 8, 0, 0}) == 0);
  REQUIRE(machine.call(kWaitPid, {child.tid, 0, 0}) > 0);
  CHECK(machine.call(Nr::kPread64, {fd, kData, 50, 0, 0}) == FsKernel::error(Errno::kESRCH));
  CHECK(machine.call(Nr::kPread64, {pagemap, kData, 8, 0, 0}) == 0);
}

TEST_CASE("proc task: oom_score_adj can be lowered by user 0 only, below what it set") {
  FsKernel machine;
  const auto set = [&](const std::string& value) {
    const auto fd = static_cast<uint32_t>(machine.open_file("/proc/self/oom_score_adj", OpenFlag::kWriteOnly));
    REQUIRE(static_cast<int32_t>(fd) >= 0);
    const int32_t done = machine.call(Nr::kWrite, {fd, machine.string(value), static_cast<uint32_t>(value.size())});
    REQUIRE(machine.call(Nr::kClose, {fd}) == 0);
    return done;
  };
  CHECK(set("-1000\n") == 6);
  CHECK(text_of(machine, "/proc/self/oom_score") == "0\n");
  CHECK(set("0") == 1);
  // Two thirds of a thousand, and a little for what it uses.
  const int score = std::stoi(text_of(machine, "/proc/self/oom_score"));
  CHECK((score > 666 && score < 700));
  CHECK(fork(machine).group->oom_score_adj_min == 0);
  become(*machine.task, 1000);
  CHECK(set("300") == 3);
  CHECK(set("0") == 1);
  CHECK(set("-1") == FsKernel::error(Errno::kEACCES));
  CHECK(text_of(machine, "/proc/self/oom_score_adj") == "0\n");
}

TEST_CASE("proc task: fdinfo of 6.1 has no semaphore, and each eventfd a number") {
  FsKernel machine;
  REQUIRE(machine.call(kEventfd, {7}) == 3);
  REQUIRE(machine.call(kEventfd, {8}) == 4);
  const std::string third = text_of(machine, "/proc/self/fdinfo/3"), fourth = text_of(machine, "/proc/self/fdinfo/4");
  CHECK(third.find("\neventfd-count:                7\neventfd-id: 0\n") != std::string::npos);
  CHECK(fourth.ends_with("\neventfd-count:                8\neventfd-id: 1\n"));
  CHECK(third.starts_with("pos:\t0\nflags:\t02\nmnt_id:\t4\nino:\t"));
  REQUIRE(machine.open_file("/proc/self/status") == 5);
  CHECK(text_of(machine, "/proc/self/fdinfo/5").find("\nmnt_id:\t5\n") == std::string::npos);
}

TEST_CASE("proc task: a 32-bit kernel's limits end at 32 bits") {
  FsKernel machine;
  machine.task->group->limits[Rlimit::kFsize] = {0xfffffffe, 0xffffffff};
  CHECK(text_of(machine, "/proc/self/limits")
            .find(fmt::format("\n{:<25} {:<20} {:<20} {:<10}\n", "Max file size", "4294967294", "unlimited",
                              "bytes")) != std::string::npos);
}

}  // namespace fl::guest::test
