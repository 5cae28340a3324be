// The page-table walk: what it allows, what it refuses with which error code, and the bits that it sets.
#include <catch2/catch_test_macros.hpp>

#include "mmu/kernel_map.hpp"
#include "mmu/mmu.hpp"

namespace fl::mmu {
namespace {

constexpr uint32_t kPwu = Pte::kPresent | Pte::kWritable | Pte::kUser;
constexpr VirtAddr kVa(0x00801234);

// A directory in frame 1, one table in frame 2; the page of kVa is frame 3.
struct Walk {
  Ram ram = *Ram::create(16);
  Mmu mmu;
  explicit Walk(NoExecute no_execute = NoExecute::kUnsupported) : mmu(ram, no_execute) { mmu.set_cr3(Pfn(1)); }
  Pte& pde(VirtAddr va = kVa) { return reinterpret_cast<Pte*>(ram.frame(Pfn(1)))[pgd_index(va)]; }
  Pte& pte(VirtAddr va = kVa) { return reinterpret_cast<Pte*>(ram.frame(Pfn(2)))[pte_index(va)]; }
  void map(uint32_t pde_bits, uint32_t pte_bits) {
    pde() = Pte(Pfn(2), pde_bits);
    pte() = Pte(Pfn(3), pte_bits);
  }
  // The error code, or -1 for a hit.
  int error(Access access, Privilege privilege = Privilege::kUser) {
    const Translation found = mmu.translate(kVa, access, privilege);
    return found.hit ? -1 : static_cast<int>(found.error_code);
  }
};

constexpr int kHit = -1;
constexpr int kP = PageFaultError::kProtection;
constexpr int kW = PageFaultError::kWrite;
constexpr int kU = PageFaultError::kUser;
constexpr int kI = PageFaultError::kInstruction;

}  // namespace

TEST_CASE("walk: a mapped page gives its frame") {
  Walk walk;
  walk.map(kPwu, kPwu);
  const Translation found = walk.mmu.translate(kVa, Access::kRead, Privilege::kUser);
  CHECK(found.hit);
  CHECK(found.pte.pfn() == Pfn(3));
}

TEST_CASE("walk: a miss sets CR2 to the exact address, a hit leaves it alone") {
  Walk walk;
  CHECK_FALSE(walk.mmu.translate(kVa, Access::kRead, Privilege::kUser).hit);
  CHECK(walk.mmu.cr2() == kVa);
  walk.map(kPwu, kPwu);
  walk.mmu.set_cr2(VirtAddr(7));
  CHECK(walk.mmu.translate(kVa, Access::kRead, Privilege::kUser).hit);
  CHECK(walk.mmu.cr2() == VirtAddr(7));
}

TEST_CASE("walk: an absent table and an absent page both fault with P clear") {
  Walk walk;
  CHECK(walk.error(Access::kRead) == kU);
  CHECK(walk.error(Access::kWrite) == (kU | kW));
  CHECK(walk.error(Access::kFetch) == kU);
  CHECK(walk.error(Access::kWrite, Privilege::kSupervisor) == kW);
  walk.map(kPwu, Pte::kWritable | Pte::kUser);
  CHECK(walk.error(Access::kRead) == kU);
  CHECK(walk.error(Access::kRead, Privilege::kSupervisor) == 0);
}

TEST_CASE("walk: an entry of a PROT_NONE page is absent for the processor") {
  Walk walk;
  walk.map(kPwu, Pte::kProtNone);
  CHECK(walk.error(Access::kRead) == kU);
}

TEST_CASE("walk: rights of both levels are combined") {
  struct {
    uint32_t pde, pte;
    int user_read, user_write, kernel_read, kernel_write;
  } const cases[] = {
      {kPwu, kPwu, kHit, kHit, kHit, kHit},
      {kPwu, Pte::kPresent | Pte::kUser, kHit, kP | kW | kU, kHit, kP | kW},
      {Pte::kPresent | Pte::kUser, kPwu, kHit, kP | kW | kU, kHit, kP | kW},
      {kPwu, Pte::kPresent | Pte::kWritable, kP | kU, kP | kW | kU, kHit, kHit},
      {Pte::kPresent | Pte::kWritable, kPwu, kP | kU, kP | kW | kU, kHit, kHit},
      {kPwu, Pte::kPresent, kP | kU, kP | kW | kU, kHit, kP | kW},
  };
  for (const auto& each : cases) {
    Walk walk;
    walk.map(each.pde, each.pte);
    INFO("directory " << each.pde << " table " << each.pte);
    CHECK(walk.error(Access::kRead) == each.user_read);
    CHECK(walk.error(Access::kWrite) == each.user_write);
    CHECK(walk.error(Access::kRead, Privilege::kSupervisor) == each.kernel_read);
    CHECK(walk.error(Access::kWrite, Privilege::kSupervisor) == each.kernel_write);
  }
}

TEST_CASE("walk: a read sets the accessed bits, a write the dirty bit of the page too") {
  Walk walk;
  walk.map(kPwu, kPwu);
  const Translation read = walk.mmu.translate(kVa, Access::kRead, Privilege::kUser);
  CHECK(read.pte == Pte(Pfn(3), kPwu | Pte::kAccessed));
  CHECK(walk.pte() == read.pte);
  CHECK(walk.pde() == Pte(Pfn(2), kPwu | Pte::kAccessed));
  walk.mmu.translate(kVa, Access::kWrite, Privilege::kUser);
  CHECK(walk.pte() == Pte(Pfn(3), kPwu | Pte::kAccessed | Pte::kDirty));
  CHECK(walk.pde() == Pte(Pfn(2), kPwu | Pte::kAccessed));
}

TEST_CASE("walk: a refused access sets no bits") {
  Walk walk;
  walk.map(kPwu, Pte::kPresent | Pte::kUser);
  walk.mmu.translate(kVa, Access::kWrite, Privilege::kUser);
  CHECK(walk.pte() == Pte(Pfn(3), Pte::kPresent | Pte::kUser));
  CHECK(walk.pde() == Pte(Pfn(2), kPwu));
}

TEST_CASE("walk: without no-execute a fetch is a read, also in the error code") {
  Walk walk;
  walk.map(kPwu, kPwu | Pte::kNoExecute);
  CHECK(walk.error(Access::kFetch) == kHit);
  walk.map(kPwu, Pte::kPresent);
  CHECK(walk.error(Access::kFetch) == (kP | kU));
}

TEST_CASE("walk: with no-execute a fetch is refused where the bit is set, and the error code says fetch") {
  Walk walk(NoExecute::kHonoured);
  CHECK(walk.error(Access::kFetch) == (kU | kI));
  walk.map(kPwu, kPwu | Pte::kNoExecute);
  CHECK(walk.error(Access::kFetch) == (kP | kU | kI));
  CHECK(walk.error(Access::kRead) == kHit);
  walk.map(kPwu, kPwu);
  CHECK(walk.error(Access::kFetch) == kHit);
}

TEST_CASE("walk: a 4 MiB page gives one frame for each 4 KiB of it") {
  Walk walk;
  walk.pde() = Pte(Pfn(0x400), kPwu | Pte::kLarge);
  const Translation found = walk.mmu.translate(kVa, Access::kWrite, Privilege::kUser);
  REQUIRE(found.hit);
  CHECK(found.pte.pfn() == Pfn(0x401));
  CHECK_FALSE(found.pte.large());
  CHECK(walk.pde().accessed());
  CHECK(walk.pde().dirty());
}

TEST_CASE("walk: a supervisor's 4 MiB page is refused to the program with P set") {
  Walk walk;
  walk.pde() = Pte(Pfn(0x400), Pte::kPresent | Pte::kWritable | Pte::kLarge);
  CHECK(walk.error(Access::kRead) == (kP | kU));
  CHECK(walk.error(Access::kWrite) == (kP | kW | kU));
  CHECK(walk.error(Access::kWrite, Privilege::kSupervisor) == kHit);
  walk.pde() = Pte(Pfn(0x400), Pte::kPresent | Pte::kUser | Pte::kLarge);
  CHECK(walk.error(Access::kWrite, Privilege::kSupervisor) == (kP | kW));
}

TEST_CASE("kernel map: low memory stands at 3 GiB, for the kernel alone") {
  const Ram ram = *Ram::create(3000);  // 11.7 MiB: three 4 MiB pages
  const KernelMap kernel(ram, Pfn(1));
  Mmu mmu(ram, NoExecute::kUnsupported);
  mmu.set_cr3(kernel.directory());
  const Translation found = mmu.translate(VirtAddr(0xc0000000 + 0xb00123), Access::kWrite, Privilege::kSupervisor);
  REQUIRE(found.hit);
  CHECK(found.pte.pfn() == Pfn(0xb00));
  const Translation user = mmu.translate(VirtAddr(0xc0000000), Access::kRead, Privilege::kUser);
  CHECK_FALSE(user.hit);
  CHECK(user.error_code == static_cast<uint32_t>(kP | kU));
  CHECK_FALSE(mmu.translate(VirtAddr(0xc0c00000), Access::kRead, Privilege::kSupervisor).hit);
  CHECK_FALSE(mmu.translate(VirtAddr(0), Access::kRead, Privilege::kSupervisor).hit);
}

}  // namespace fl::mmu
