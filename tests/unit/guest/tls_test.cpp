// Segment descriptors and the calls that set them.
#include <catch2/catch_test_macros.hpp>

#include "guest/process/tls.hpp"
#include "tests/unit/guest/kernel_machine.hpp"

using namespace fl;
using namespace fl::guest;
using namespace fl::guest::test;

namespace {
constexpr uint32_t kSetThreadArea = 243, kGetThreadArea = 244;
// What glibc asks for: 32-bit, limit in pages, useable.
constexpr uint32_t kGlibcBits = UserDesc::kSeg32Bit | UserDesc::kLimitInPages | UserDesc::kUseable;
}  // namespace

TEST_CASE("tls: a descriptor is packed as the processor wants it") {
  const TlsDescriptor packed =
      pack_descriptor({.entry_number = 6, .base_addr = 0x12345678, .limit = 0xfffff, .bits = kGlibcBits});
  CHECK(packed.low == 0x5678ffff);
  CHECK(packed.high == 0x12dff334);  // base 12..34, G D AVL, limit f, present DPL 3 data writable accessed
}

TEST_CASE("tls: packing and unpacking are inverse") {
  for (const uint32_t bits : {kGlibcBits, kGlibcBits | UserDesc::kReadExecOnly, kGlibcBits | 2u}) {
    const UserDesc desc{.entry_number = 0, .base_addr = 0x089abcde, .limit = 0x12345, .bits = bits};
    const UserDesc back = unpack_descriptor(pack_descriptor(desc));
    CHECK(back.base_addr == desc.base_addr);
    CHECK(back.limit == desc.limit);
    CHECK(back.bits == desc.bits);
  }
}

TEST_CASE("tls: an empty descriptor has no bits set and reads back as not present") {
  const UserDesc empty{.entry_number = 6, .base_addr = 0, .limit = 0, .bits = 0x28};
  CHECK(empty.empty());
  CHECK(pack_descriptor(empty) == TlsDescriptor{});
  CHECK(unpack_descriptor(TlsDescriptor{}).bits == 0x28);
}

TEST_CASE("tls: 16-bit, code and absent segments are refused") {
  CHECK_FALSE(UserDesc{6, 0x1000, 0xfff, 0}.acceptable());
  CHECK_FALSE(UserDesc{6, 0x1000, 0xfff, kGlibcBits | 4}.acceptable());
  CHECK_FALSE(UserDesc{6, 0x1000, 0xfff, kGlibcBits | UserDesc::kSegNotPresent}.acceptable());
  CHECK(UserDesc{6, 0x1000, 0xfff, kGlibcBits}.acceptable());
}

TEST_CASE("set_thread_area: -1 takes the three entries of the profile, then ESRCH") {
  for (const auto* profile : {&vm::KernelProfile::i386_6_1(), &vm::KernelProfile::compat_6_18()}) {
    KernelMachine machine(*profile);
    for (uint32_t i = 0; i < 3; ++i) {
      machine.poke_user(kData, UserDesc{~0u, 0x1000 * (i + 1), 0xfffff, kGlibcBits});
      REQUIRE(machine.call(kSetThreadArea, {kData}) == 0);
      CHECK(machine.peek_user<UserDesc>(kData).entry_number == profile->first_tls_entry + i);
    }
    machine.poke_user(kData, UserDesc{~0u, 0x9000, 0xfffff, kGlibcBits});
    CHECK(machine.call(kSetThreadArea, {kData}) == -3);
    machine.poke_user(kData, UserDesc{profile->first_tls_entry + 1, 0, 0, 0});
    REQUIRE(machine.call(kGetThreadArea, {kData}) == 0);
    CHECK(machine.peek_user<UserDesc>(kData).base_addr == 0x2000);
    machine.poke_user(kData, UserDesc{profile->first_tls_entry + 3, 0x9000, 0xfffff, kGlibcBits});
    CHECK(machine.call(kSetThreadArea, {kData}) == -22);
  }
}
