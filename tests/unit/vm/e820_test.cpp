// The firmware's map of memory, by RAM size.
#include "vm/boot/e820.hpp"

#include <catch2/catch_test_macros.hpp>

namespace fl::vm::test {
namespace {
using Entries = std::vector<E820Entry>;
constexpr auto kUsable = E820Type::kUsable;
constexpr auto kReserved = E820Type::kReserved;
}  // namespace

TEST_CASE("e820: a PC's map has a hole from 640 KiB to 1 MiB") {
  const E820Map map = E820Map::of_ram(128u << 20);
  CHECK(map.entries() == Entries{{0, 0x9fc00, kUsable},
                                 {0x9fc00, 0xa0000, kReserved},
                                 {0xf0000, 0x100000, kReserved},
                                 {0x100000, 0x8000000, kUsable}});
  CHECK(map.end_of_ram_pfn() == 0x8000);
}

TEST_CASE("e820: a machine that ends below the hole has one region, one that ends in it nothing above") {
  CHECK(E820Map::of_ram(64u << 12).entries() == Entries{{0, 64u << 12, kUsable}});
  const E820Map map = E820Map::of_ram(1u << 20);
  CHECK(map.entries().size() == 3);
  CHECK(map.end_of_ram_pfn() == 0x9f);
}

TEST_CASE("e820: 4 GiB of RAM end at frame 2^20") {
  CHECK(E820Map::of_ram(uint64_t{1} << 32).end_of_ram_pfn() == 1u << 20);
}

TEST_CASE("e820: reserving cuts usable entries, and only those") {
  E820Map map = E820Map::of_ram(2u << 20);
  map.reserve(0, 0x1000);
  map.reserve(0x140000, 0x150000);
  map.reserve(0x9f000, 0xf1000);
  CHECK(map.entries() == Entries{{0, 0x1000, kReserved},
                                 {0x1000, 0x9f000, kUsable},
                                 {0x9f000, 0x9fc00, kReserved},
                                 {0x9fc00, 0xa0000, kReserved},
                                 {0xf0000, 0x100000, kReserved},
                                 {0x100000, 0x140000, kUsable},
                                 {0x140000, 0x150000, kReserved},
                                 {0x150000, 0x200000, kUsable}});
}

TEST_CASE("e820: the log has Linux's lines") {
  BootLog log;
  E820Map::of_ram(128u << 20).print(log);
  REQUIRE(log.lines().size() == 4);
  CHECK(log.lines()[0] == "BIOS-e820: [mem 0x0000000000000000-0x000000000009fbff] usable");
  CHECK(log.lines()[3] == "BIOS-e820: [mem 0x0000000000100000-0x0000000007ffffff] usable");
}

}  // namespace fl::vm::test
