// Files that are on the disk only: which faults are major, which pages a read brings, and what waits for the disk. The
// lists of pages are those of Linux 6.1.
#include <catch2/catch_test_macros.hpp>

#include "tests/unit/vm/vm_machine.hpp"
#include "vm/cache/readahead.hpp"

namespace fl::vm::test {
namespace {

using Pages = std::vector<uint32_t>;

class Clock final : public IoClock {
 public:
  uint64_t ns = 0;
  uint64_t now_ns() const override { return ns; }
};

// A machine whose files are cold, with a disk that takes time.
class ColdMachine : public Machine {
 public:
  explicit ColdMachine(const KernelProfile& profile = KernelProfile::i386_6_1()) : Machine(2048, profile) {
    memory().cache().readahead.cold = true;
    memory().disk().start(DiskModel::ssd(), &clock);
  }
  TestFile new_file(uint32_t pages) {
    TestFile file = Machine::new_file(pages);
    file.mapping().start_cold();
    return file;
  }
  // Touches pages, each after the disk has brought what the last one waited for.
  void touch_pages(VirtAddr start, const Pages& pages) {
    major.clear();
    minor.clear();
    for (const uint32_t page : pages) {
      const FaultCounters before = task;
      touch(start + bytes_of(page), mmu::Access::kRead);
      if (task.major != before.major) {
        major.push_back(page);
      } else if (task.minor != before.minor) {
        minor.push_back(page);
      }
      clock.ns = std::max(clock.ns, memory().disk().take_wait());
    }
  }
  Clock clock;
  Pages major, minor;
};

Pages range(uint32_t first, uint32_t end, uint32_t step = 1) {
  Pages pages;
  for (uint32_t page = first; page < end; page += step) {
    pages.push_back(page);
  }
  return pages;
}

}  // namespace

TEST_CASE("readahead: pages in order: the window around the first, then one at each mark") {
  ColdMachine machine;
  const TestFile file = machine.new_file(256);
  const VirtAddr at = machine.map(0x10000000, 256, kRead, MapFlag::kPrivate, file.file);
  machine.touch_pages(at, range(0, 256));
  CHECK(machine.major == Pages{0, 24, 32, 64, 96, 128, 160, 192, 224});
  CHECK(machine.minor == Pages{16, 48, 80, 112, 144, 176, 208, 240});
  CHECK(file.store->reads == 8);
}

TEST_CASE("readahead: with per-VMA locks only a page that was missing makes a fault major") {
  ColdMachine machine(KernelProfile::compat_6_18());
  const TestFile file = machine.new_file(256);
  const VirtAddr at = machine.map(0x10000000, 256, kRead, MapFlag::kPrivate, file.file);
  machine.touch_pages(at, range(0, 256));
  CHECK(machine.major == Pages{0});
}

TEST_CASE("readahead: places far from each other are read around") {
  ColdMachine machine;
  const TestFile file = machine.new_file(256);
  const VirtAddr at = machine.map(0x10000000, 256, kRead, MapFlag::kPrivate, file.file);
  machine.touch_pages(at, range(100, 256, 20));
  CHECK(machine.major == Pages{100, 120, 140, 160, 180, 200, 220, 240});
  CHECK(machine.minor.empty());
  CHECK(file.mapping().find(83) == kNoPage);
  CHECK(file.mapping().find(84) != kNoPage);
}

TEST_CASE("readahead: advice") {
  ColdMachine machine;
  const TestFile file = machine.new_file(256);
  const VirtAddr at = machine.map(0x10000000, 256, kRead, MapFlag::kPrivate, file.file);

  SECTION("random: each page by itself") {
    REQUIRE(machine.mm().madvise(at, bytes_of(256), 1 /* MADV_RANDOM */, machine.task));
    machine.touch_pages(at, range(0, 40));
    CHECK(machine.major == range(0, 40));
  }
  SECTION("sequential: windows from the page on, the mark in the middle of the first") {
    REQUIRE(machine.mm().madvise(at, bytes_of(256), 2 /* MADV_SEQUENTIAL */, machine.task));
    machine.touch_pages(at, range(100, 170));
    CHECK(machine.major == Pages{100, 132, 164});
  }
  SECTION("willneed: nobody waits, but for pages that are still in flight") {
    REQUIRE(machine.mm().madvise(at, bytes_of(64), 3 /* MADV_WILLNEED */, machine.task));
    CHECK(machine.memory().disk().take_wait() == 0);
    CHECK(file.mapping().in_flight(63));
    machine.touch_pages(at, {0, 20, 63});
    CHECK(machine.major == Pages{0});
    CHECK(machine.minor == Pages{20, 63});
    CHECK_FALSE(file.mapping().in_flight(63));
    CHECK(file.mapping().find(64) == kNoPage);
  }
  SECTION("POSIX_FADV_DONTNEED: whole pages that nobody uses must be read again") {
    machine.touch_pages(at, range(0, 256));
    REQUIRE(machine.mm().munmap(at, bytes_of(256)));
    generic_fadvise(file.mapping(), file.file->ra, 100, bytes_of(10), FileAdvice::kDontNeed);
    CHECK(file.mapping().find(0) != kNoPage);
    CHECK(file.mapping().must_read(1));
    CHECK(file.mapping().must_read(9));
    CHECK(file.mapping().find(10) != kNoPage);
    generic_fadvise(file.mapping(), file.file->ra, 0, 0, FileAdvice::kDontNeed);
    CHECK(file.mapping().cached_pages() == 0);
  }
}

TEST_CASE("readahead: a stream of reads gets windows that grow") {
  ColdMachine machine;
  const TestFile file = machine.new_file(256);
  FileRaState& ra = file.file->ra;
  std::vector<std::byte> buffer(2 * kPageSize);
  const auto read = [&](uint64_t offset, size_t bytes) {
    REQUIRE(*file.mapping().read(offset, std::span(buffer).first(bytes), &ra) == bytes);
    machine.clock.ns = std::max(machine.clock.ns, machine.memory().disk().take_wait());
  };
  read(0, 100);
  CHECK(file.mapping().cached_pages() == 4);
  CHECK(file.mapping().has_readahead(1));
  read(100, 100);
  CHECK(file.mapping().cached_pages() == 4);
  read(kPageSize, 100);  // the mark
  CHECK(file.mapping().cached_pages() == 12);
  CHECK(file.mapping().has_readahead(4));
  read(bytes_of(4), 8192);
  CHECK(file.mapping().cached_pages() == 28);
  read(bytes_of(12), 8192);
  CHECK(file.mapping().cached_pages() == 60);
  // Somewhere else: what is asked for.
  read(bytes_of(200), 5000);
  CHECK(file.mapping().cached_pages() == 62);
  CHECK(file.mapping().find(201) != kNoPage);
}

TEST_CASE("readahead: a warm file has no misses until its pages are dropped") {
  Machine machine(1024);
  const TestFile file = machine.new_file(64);
  const VirtAddr at = machine.map(0x10000000, 64, kRead, MapFlag::kPrivate, file.file);
  machine.faults_of(at, 64, mmu::Access::kRead);
  CHECK(machine.task.major == 0);
  CHECK(machine.task.minor == 4);
  REQUIRE(machine.mm().munmap(at, bytes_of(64)));
  machine.memory().cache().drop_pagecache();
  CHECK(file.mapping().cached_pages() == 0);
  machine.map(0x10000000, 64, kRead, MapFlag::kPrivate, file.file);
  machine.faults_of(at, 64, mmu::Access::kRead);
  CHECK(machine.task.major == 3);  // 0, 24, 32
}

TEST_CASE("readahead: an unreadable page is an error for who needs it") {
  ColdMachine machine;
  const TestFile file = machine.new_file(64);
  file.store->fail_reads = true;
  const VirtAddr at = machine.map(0x10000000, 64, kRead, MapFlag::kPrivate, file.file);
  CHECK(machine.touch(at, mmu::Access::kRead).refused == FaultResult::kBusErr);
  std::array<std::byte, 10> buffer{};
  CHECK(file.mapping().read(0, buffer, &file.file->ra).error() == Errno::kEIO);
  file.store->fail_reads = false;
  CHECK(machine.load(at) == 1);
}

TEST_CASE("request queue: one request after the other, each with its seek") {
  Clock clock;
  RequestQueue disk;
  const DiskModel model = *DiskModel::parse("100,4");  // 1.024 ms a page
  const int store = 0, other = 0;
  CHECK(disk.submit(&store, 0, 1) == 0);  // no clock yet
  disk.start(model, &clock);
  clock.ns = 1'000'000;
  CHECK(disk.submit(&store, 100, 1) == 2'124'000);
  CHECK(disk.submit(&store, 101, 2) == 4'172'000);
  CHECK(disk.submit(&other, 103, 1) == 5'296'000);
  CHECK(disk.backlog_ns() == 4'296'000);
  CHECK_FALSE(disk.done(2'124'000));
  disk.wait_until(2'124'000);
  CHECK(disk.done(2'124'000));  // for who waits it is over
  CHECK(disk.take_wait() == 2'124'000);
  CHECK_FALSE(disk.done(2'124'000));
  CHECK(DiskModel::parse("ssd") == DiskModel::ssd());
  CHECK_FALSE(DiskModel::parse("none")->takes_time());
  for (const char* wrong : {"", "fast", "1", "1,", ",1", "1,0", "1,2,3", "-1,5", "1, 5"}) {
    CHECK_FALSE(DiskModel::parse(wrong));
  }
}

TEST_CASE("writeback: too many dirty pages are written back, and who made them waits") {
  ColdMachine machine;
  machine.memory().cache().readahead.cold = false;
  const TestFile file = machine.new_file(1024);
  const VirtAddr at = machine.map(0x10000000, 1024, kRw, MapFlag::kShared, file.file);
  uint32_t most = 0;
  bool waited = false;
  for (uint32_t page = 0; page < 1024; ++page) {
    machine.store(at + bytes_of(page), page + 7);
    most = std::max(most, file.mapping().dirty_pages());
    CHECK(machine.memory().cache().dirty_pages() == file.mapping().dirty_pages());
    waited |= machine.memory().disk().take_wait() != 0;
  }
  CHECK(most > 100);
  CHECK(most < 300);  // a tenth of what can be dirty, not all of it
  CHECK(file.store->writes > 700);
  CHECK(waited);  // no time passed, so the disk had done nothing
  waited = false;
  for (uint32_t page = 0; page < 1024; ++page) {
    machine.store(at + bytes_of(page), page + 8);
    waited |= machine.memory().disk().take_wait() != 0;
    machine.clock.ns += 100'000'000;
  }
  CHECK_FALSE(waited);
  REQUIRE(file.mapping().write_back(0, UINT64_MAX));
  CHECK(machine.memory().cache().dirty_pages() == 0);
  CHECK(file.store->word(bytes_of(1000)) == 1008);
}

}  // namespace fl::vm::test
