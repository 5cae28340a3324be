// The foundations: addresses, results, checks.
#include <fmt/format.h>

#include <catch2/catch_test_macros.hpp>
#include <cstdio>
#include <optional>
#include <thread>
#include <unordered_set>

#include "mmu/base/addr.hpp"
#include "mmu/base/check.hpp"
#include "mmu/base/errno.hpp"
#include "mmu/base/result.hpp"
#include "mmu/layout.hpp"
#include "mmu/ram.hpp"
#include "tests/unit/vm/dies.hpp"

namespace fl {
namespace {

Result<int> half(int number) {
  if (number % 2 != 0) {
    return fail(Errno::kEINVAL);
  }
  return number / 2;
}

Result<int> quarter(int number) {
  FL_TRY_ASSIGN(const int halved, half(number));
  return half(halved);
}

Status check_even(int number) {
  FL_TRY(half(number));
  return {};
}

}  // namespace

TEST_CASE("addr: an address splits into page number and offset") {
  const VirtAddr va(0x12345678);
  CHECK(va.vpn() == 0x12345);
  CHECK(va.page_offset() == 0x678);
  CHECK(va.page() == VirtAddr(0x12345000));
  CHECK_FALSE(va.page_aligned());
  CHECK(va.page().page_aligned());
}

TEST_CASE("addr: arithmetic wraps at 4 GiB, as the CPU's does") {
  CHECK(VirtAddr(0xffffffff) + 2 == VirtAddr(1));
  CHECK(VirtAddr(1) - 2 == VirtAddr(0xffffffff));
  CHECK(VirtAddr(1) - VirtAddr(0xffffffff) == 2);
}

TEST_CASE("addr: rounding up to pages does not lose the last page of 4 GiB") {
  CHECK(page_align_up(0) == 0);
  CHECK(page_align_up(1) == 4096);
  CHECK(page_align_up(4096) == 4096);
  CHECK(page_align_up(0xfffff001) == 0x100000000ull);
  CHECK(pages_for(0xffffffff) == 0x100000);
}

TEST_CASE("addr: a frame number and its physical address name the same frame") {
  CHECK(PhysAddr(Pfn(0xfffff)).value() == 0xfffff000);
  CHECK(PhysAddr(0xfffff123).pfn() == Pfn(0xfffff));
}

TEST_CASE("addr: addresses and frames can be keys") {
  std::unordered_set<VirtAddr> addresses{VirtAddr(1), VirtAddr(1), VirtAddr(2)};
  std::unordered_set<Pfn> frames{Pfn(1), Pfn(1)};
  CHECK(addresses.size() == 2);
  CHECK(frames.size() == 1);
}

TEST_CASE("layout: the kernel's quarter starts at 3 GiB") {
  CHECK_FALSE(mmu::is_kernel_address(VirtAddr(0xbfffffff)));
  CHECK(mmu::is_kernel_address(VirtAddr(0xc0000000)));
  CHECK(mmu::pgd_index(VirtAddr(0xc0000000)) == 768);
  CHECK(mmu::pte_index(VirtAddr(0x003ff000)) == 1023);
  CHECK(mmu::pte_index(VirtAddr(0x00400000)) == 0);
  CHECK(mmu::direct_map(PhysAddr(0x1234)) == VirtAddr(0xc0001234));
}

TEST_CASE("result: FL_TRY hands the error on") {
  CHECK(quarter(8) == 2);
  CHECK(quarter(6).error() == Errno::kEINVAL);
  CHECK(quarter(3).error() == Errno::kEINVAL);
  CHECK(check_even(2));
  CHECK(check_even(1).error() == Errno::kEINVAL);
}

TEST_CASE("errno: values are Linux's and have their names") {
  CHECK(static_cast<int>(Errno::kENOMEM) == 12);
  CHECK(static_cast<int>(Errno::kEOPNOTSUPP) == 95);
  CHECK(std::string(errno_name(Errno::kEFAULT)) == "EFAULT");
  CHECK(std::string(errno_name(static_cast<Errno>(4000))) == "E?");
}

TEST_CASE("ram: is zero at first, and refuses sizes that i386 cannot have") {
  const auto ram = mmu::Ram::create(3);
  REQUIRE(ram);
  CHECK(ram->frames() == 3);
  CHECK(ram->bytes() == 3 * 4096);
  for (uint32_t i = 0; i < ram->bytes(); ++i) {
    REQUIRE(ram->data()[i] == std::byte{0});
  }
  CHECK(ram->at(PhysAddr(0x1005)) == ram->data() + 0x1005);
  CHECK(mmu::Ram::create(0).error() == Errno::kEINVAL);
  CHECK(mmu::Ram::create((1u << 20) + 1).error() == Errno::kEINVAL);
}

TEST_CASE("ram: moving it keeps the bytes where they are") {
  auto ram = *mmu::Ram::create(1);
  std::byte* data = ram.data();
  data[1] = std::byte{7};
  const mmu::Ram moved(std::move(ram));
  CHECK(moved.data() == data);
  CHECK(moved.frame(Pfn(0))[1] == std::byte{7});
}

TEST_CASE("check: dumpers are called, the youngest first, whatever the order and the thread in which others went") {
  const std::string said = test::message_of_death([] {
    const auto saying = [](const char* text) { return [text] { fmt::print(stderr, "<{}>", text); }; };
    std::optional<CheckDumper> first(saying("first"));
    const CheckDumper second(saying("second"));
    std::optional<CheckDumper> third(saying("third"));
    const CheckDumper fourth(saying("fourth"));
    std::optional<CheckDumper> fifth(saying("fifth"));
    first.reset();
    std::thread([&third] { third.reset(); }).join();
    fifth.reset();
    FL_CHECK(1 == 2, "so");
  });
  CHECK(said.find("1 == 2: so\n<fourth><second>") != std::string::npos);
}

}  // namespace fl
