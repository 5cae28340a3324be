// mremap, madvise, mlock, msync and mincore by their manual pages.
#include <catch2/catch_test_macros.hpp>

#include "tests/unit/vm/vm_machine.hpp"

namespace fl::vm::test {
namespace {

using Maps = std::vector<std::string>;

constexpr uint32_t kMayMove = MremapFlag::kMayMove;
constexpr uint32_t kFixedMove = MremapFlag::kMayMove | MremapFlag::kFixed;
constexpr uint32_t kDontUnmap = MremapFlag::kMayMove | MremapFlag::kDontUnmap;

Errno error(const Result<VirtAddr>& result) { return result ? Errno{} : result.error(); }
Errno error(const Status& result) { return result ? Errno{} : result.error(); }

struct Remap : Machine {
  VirtAddr at = map_anon(0x10000000, 4);
  Remap() {
    for (uint32_t page = 0; page < 4; ++page) {
      store(at + bytes_of(page), 100 + page);
    }
  }
  Result<VirtAddr> mremap(VirtAddr from, uint32_t old_pages, uint32_t new_pages, uint32_t flags, uint32_t to = 0) {
    return mm().mremap(from, bytes_of(old_pages), bytes_of(new_pages), flags, VirtAddr(to), task);
  }
};

enum Advice {
  kNormal = 0,
  kRandom = 1,
  kWillNeed = 3,
  kDontNeed = 4,
  kFree = 8,
  kPopulateRead = 22,
  kPopulateWrite = 23
};
enum Sync : uint32_t { kAsync = 1, kInvalidate = 2, kSync = 4 };

}  // namespace

TEST_CASE("mremap: shrinking cuts the tail off in place") {
  Remap machine;
  CHECK(machine.mremap(machine.at, 4, 2, 0) == machine.at);
  CHECK(machine.maps() == Maps{"10000-10002 rw-p"});
  CHECK(machine.problems().empty());
}

TEST_CASE("mremap: growing stays in place where there is room, and merges with what it meets") {
  Remap machine;
  machine.map_anon(0x10008000, 1);
  CHECK(machine.mremap(machine.at, 4, 6, 0) == machine.at);
  CHECK(machine.maps() == Maps{"10000-10006 rw-p", "10008-10009 rw-p"});
  CHECK(machine.mremap(machine.at, 6, 8, 0) == machine.at);
  // Before 6.16 an unwritten neighbour takes no written area.
  CHECK(machine.maps() == Maps{"10000-10008 rw-p", "10008-10009 rw-p"});
  machine.store(VirtAddr(0x10008000), 1);
  CHECK(machine.mremap(machine.at, 8, 8, 0) == machine.at);
  const uint64_t before = machine.faults();
  CHECK(machine.load(machine.at + bytes_of(3)) == 103);
  CHECK(machine.faults() == before);
  CHECK(machine.problems().empty());
}

TEST_CASE("mremap: without room it moves if it may, with its pages and without faults") {
  Remap machine;
  machine.map_anon(0x10004000, 1, kRead);
  CHECK(error(machine.mremap(machine.at, 4, 5, 0)) == Errno::kENOMEM);
  const VirtAddr moved = *machine.mremap(machine.at, 4, 5, kMayMove);
  CHECK(moved == VirtAddr(0xB7FFB000));
  CHECK(machine.stale_translations().empty());
  const uint64_t before = machine.faults();
  for (uint32_t page = 0; page < 4; ++page) {
    CHECK(machine.load(moved + bytes_of(page)) == 100 + page);
  }
  CHECK(machine.faults() == before);
  CHECK(machine.load(moved + bytes_of(4)) == 0);
  CHECK(machine.maps() == Maps{"10004-10005 r--p", "b7ffb-b8000 rw-p"});
  CHECK(machine.problems().empty());
}

TEST_CASE("mremap: part of an area moves to a fixed place across a page-table border, replacing what stands there") {
  Remap machine;
  machine.map_anon(0x103FF000, 2, kRead);
  CHECK(machine.mremap(machine.at + bytes_of(1), 2, 2, kFixedMove, 0x103FF000) == VirtAddr(0x103FF000));
  CHECK(machine.maps() == Maps{"10000-10001 rw-p", "10003-10004 rw-p", "103ff-10401 rw-p"});
  CHECK(machine.load(VirtAddr(0x103FF000)) == 101);
  CHECK(machine.load(VirtAddr(0x10400000)) == 102);
  CHECK(machine.problems().empty());
}

TEST_CASE("mremap: MREMAP_DONTUNMAP leaves an empty area behind") {
  Remap machine;
  const VirtAddr moved = *machine.mremap(machine.at, 4, 4, kDontUnmap);
  CHECK(machine.load(moved) == 100);
  CHECK(machine.load(machine.at) == 0);
  CHECK(machine.maps().size() == 2);
  CHECK_FALSE(machine.mm().areas().lookup(machine.at)->has_anon_vma());
  CHECK(machine.problems().empty());
}

TEST_CASE("mremap: an old length of 0 maps shared memory a second time") {
  Machine machine;
  const VirtAddr at = machine.map(0x10000000, 2, kRw, kAnonShared);
  machine.store(at + bytes_of(1), 5);
  const VirtAddr again = *machine.mm().mremap(at, 0, bytes_of(2), kMayMove, VirtAddr(0), machine.task);
  CHECK(machine.load(again + bytes_of(1)) == 5);
  machine.store(again, 6);
  CHECK(machine.load(at) == 6);
  CHECK(machine.problems().empty());
}

TEST_CASE("mremap: errors come in Linux's order") {
  Remap machine;
  const VirtAddr at = machine.at;
  CHECK(error(machine.mremap(at, 1, 1, 8)) == Errno::kEINVAL);
  CHECK(error(machine.mremap(at, 1, 1, MremapFlag::kFixed, 0x20000000)) == Errno::kEINVAL);
  CHECK(error(machine.mremap(at, 1, 1, MremapFlag::kDontUnmap)) == Errno::kEINVAL);
  CHECK(error(machine.mremap(at, 1, 2, kDontUnmap)) == Errno::kEINVAL);
  CHECK(error(machine.mremap(at + 1, 1, 1, 0)) == Errno::kEINVAL);
  CHECK(error(machine.mremap(at, 1, 0, 0)) == Errno::kEINVAL);
  CHECK(error(machine.mremap(VirtAddr(0x20000000), 1, 2, kMayMove)) == Errno::kEFAULT);
  CHECK(error(machine.mremap(at, 1, 1, kFixedMove, 0x20000001)) == Errno::kEINVAL);
  CHECK(error(machine.mremap(at, 1, 1, kFixedMove, 0xBFFFFFFF)) == Errno::kEINVAL);
  CHECK(error(machine.mremap(at, 1, 2, kFixedMove, 0xBFFFF000)) == Errno::kEINVAL);
  CHECK(error(machine.mremap(at, 2, 2, kFixedMove, 0x10001000)) == Errno::kEINVAL);
  CHECK(error(machine.mremap(at, 1, 1, kFixedMove, 0x1000)) == Errno::kEPERM);
  CHECK(error(machine.mremap(at, 0, 1, kMayMove)) == Errno::kEINVAL);
  CHECK(error(machine.mremap(at, 5, 6, kMayMove)) == Errno::kEFAULT);
  CHECK(error(machine.mm().mremap(at, bytes_of(1), 0xC0001000, kMayMove, VirtAddr(0), machine.task)) == Errno::kENOMEM);
  machine.mm().set_limits({.address_space = bytes_of(5)});
  CHECK(error(machine.mremap(at, 4, 6, kMayMove)) == Errno::kENOMEM);
  CHECK(machine.maps() == Maps{"10000-10004 rw-p"});
}

// What real Linux 6.18 answers, and what is mapped then.
TEST_CASE("mremap: on 6.18 a move takes all areas of its range along, and a refused one leaves the new place alone") {
  Machine machine(256, KernelProfile::compat_6_18());
  const VirtAddr at(0x10000000);
  const auto move = [&](uint32_t from, uint32_t old_pages, uint32_t new_pages, uint32_t flags, uint32_t to) {
    return machine.mm().mremap(at + bytes_of(from), bytes_of(old_pages), bytes_of(new_pages), flags, at + bytes_of(to),
                               machine.task);
  };
  SECTION("nothing there: the overlap is seen first") {
    CHECK(error(move(0, 2, 2, kDontUnmap, 0)) == Errno::kEINVAL);
    CHECK(error(move(0, 2, 2, kFixedMove, 1)) == Errno::kEINVAL);
    CHECK(error(move(0, 2, 2, kFixedMove, 8)) == Errno::kEFAULT);
  }
  SECTION("with the holes, where what stood there stays") {
    machine.map_anon(0x10000000, 2);
    machine.map_anon(0x10003000, 2, kRead);
    machine.map_anon(0x1000A000, 8, kRw | kExec);
    machine.store(at, 7);
    CHECK(move(0, 6, 6, kFixedMove, 10) == at + bytes_of(10));
    CHECK(machine.maps() == Maps{"1000a-1000c rw-p", "1000c-1000d rwxp", "1000d-1000f r--p", "1000f-10012 rwxp"});
    CHECK(machine.load(at + bytes_of(10)) == 7);
  }
  SECTION("not from a hole") {
    machine.map_anon(0x10001000, 2);
    machine.map_anon(0x1000A000, 8, kRead);
    CHECK(error(move(0, 6, 6, kFixedMove, 10)) == Errno::kEFAULT);
    CHECK(machine.maps() == Maps{"10001-10003 rw-p", "1000a-10012 r--p"});
  }
  SECTION("not while growing") {
    machine.map_anon(0x10000000, 2);
    machine.map_anon(0x10002000, 2, kRead);
    machine.map_anon(0x1000A000, 8, kRead);
    CHECK(error(move(0, 4, 6, kFixedMove, 10)) == Errno::kEFAULT);
    CHECK(machine.maps() == Maps{"10000-10002 rw-p", "10002-10004 r--p", "1000a-10012 r--p"});
  }
  SECTION("what shrinking cuts off may be several") {
    machine.map_anon(0x10000000, 2);
    machine.map_anon(0x10002000, 2, kRead);
    CHECK(move(0, 6, 1, kFixedMove, 10) == at + bytes_of(10));
    CHECK(machine.maps() == Maps{"1000a-1000b rw-p"});
  }
  SECTION("what is left may not") {
    machine.map_anon(0x10000000, 2);
    machine.map_anon(0x10002000, 2, kRead);
    CHECK(error(move(0, 4, 3, kFixedMove, 10)) == Errno::kEFAULT);
    CHECK(machine.maps() == Maps{"10000-10002 rw-p", "10002-10004 r--p"});
  }
  SECTION("MREMAP_DONTUNMAP, to a place of its own") {
    machine.map_anon(0x10000000, 2);
    machine.map_anon(0x10002000, 2, kRead);
    machine.store(at, 7);
    CHECK(error(move(0, 4, 4, kDontUnmap, 10)) == Errno::kEFAULT);
    CHECK(move(0, 4, 4, kDontUnmap | kFixedMove, 10) == at + bytes_of(10));
    CHECK(machine.maps() == Maps{"10000-10002 rw-p", "10002-10004 r--p", "1000a-1000c rw-p", "1000c-1000e r--p"});
    CHECK(machine.load(at + bytes_of(10)) == 7);
    CHECK(machine.load(at) == 0);
  }
  SECTION("the area that a part of it left is no longer locked") {
    machine.map_anon(0x10000000, 4);
    REQUIRE(machine.mm().mlock(at, bytes_of(4), machine.task));
    CHECK(move(1, 1, 1, kDontUnmap | kFixedMove, 10) == at + bytes_of(10));
    CHECK_FALSE(machine.mm().areas().lookup(at)->has(VmFlag::kLocked));
    CHECK(machine.mm().areas().lookup(at + bytes_of(10))->has(VmFlag::kLocked));
    CHECK(machine.mm().use().locked_vm == 1);
  }
  CHECK(machine.problems().empty());
}

TEST_CASE("mremap: when no frame is left for a page table nothing has moved and nothing is lost") {
  Remap machine;
  const auto maps = machine.maps();
  const uint32_t free_before = machine.free_or_slab_frames();
  // The area, its anon_vma_chain, two tables.
  for (uint32_t n = 1; n <= 4; ++n) {
    machine.pages().fail_allocation(n);
    CHECK(error(machine.mremap(machine.at, 4, 4, kFixedMove, 0x203FE000)) == Errno::kENOMEM);
    CHECK(machine.maps() == maps);
    CHECK(machine.free_or_slab_frames() == free_before);
    CHECK(machine.problems().empty());
  }
  CHECK(machine.load(machine.at) == 100);
}

TEST_CASE("mremap: a mapping of a file grows over the file's end, where access is SIGBUS") {
  Machine machine;
  const TestFile file = machine.new_file(3);
  machine.map(0x10000000, 1, kRead, MapFlag::kPrivate, file.file, 1);
  REQUIRE(machine.mm().mremap(VirtAddr(0x10000000), bytes_of(1), bytes_of(3), 0, VirtAddr(0), machine.task));
  CHECK(machine.load(VirtAddr(0x10001000)) == 3);
  CHECK(machine.touch(VirtAddr(0x10002000), mmu::Access::kRead).refused == FaultResult::kBusErr);
}

TEST_CASE("madvise: DONTNEED drops private pages, and shared ones come back as they were") {
  Remap machine;
  const VirtAddr shared = machine.map(0x10010000, 2, kRw, kAnonShared);
  machine.store(shared, 9);
  AddressSpace& mm = machine.mm();
  REQUIRE(mm.madvise(machine.at, bytes_of(2), kDontNeed, machine.task));
  REQUIRE(mm.madvise(shared, bytes_of(2), kDontNeed, machine.task));
  CHECK(machine.stale_translations().empty());
  CHECK(machine.load(machine.at) == 0);
  CHECK(machine.load(machine.at + bytes_of(2)) == 102);
  CHECK(machine.load(shared) == 9);
  CHECK(machine.problems().empty());
}

TEST_CASE("madvise: a flag splits the area and taking it back merges it") {
  Remap machine;
  REQUIRE(machine.mm().madvise(machine.at + bytes_of(1), bytes_of(1), kRandom, machine.task));
  CHECK(machine.maps().size() == 3);
  REQUIRE(machine.mm().madvise(machine.at, bytes_of(4), kNormal, machine.task));
  CHECK(machine.maps() == Maps{"10000-10004 rw-p"});
}

TEST_CASE("madvise: errors, and what is done in spite of holes") {
  Remap machine;
  machine.map_anon(0x10006000, 1);
  machine.store(VirtAddr(0x10006000), 6);
  AddressSpace& mm = machine.mm();
  CHECK(error(mm.madvise(machine.at + 1, bytes_of(1), kNormal, machine.task)) == Errno::kEINVAL);
  CHECK(error(mm.madvise(machine.at, bytes_of(1), 99, machine.task)) == Errno::kEINVAL);
  CHECK(error(mm.madvise(machine.at, 0, kNormal, machine.task)) == Errno{});
  CHECK(error(mm.madvise(machine.at, 0, 99, machine.task)) == Errno::kEINVAL);
  CHECK(error(mm.madvise(VirtAddr(0x10000000), 0xffffffff, kNormal, machine.task)) == Errno::kEINVAL);
  CHECK(error(mm.madvise(machine.at, bytes_of(7), kDontNeed, machine.task)) == Errno::kENOMEM);
  CHECK(machine.load(VirtAddr(0x10006000)) == 0);
  REQUIRE(mm.mlock(machine.at, bytes_of(1), machine.task));
  CHECK(error(mm.madvise(machine.at, bytes_of(1), kDontNeed, machine.task)) == Errno::kEINVAL);
  CHECK(error(mm.madvise(machine.at, bytes_of(1), kFree, machine.task)) == Errno::kEINVAL);
  CHECK(error(mm.madvise(machine.at, bytes_of(1), /*DONTNEED_LOCKED*/ 24, machine.task)) == Errno{});
}

TEST_CASE("madvise: POPULATE_READ and POPULATE_WRITE fault pages in, or say why not") {
  Machine machine;
  const VirtAddr at = machine.map_anon(0x10000000, 4);
  AddressSpace& mm = machine.mm();
  REQUIRE(mm.madvise(at, bytes_of(2), kPopulateRead, machine.task));
  CHECK(machine.faults() == 2);
  CHECK(machine.writes(at, 2) == 2);
  REQUIRE(mm.madvise(at + bytes_of(2), bytes_of(2), kPopulateWrite, machine.task));
  CHECK(machine.faults() == 6);
  CHECK(machine.writes(at, 4) == 0);
  CHECK(error(mm.madvise(at, bytes_of(5), kPopulateRead, machine.task)) == Errno::kENOMEM);
  machine.map_anon(0x10010000, 1, kRead);
  CHECK(error(mm.madvise(VirtAddr(0x10010000), bytes_of(1), kPopulateWrite, machine.task)) == Errno::kEINVAL);
  const TestFile file = machine.new_file(1);
  machine.map(0x10020000, 2, kRead, MapFlag::kPrivate, file.file);
  CHECK(error(mm.madvise(VirtAddr(0x10020000), bytes_of(2), kPopulateRead, machine.task)) == Errno::kEFAULT);
}

TEST_CASE("madvise: POPULATE_WRITE goes on behind a hole in 6.1, and ends there in 6.18") {
  for (const KernelProfile* profile : {&KernelProfile::i386_6_1(), &KernelProfile::compat_6_18()}) {
    Machine machine(256, *profile);
    const VirtAddr at = machine.map_anon(0x10000000, 2);
    const VirtAddr behind = machine.map_anon(0x10003000, 2);
    CHECK(error(machine.mm().madvise(at, bytes_of(5), kPopulateWrite, machine.task)) == Errno::kENOMEM);
    CHECK(machine.writes(at, 2) == 0);
    CHECK(machine.writes(behind, 2) == (profile->populate_passes_holes ? 0 : 2));
  }
}

TEST_CASE("madvise: WILLNEED reads a file's pages into the cache without mapping them") {
  Machine machine;
  const TestFile file = machine.new_file(8);
  file.mapping().forget_cached(0, 7);
  const VirtAddr at = machine.map(0x10000000, 8, kRead, MapFlag::kPrivate, file.file);
  REQUIRE(machine.mm().madvise(at, bytes_of(8), kWillNeed, machine.task));
  CHECK(file.mapping().cached_pages() == 8);
  CHECK(machine.mm().use().file_rss == 0);
}

TEST_CASE("mlock: makes pages present, splits areas, counts, and munlock merges") {
  Machine machine;
  const VirtAddr at = machine.map_anon(0x10000000, 4);
  machine.reads(at, 1);
  AddressSpace& mm = machine.mm();
  REQUIRE(mm.mlock(at + 1, bytes_of(2), machine.task));  // touches three pages
  CHECK(mm.use().locked_vm == 3);
  CHECK(machine.faults() == 1 + 3);
  CHECK(machine.maps().size() == 2);
  CHECK(machine.writes(at, 3) == 0);
  REQUIRE(mm.munlock(at, bytes_of(4)));
  CHECK(mm.use().locked_vm == 0);
  CHECK(machine.maps() == Maps{"10000-10003 rw-p", "10003-10004 rw-p"});
}

TEST_CASE("mlock: on 6.18 munlock merges the written area with its unwritten neighbour") {
  Machine machine(256, KernelProfile::compat_6_18());
  const VirtAddr at = machine.map_anon(0x10000000, 4);
  REQUIRE(machine.mm().mlock(at, bytes_of(3), machine.task));
  CHECK(machine.maps().size() == 2);
  REQUIRE(machine.mm().munlock(at, bytes_of(4)));
  CHECK(machine.maps() == Maps{"10000-10004 rw-p"});
}

TEST_CASE("mlock: errors") {
  Machine machine;
  const VirtAddr at = machine.map_anon(0x10000000, 2);
  AddressSpace& mm = machine.mm();
  mm.set_limits({.memlock = bytes_of(2)});
  CHECK(error(mm.mlock(at, bytes_of(3), machine.task)) == Errno::kENOMEM);
  CHECK(error(mm.mlock(at + bytes_of(1), bytes_of(2), machine.task)) == Errno::kENOMEM);
  CHECK(mm.use().locked_vm == 1);  // up to the hole
  REQUIRE(mm.mlock(at, bytes_of(2), machine.task));
  CHECK(error(mm.mlock(at, bytes_of(2), machine.task)) == Errno{});  // not counted twice
  CHECK(error(mm.munlock(VirtAddr(0x20000000), bytes_of(1))) == Errno::kENOMEM);
  machine.map_anon(0x10010000, 1, 0);
  mm.set_limits({});
  CHECK(error(mm.mlock(VirtAddr(0x10010000), bytes_of(1), machine.task)) == Errno::kENOMEM);
  mm.set_limits({.memlock = 0});
  CHECK(error(mm.mlock(at, bytes_of(1), machine.task)) == Errno::kEPERM);
}

TEST_CASE("mlockall: takes what is mapped, MCL_FUTURE what will be, munlockall neither") {
  Machine machine;
  AddressSpace& mm = machine.mm();
  const VirtAddr at = machine.map_anon(0x10000000, 2);
  machine.map_anon(0x10010000, 1, 0);
  CHECK(error(mm.mlockall(0, machine.task)) == Errno::kEINVAL);
  CHECK(error(mm.mlockall(4, machine.task)) == Errno::kEINVAL);
  REQUIRE(mm.mlockall(3, machine.task));
  CHECK(machine.faults() == 2);
  CHECK(mm.use().locked_vm == 3);
  machine.map_anon(0x10020000, 3);
  CHECK(machine.faults() == 5);
  mm.layout().start_brk = mm.layout().brk = VirtAddr(0x08100000);
  mm.brk(VirtAddr(0x08102000), machine.task);
  CHECK(machine.faults() == 7);
  REQUIRE(mm.munlockall());
  CHECK(mm.use().locked_vm == 0);
  machine.map_anon(0x10030000, 3);
  CHECK(machine.faults() == 7);
  mm.set_limits({.memlock = bytes_of(1)});
  CHECK(error(mm.mlockall(1, machine.task)) == Errno::kENOMEM);
  CHECK(machine.writes(at, 2) == 0);
  CHECK(machine.problems().empty());
}

TEST_CASE("msync: MS_SYNC writes back what was stored through a shared mapping") {
  Machine machine;
  const TestFile file = machine.new_file(4);
  const VirtAddr at = machine.map(0x10000000, 4, kRw, MapFlag::kShared, file.file);
  machine.store(at + bytes_of(1) + 8, 0x1234);
  CHECK(file.store->word(bytes_of(1) + 8) == 0);
  REQUIRE(machine.mm().msync(at, bytes_of(4), kAsync));
  CHECK(file.store->word(bytes_of(1) + 8) == 0);
  REQUIRE(machine.mm().msync(at, bytes_of(4), kSync));
  CHECK(file.store->word(bytes_of(1) + 8) == 0x1234);
  CHECK(file.store->writes == 1);
}

TEST_CASE("msync: errors") {
  Machine machine;
  const VirtAddr at = machine.map_anon(0x10000000, 1);
  AddressSpace& mm = machine.mm();
  CHECK(error(mm.msync(at + 1, bytes_of(1), kSync)) == Errno::kEINVAL);
  CHECK(error(mm.msync(at, bytes_of(1), kSync | kAsync)) == Errno::kEINVAL);
  CHECK(error(mm.msync(at, bytes_of(1), 8)) == Errno::kEINVAL);
  CHECK(error(mm.msync(at, bytes_of(2), kSync)) == Errno::kENOMEM);
  CHECK(error(mm.msync(VirtAddr(0x20000000), bytes_of(1), kSync)) == Errno::kENOMEM);
  CHECK(error(mm.msync(VirtAddr(0x20000000), 0, kSync)) == Errno{});
  REQUIRE(mm.mlock(at, bytes_of(1), machine.task));
  CHECK(error(mm.msync(at, bytes_of(1), kSync | kInvalidate)) == Errno::kEBUSY);
  const TestFile file = machine.new_file(1);
  const VirtAddr shared = machine.map(0x10010000, 1, kRw, MapFlag::kShared, file.file);
  machine.store(shared, 1);
  file.store->fail_writes = true;
  CHECK(error(mm.msync(shared, bytes_of(1), kSync)) == Errno::kEIO);
  file.store->fail_writes = false;
  CHECK(machine.problems().empty());
  CHECK(error(mm.msync(shared, bytes_of(1), kSync)) == Errno{});
  CHECK(file.store->word(0) == 1);
}

TEST_CASE("mincore: tells which pages are in memory, and a host file's always are") {
  Machine machine;
  const VirtAddr at = machine.map_anon(0x10000000, 3);
  machine.reads(at, 1);
  machine.writes(at + bytes_of(2), 1);
  std::vector<uint8_t> resident(3, 9);
  const auto anybody = [](const MappedFile&) { return true; };
  const auto nobody = [](const MappedFile&) { return false; };
  CHECK(machine.mm().mincore(at, resident, anybody) == 3u);
  CHECK(resident == std::vector<uint8_t>{1, 0, 1});
  struct NoHoles final : FileOperations {
    Status punch_hole(uint64_t, uint64_t) override { return fail(Errno::kEOPNOTSUPP); }
  } operations;
  const TestFile file = machine.new_file(2);
  file.file->operations = &operations;
  machine.map(0x10010000, 3, kRead, MapFlag::kPrivate, file.file);
  CHECK(machine.mm().mincore(VirtAddr(0x10010000), resident, anybody) == 3u);
  CHECK(resident == std::vector<uint8_t>{1, 1, 0});
  CHECK(machine.mm().mincore(VirtAddr(0x10010000), resident, nobody) == 3u);
  CHECK(resident == std::vector<uint8_t>{1, 1, 1});
  // As far as the area goes.
  std::vector<uint8_t> more(4);
  CHECK(machine.mm().mincore(at + bytes_of(1), more, anybody) == 2u);
  CHECK(machine.mm().mincore(at + bytes_of(3), more, anybody).error() == Errno::kENOMEM);
}

}  // namespace fl::vm::test
