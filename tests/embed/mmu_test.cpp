// faultline::Mmu, as an embedding program sees it.
#include <catch2/catch_test_macros.hpp>
#include <cstring>
#include <faultline/mmu.hpp>
#include <set>

namespace {

using faultline::Access;
using faultline::EntryBit;
using faultline::Mmu;
using faultline::PageFaultError;
using faultline::Privilege;

constexpr uint32_t kAddress = 0x08048000;

uint32_t entry_at(Mmu& mmu, uint32_t physical) {
  uint32_t entry = 0;
  std::memcpy(&entry, mmu.memory().data() + physical, sizeof entry);
  return entry;
}

}  // namespace

TEST_CASE("mmu: a walk shows both table reads, and the bits are set in RAM") {
  Mmu mmu = Mmu::create({.frames = 64}).value();
  const uint32_t directory = mmu.new_directory().value(), frame = mmu.allocate_frame().value();
  REQUIRE(mmu.map(directory, kAddress, frame));
  REQUIRE(mmu.set_cr3(directory));
  const faultline::Walk walk = mmu.walk(kAddress + 0x123, Access::kWrite);
  REQUIRE(walk.allowed);
  CHECK(walk.physical == frame * faultline::kPageSize + 0x123);
  REQUIRE(walk.depth == 2);
  CHECK(walk.steps[0].address == directory * faultline::kPageSize + (kAddress >> 22) * 4);
  CHECK(walk.steps[1].address == (walk.steps[0].entry & ~0xfffu) + (kAddress >> 12 & 0x3ff) * 4);
  CHECK((walk.steps[1].entry & (EntryBit::kAccessed | EntryBit::kDirty)) == 0);
  CHECK(entry_at(mmu, walk.steps[1].address) == (walk.steps[1].entry | EntryBit::kAccessed | EntryBit::kDirty));
  CHECK(mmu.entry(directory, kAddress) == entry_at(mmu, walk.steps[1].address));
}

TEST_CASE("mmu: what is refused has the processor's error code, and CR2") {
  Mmu mmu = Mmu::create({.frames = 64, .no_execute = true}).value();
  const uint32_t directory = mmu.new_directory().value(), frame = mmu.allocate_frame().value();
  REQUIRE(mmu.set_cr3(directory));
  const auto error = [&](uint32_t address, Access access, Privilege privilege = Privilege::kUser) {
    const faultline::Walk walk = mmu.walk(address, access, privilege);
    CHECK_FALSE(walk.allowed);
    CHECK(mmu.cr2() == address);
    return walk.error_code;
  };
  CHECK(error(kAddress + 1, Access::kRead) == PageFaultError::kUser);
  REQUIRE(mmu.map(directory, kAddress, frame, {.write = false, .execute = false}));
  CHECK(error(kAddress, Access::kWrite) ==
        (PageFaultError::kProtection | PageFaultError::kWrite | PageFaultError::kUser));
  CHECK(error(kAddress, Access::kFetch) ==
        (PageFaultError::kProtection | PageFaultError::kInstruction | PageFaultError::kUser));
  CHECK(error(kAddress, Access::kWrite, Privilege::kSupervisor) ==
        (PageFaultError::kProtection | PageFaultError::kWrite));
  CHECK(mmu.translate(kAddress, Access::kRead) == frame * faultline::kPageSize);
  REQUIRE(mmu.unmap(directory, kAddress));
  CHECK(error(kAddress, Access::kRead) == PageFaultError::kUser);
  CHECK(mmu.unmap(directory, kAddress).error().number == 22);
  // The kernel's half is the supervisor's.
  CHECK(error(faultline::kUserEnd, Access::kRead) == (PageFaultError::kProtection | PageFaultError::kUser));
  CHECK(mmu.translate(faultline::kUserEnd + 5, Access::kRead, Privilege::kSupervisor) == 5u);
  CHECK_FALSE(mmu.translate(faultline::kUserEnd + 64 * faultline::kPageSize, Access::kRead, Privilege::kSupervisor));
}

TEST_CASE("mmu: frames and directories are the caller's, and nothing else can be freed") {
  Mmu mmu = Mmu::create({.frames = 32}).value();
  const uint32_t free = mmu.free_frames();
  const uint32_t first = mmu.new_directory().value(), second = mmu.new_directory().value();
  CHECK(mmu.free_frame(first).error().number == 22);
  CHECK(mmu.free_frame(1).error().number == 22);
  CHECK(mmu.free_frame(99).error().number == 22);
  std::set<uint32_t> frames;
  for (auto frame = mmu.allocate_frame(); frame; frame = mmu.allocate_frame()) {
    CHECK(frames.insert(*frame).second);
  }
  CHECK(mmu.allocate_frame().error().number == 12);
  CHECK(frames.size() == free - 2);
  CHECK(mmu.map(first, kAddress, *frames.begin()).error().number == 12);  // no frame for the table
  REQUIRE(mmu.free_frame(*frames.begin()));
  CHECK_FALSE(mmu.free_frame(*frames.begin()));
  REQUIRE(mmu.map(first, kAddress, *frames.rbegin()));
  CHECK(mmu.map(second, faultline::kUserEnd, *frames.rbegin()).error().number == 22);
  CHECK(mmu.map(second, kAddress, 32).error().number == 22);
  REQUIRE(mmu.set_cr3(first));
  CHECK(mmu.free_directory(first).error().number == 22);
  REQUIRE(mmu.set_cr3(second));
  REQUIRE(mmu.free_directory(first));
  CHECK(mmu.map(first, kAddress, *frames.rbegin()).error().number == 22);
  CHECK(mmu.set_cr3(first).error().number == 22);
  CHECK(mmu.free_frames() == 2);
  CHECK_FALSE(Mmu::create({.frames = 3}));
  CHECK_FALSE(Mmu::create({.frames = (1u << 20) + 1}));
}
