// The indices of fragmentation, for free lists whose state is known.
#include "vm/phys/extfrag.hpp"

#include <catch2/catch_test_macros.hpp>

#include "tests/unit/vm/zone_fixture.hpp"

namespace fl::vm::test {

TEST_CASE("extfrag: a zone with large blocks has no unusable memory, and requests succeed") {
  ZoneFixture frames(1024, 3072);
  for (uint32_t order = 0; order <= kMaxOrder; ++order) {
    CHECK(fragmentation_index(frames.zone, order) == -1000);
    CHECK(unusable_free_index(frames.zone, order) == 0);
  }
}

TEST_CASE("extfrag: a full zone lacks memory, not order") {
  ZoneFixture frames(1024, 2048);
  frames.alloc(10);
  CHECK(fragmentation_index(frames.zone, 3) == 0);
  CHECK(unusable_free_index(frames.zone, 3) == 1000);
}

TEST_CASE("extfrag: scattered single pages are useless for anything larger, and the fault of scattering") {
  ZoneFixture frames(1024, 2048);
  for (int i = 0; i < 1024; ++i) {
    frames.alloc(0);
  }
  for (uint32_t i = 0; i < 1024; i += 2) {
    frames.free(1024 + i, 0);
  }
  REQUIRE(frames.blocks() == Blocks{{0, 512}});
  CHECK(unusable_free_index(frames.zone, 0) == 0);
  CHECK(unusable_free_index(frames.zone, 1) == 1000);
  // 512 pages in 512 blocks: 256 requests of order 1 would fit, 1000 - (1000 + 256000) / 512.
  CHECK(fragmentation_index(frames.zone, 0) == -1000);
  CHECK(fragmentation_index(frames.zone, 1) == 1000 - 257000 / 512);
  CHECK(fragmentation_index(frames.zone, 9) == 1000 - 2000 / 512);
  // One block of order 4 among them makes those orders possible.
  for (uint32_t i = 1; i < 16; i += 2) {
    frames.free(1024 + i, 0);
  }
  REQUIRE(frames.blocks() == Blocks{{0, 504}, {4, 1}});
  CHECK(fragmentation_index(frames.zone, 4) == -1000);
  CHECK(unusable_free_index(frames.zone, 4) == 504 * 1000 / 520);
}

TEST_CASE("extfrag: a single free block that is too small means short memory") {
  ZoneFixture frames(1024, 2048);
  frames.alloc(9);
  frames.alloc(8);
  frames.alloc(7);
  frames.alloc(6);
  REQUIRE(frames.blocks() == Blocks{{6, 1}});
  // 64 pages in one block, 1024 wanted: 1000 - (1000 + 62) / 1.
  CHECK(fragmentation_index(frames.zone, 10) == -62);
}

}  // namespace fl::vm::test
