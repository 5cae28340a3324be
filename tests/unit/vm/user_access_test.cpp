// The kernel's copies from and to user memory, and what is left when memory runs out at every possible point.
#include "vm/user_access.hpp"

#include <catch2/catch_test_macros.hpp>

#include "tests/unit/vm/vm_machine.hpp"

namespace fl::vm::test {
namespace {

std::vector<std::byte> pattern(size_t size) {
  std::vector<std::byte> bytes(size);
  for (size_t i = 0; i < size; ++i) {
    bytes[i] = static_cast<std::byte>(i * 7 + 1);
  }
  return bytes;
}

}  // namespace

TEST_CASE("user access: a copy over several pages faults each once, in ascending order, in kernel mode") {
  Machine machine;
  const VirtAddr at = machine.map_anon(0x10000000, 4);
  const auto bytes = pattern(2 * kPageSize + 10);
  CHECK(machine.user().copy_to(at + 100, bytes) == bytes.size());
  REQUIRE(machine.log.records.size() == 3);
  for (uint32_t page = 0; page < 3; ++page) {
    CHECK(machine.log.records[page].addr.page() == at + bytes_of(page));
    CHECK(machine.log.records[page].mode == FaultMode::kKernel);
    CHECK(machine.log.records[page].access == mmu::Access::kWrite);
  }
  CHECK(machine.task.by_mode[static_cast<size_t>(FaultMode::kKernel)] == 3);
  CHECK(machine.writes(at, 3) == 0);
  std::vector<std::byte> back(bytes.size());
  CHECK(machine.user().copy_from(back, at + 100) == back.size());
  CHECK(back == bytes);
}

TEST_CASE("user access: reading untouched memory maps zero pages, so a later write costs one more") {
  Machine machine;
  const VirtAddr at = machine.map_anon(0x10000000, 2);
  std::vector<std::byte> back(2 * kPageSize, std::byte{1});
  REQUIRE(machine.user().read(back, at));
  CHECK(back == std::vector<std::byte>(2 * kPageSize));
  CHECK(machine.faults() == 2);
  CHECK(machine.writes(at, 2) == 2);
}

TEST_CASE("user access: a copy stops at the first address that cannot be had, and says how far it came") {
  Machine machine;
  const VirtAddr at = machine.map_anon(0x10000000, 1);
  machine.map_anon(0x10001000, 1, kRead);
  const auto bytes = pattern(200);
  CHECK(machine.user().copy_to(at + 4000, bytes) == 96);
  CHECK(machine.user().write(at + 4000, bytes).error() == Errno::kEFAULT);
  std::vector<std::byte> back(9000);
  CHECK(machine.user().copy_from(back, at + 4000) == 96 + 4096);
  CHECK(machine.user().clear(at + 4000, 200).error() == Errno::kEFAULT);
  CHECK(machine.user().put(VirtAddr(0x20000000), 1).error() == Errno::kEFAULT);
}

TEST_CASE("user access: kernel addresses are refused without a look at the tables, also by a length that wraps") {
  Machine machine;
  CHECK(UserAccess::access_ok(VirtAddr(0xBFFFFFFF), 1));
  CHECK(UserAccess::access_ok(VirtAddr(0xC0000000), 0));
  CHECK_FALSE(UserAccess::access_ok(VirtAddr(0xC0000000), 1));
  CHECK_FALSE(UserAccess::access_ok(VirtAddr(0xBFFFFFFF), 2));
  CHECK_FALSE(UserAccess::access_ok(VirtAddr(0xFFFFFFFF), 0xFFFFFFFF));
  CHECK_FALSE(UserAccess::access_ok(VirtAddr(0), 0x100000000ull));
  CHECK(machine.user().get<uint32_t>(VirtAddr(0xC0000000)).error() == Errno::kEFAULT);
  CHECK(machine.user().get<uint32_t>(VirtAddr(0xFFFFFFFE)).error() == Errno::kEFAULT);
  CHECK(machine.log.records.empty());
}

TEST_CASE("user access: a value across two pages is whole") {
  Machine machine;
  const VirtAddr at = machine.map_anon(0x10000000, 2);
  REQUIRE(machine.user().put<uint32_t>(at + 4094, 0x11223344));
  CHECK(machine.user().get<uint32_t>(at + 4094) == 0x11223344);
  CHECK(machine.load(at + 4092) == 0x33440000);
  CHECK(machine.faults() == 2);
}

TEST_CASE("user access: the kernel breaks copy on write and marks the entry accessed and dirty, as the CPU does") {
  Machine machine;
  const TestFile file = machine.new_file(1);
  const VirtAddr at = machine.map(0x10000000, 1, kRw, MapFlag::kPrivate, file.file);
  machine.load(at);
  REQUIRE(machine.user().put<uint32_t>(at, 99));
  CHECK(machine.stale_translations().empty());
  CHECK(file.store->word(0) == 1);
  CHECK(machine.load(at) == 99);
  CHECK(machine.pte(at).dirty());
  CHECK(machine.pte(at).accessed());
  CHECK(machine.problems().empty());
}

TEST_CASE("user access: a store tells the CPU that translated code may be stale") {
  Machine machine;
  const VirtAddr at = machine.map_anon(0x10000000, 1);
  machine.writes(at, 1);
  machine.tlb.changed.clear();
  REQUIRE(machine.user().put<uint32_t>(at, 99));
  CHECK(machine.tlb.changed == std::vector<Pfn>{machine.pte(at).pfn()});
}

TEST_CASE("user access: strings end at their NUL, at the limit, or with EFAULT") {
  Machine machine;
  const VirtAddr at = machine.map_anon(0x10000000, 1);
  const std::string text = "/bin/busybox";
  REQUIRE(machine.user().write(at + 4090, std::as_bytes(std::span(text.data(), 6))));
  CHECK(machine.user().string(at + 4090, 100).error() == Errno::kEFAULT);
  machine.map_anon(0x10001000, 1);
  REQUIRE(machine.user().write(at + 4090, std::as_bytes(std::span(text.c_str(), text.size() + 1))));
  CHECK(machine.user().string(at + 4090, 100) == text);
  CHECK(machine.user().string(at + 4090, 13) == text);
  CHECK(machine.user().string(at + 4090, 12).error() == Errno::kENAMETOOLONG);
  CHECK(machine.user().string(at + 4090, 3, Errno::kE2BIG).error() == Errno::kE2BIG);
  CHECK(machine.user().string(VirtAddr(0x10001fff), 1) == "");
}

TEST_CASE("get_user_page: gives the frame, breaking copy on write for a writer") {
  Machine machine;
  const VirtAddr at = machine.map_anon(0x10000000, 1);
  CHECK(get_user_page(machine.mm(), at + 5, mmu::Access::kRead, machine.task) == machine.memory().zero_page());
  const Pfn written = *get_user_page(machine.mm(), at + 5, mmu::Access::kWrite, machine.task);
  CHECK(written == machine.pte(at).pfn());
  CHECK(machine.task.by_mode[static_cast<size_t>(FaultMode::kGup)] == 2);
  CHECK(get_user_page(machine.mm(), VirtAddr(0x20000000), mmu::Access::kRead, machine.task).error() ==
        FaultResult::kMapErr);
  CHECK(get_user_page(machine.mm(), VirtAddr(0xD0000000), mmu::Access::kRead, machine.task).error() ==
        FaultResult::kMapErr);
}

TEST_CASE("out of memory: whichever allocation fails, nothing is lost and the machine verifies") {
  uint32_t rounds_that_failed = 0;
  bool failed = true;
  for (uint32_t n = 1; n <= 130; ++n) {
    Machine machine(128, KernelProfile::compat_6_18());
    const TestFile file = machine.new_file(24);
    const uint32_t free_before = machine.free_or_slab_frames();
    machine.pages().fail_allocation(n);
    failed = false;
    const auto note = [&](bool ok) { failed = failed || !ok; };
    const auto touch_all = [&](VirtAddr at, uint32_t pages, mmu::Access access) {
      for (uint32_t page = 0; page < pages; ++page) {
        note(!machine.touch(at + bytes_of(page), access).refused);
      }
    };
    const auto map = [&](uint32_t at, uint32_t pages, uint32_t flags, std::shared_ptr<const MappedFile> of = nullptr,
                         uint32_t pgoff = 0) {
      note(machine.mmap(at, pages, kRw, flags | MapFlag::kFixed, std::move(of), pgoff).has_value());
      return VirtAddr(at);
    };
    const VirtAddr anon = map(0x103FE000, 4, kAnonPrivate);
    touch_all(anon, 2, mmu::Access::kRead);
    touch_all(anon, 4, mmu::Access::kWrite);
    const VirtAddr copied = map(0x20000000, 4, MapFlag::kPrivate, file.file);
    touch_all(copied, 4, mmu::Access::kWrite);
    const VirtAddr shared = map(0x30000000, 20, MapFlag::kShared, file.file, 4);
    touch_all(shared, 2, mmu::Access::kWrite);
    touch_all(shared, 20, mmu::Access::kRead);
    const VirtAddr shmem = map(0x40000000, 3, kAnonShared | MapFlag::kPopulate);
    touch_all(shmem, 3, mmu::Access::kRead);
    note(machine.mm().mlock(anon, bytes_of(4), machine.task).has_value());
    note(machine.mm()
             .mremap(copied, bytes_of(4), bytes_of(6), MremapFlag::kMayMove | MremapFlag::kFixed, VirtAddr(0x50000000),
                     machine.task)
             .has_value());
    note(machine.user().clear(shmem, bytes_of(3)).has_value());
    INFO("allocation " << n);
    REQUIRE(machine.problems().empty());
    REQUIRE(machine.mm().munmap(VirtAddr(0x10000000), 0x80000000));
    file.mapping().truncate(0);
    REQUIRE(machine.problems().empty());
    REQUIRE(machine.free_or_slab_frames() == free_before);
    rounds_that_failed += failed ? 1 : 0;
  }
  // A failure to read ahead is not seen; the others are. In the last round no allocation was left to fail.
  CHECK(rounds_that_failed > 20);
  CHECK_FALSE(failed);
}

TEST_CASE("out of memory: no frame for the directory is ENOMEM, and the machine goes on") {
  Machine machine;
  machine.pages().fail_allocation(1);
  CHECK(AddressSpace::create(machine.memory(), {}).error() == Errno::kENOMEM);
  CHECK(machine.memory().spaces().size() == 1);
  CHECK(machine.problems().empty());
}

TEST_CASE("out of memory: when all frames are in use the fault says so, and works again once there is room") {
  Machine machine(64);
  const VirtAddr at = machine.map_anon(0x10000000, 100);
  uint32_t page = 0;
  while (!machine.touch(at + bytes_of(page), mmu::Access::kWrite).refused) {
    ++page;
  }
  CHECK(machine.touch(at + bytes_of(page), mmu::Access::kWrite).refused == FaultResult::kOom);
  CHECK(machine.log.records.back().cause == FaultCause::kOom);
  CHECK(machine.problems().empty());
  REQUIRE(machine.mm().madvise(at, bytes_of(1), /*DONTNEED*/ 4, machine.task));
  CHECK_FALSE(machine.touch(at + bytes_of(page), mmu::Access::kWrite).refused);
}

}  // namespace fl::vm::test
