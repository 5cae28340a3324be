// The page cache: one cache for read() and mmap, dropping, writing back, truncation.
#include <catch2/catch_test_macros.hpp>

#include "tests/unit/vm/dies.hpp"
#include "tests/unit/vm/vm_machine.hpp"

namespace fl::vm::test {
namespace {

uint32_t read_word(Mapping& mapping, uint64_t offset) {
  uint32_t value = 0;
  const auto got = mapping.read(offset, std::as_writable_bytes(std::span(&value, 1)));
  FL_CHECK(got && *got == sizeof value);
  return value;
}

}  // namespace

TEST_CASE("cache: read() and mmap see the same frame") {
  Machine machine;
  const TestFile file = machine.new_file(4);
  const VirtAddr at = machine.map(0x10000000, 4, kRw, MapFlag::kShared, file.file);
  CHECK(read_word(file.mapping(), bytes_of(2)) == 3);
  CHECK(machine.load(at + bytes_of(2)) == 3);
  machine.store(at + bytes_of(2), 77);
  CHECK(read_word(file.mapping(), bytes_of(2)) == 77);
  CHECK(machine.pte(at + bytes_of(2)).pfn() == Pfn(file.mapping().find(2)));
}

TEST_CASE("cache: read() stops at the end of the file and crosses pages") {
  Machine machine;
  const TestFile file = machine.new_file(2);
  file.store->bytes.resize(kPageSize + 100);
  std::vector<std::byte> buffer(3 * kPageSize);
  CHECK(*file.mapping().read(0, buffer) == kPageSize + 100);
  CHECK(*file.mapping().read(kPageSize - 1, std::span(buffer).first(2)) == 2);
  CHECK(*file.mapping().read(kPageSize + 100, buffer) == 0);
  CHECK(*file.mapping().read(uint64_t{1} << 40, buffer) == 0);
}

TEST_CASE("cache: the rest of the last page is zeros") {
  Machine machine;
  const TestFile file = machine.new_file(1);
  file.store->bytes.resize(10);
  const VirtAddr at = machine.map(0x10000000, 1, kRead, MapFlag::kPrivate, file.file);
  CHECK(machine.load(at) == 1);
  CHECK(machine.load(at + 12) == 0);
  CHECK(machine.load(at + 4092) == 0);
}

TEST_CASE("cache: a read of many pages asks the store for 32 at a time") {
  Machine machine;
  const TestFile file = machine.new_file(100);
  std::vector<std::byte> buffer(100 * kPageSize);
  CHECK(*file.mapping().read(0, buffer) == buffer.size());
  CHECK(file.store->reads == 4);
  CHECK(*file.mapping().read(0, buffer) == buffer.size());
  CHECK(file.store->reads == 4);
}

TEST_CASE("cache: a file larger than RAM can be read and mapped; the oldest unmapped pages go first") {
  Machine machine(96);
  const TestFile file = machine.new_file(300);
  for (uint32_t page = 0; page < 300; ++page) {
    REQUIRE(read_word(file.mapping(), bytes_of(page)) == page + 1);
  }
  CHECK(file.mapping().find(0) == kNoPage);
  CHECK(file.mapping().find(299) != kNoPage);
  CHECK(file.mapping().find(298) != kNoPage);
  CHECK(machine.problems().empty());
  for (uint32_t first = 0; first < 300; first += 30) {
    const VirtAddr at = machine.map(0x10000000, 30, kRead, MapFlag::kPrivate, file.file, first);
    for (uint32_t page = 0; page < 30; ++page) {
      REQUIRE(machine.load(at + bytes_of(page)) == first + page + 1);
    }
  }
  CHECK(machine.problems().empty());
}

TEST_CASE("cache: stores through a shared mapping reach the file when the last user goes") {
  Machine machine;
  auto store = std::make_shared<MemoryStore>(bytes_of(2));
  {
    auto file = std::make_shared<MappedFile>();
    file->mapping = *Mapping::for_file(machine.memory(), store);
    file->writable = true;
    machine.map(0x10000000, 2, kRw, MapFlag::kShared, file);
  }
  machine.store(VirtAddr(0x10001000), 42);
  REQUIRE(machine.mm().munmap(VirtAddr(0x10000000), bytes_of(2)));
  CHECK(store->word(bytes_of(1)) == 42);
  CHECK(machine.memory().cache().cached_pages() == 0);
  CHECK(machine.problems().empty());
}

TEST_CASE("cache: write-back writes only the pages asked for, in order, and each once") {
  Machine machine;
  const TestFile file = machine.new_file(6);
  const VirtAddr at = machine.map(0x10000000, 6, kRw, MapFlag::kShared, file.file);
  machine.writes(at, 6);
  CHECK(file.mapping().dirty_pages() == 6);
  REQUIRE(file.mapping().write_back(2, 3));
  CHECK(file.store->writes == 2);
  CHECK(file.mapping().dirty_pages() == 4);
  REQUIRE(file.mapping().write_back(0, UINT64_MAX));
  CHECK(file.store->writes == 6);
  REQUIRE(file.mapping().write_back(0, UINT64_MAX));
  CHECK(file.store->writes == 6);
}

TEST_CASE("cache: a shorter file loses its pages everywhere, private copies too, and the last one's tail") {
  Machine machine;
  const TestFile file = machine.new_file(4);
  const VirtAddr shared = machine.map(0x10000000, 4, kRw, MapFlag::kShared, file.file);
  const VirtAddr copied = machine.map(0x10010000, 4, kRw, MapFlag::kPrivate, file.file);
  machine.writes(shared, 4);
  machine.writes(copied, 4);
  machine.store(shared + bytes_of(1) + 200, 9);
  file.store->bytes.resize(bytes_of(1) + 100);
  machine.tlb.changed.clear();
  file.mapping().truncate(bytes_of(1) + 100);
  CHECK(machine.stale_translations().empty());
  CHECK(machine.touch(shared + bytes_of(2), mmu::Access::kRead).refused == FaultResult::kBusErr);
  CHECK(machine.touch(copied + bytes_of(2), mmu::Access::kWrite).refused == FaultResult::kBusErr);
  CHECK(machine.load(shared + bytes_of(1) + 200) == 0);
  CHECK(file.mapping().cached_pages() == 2);
  const Pfn tail = machine.pte(shared + bytes_of(1)).pfn();
  CHECK(std::count(machine.tlb.changed.begin(), machine.tlb.changed.end(), tail) == 1);
  CHECK(machine.problems().empty());
}

TEST_CASE("cache: what write(2) put into the file is seen through the mapping, and its code is retranslated") {
  Machine machine;
  const TestFile file = machine.new_file(4);
  const VirtAddr at = machine.map(0x10000000, 4, kRead | kExec, MapFlag::kPrivate, file.file);
  machine.reads(at, 4);
  file.store->set_word(bytes_of(2), 1234);
  machine.tlb.changed.clear();
  REQUIRE(file.mapping().reload(bytes_of(2), 4));
  CHECK(machine.load(at + bytes_of(2)) == 1234);
  CHECK(machine.tlb.changed == std::vector<Pfn>{machine.pte(at + bytes_of(2)).pfn()});
  REQUIRE(file.mapping().reload(0, 0));
}

TEST_CASE("cache: shared memory is written by write(2) and grows by it") {
  Machine machine;
  const auto shmem = *Mapping::for_shmem(machine.memory(), 0);
  const std::vector<std::byte> bytes(5000, std::byte{7});
  CHECK(*shmem->write_shmem(4000, bytes) == 5000);
  CHECK(shmem->size() == 9000);
  CHECK(shmem->cached_pages() == 3);
  std::vector<std::byte> back(9000);
  CHECK(*shmem->read(0, back) == 9000);
  CHECK(back[3999] == std::byte{0});
  CHECK(back[4000] == std::byte{7});
  CHECK(back[8999] == std::byte{7});
  shmem->truncate(4096);
  CHECK(shmem->size() == 4096);
  CHECK(shmem->cached_pages() == 1);
  CHECK(machine.problems().empty());
}

TEST_CASE("cache: without memory a read gives what it has, then ENOMEM; a store's error is EIO") {
  Machine machine(64);
  const auto shmem = *Mapping::for_shmem(machine.memory(), 0);
  const TestFile file = machine.new_file(4);
  std::vector<std::byte> bytes(64 * kPageSize, std::byte{1});
  const auto written = shmem->write_shmem(0, bytes);
  REQUIRE(written);
  CHECK(*written < bytes.size());
  CHECK(*written == shmem->size());
  CHECK(file.mapping().read(0, bytes).error() == Errno::kENOMEM);
  CHECK(shmem->write_shmem(shmem->size(), bytes).error() == Errno::kENOMEM);
  CHECK(*written == shmem->size());
  CHECK(machine.problems().empty());
  shmem->truncate(0);
  file.store->fail_reads = true;
  CHECK(file.mapping().read(0, bytes).error() == Errno::kEIO);
  CHECK(machine.problems().empty());
}

TEST_CASE("cache: a mapping that dies while an area maps it is an internal error") {
  Machine machine;
  const TestFile file = machine.new_file(1);
  machine.map(0x10000000, 1, kRead, MapFlag::kPrivate, file.file);
  CHECK(fl::test::message_of_death([&] { file.file->mapping.reset(); }).find("areas map it") != std::string::npos);
}

}  // namespace fl::vm::test
