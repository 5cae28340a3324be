// The vDSO (fault rule C5): each of its pages and the clock data are one fault on first use.
#include <catch2/catch_test_macros.hpp>

#include "tests/program/support/phases.hpp"

namespace fl::test {

TEST_CASE("vdso_clock: the vDSO and its data fault one page each", "[faults]") {
  check_phases({
      .program = "vdso_clock",
      .real =
          {
              {"kernel_vsyscall", 0},
              {"clock_gettime64", 2},
              {"clock_gettime64_again", 0},
              {"clock_getres", 0},
              {"clock_gettime", 0},
              {"time", 0},
              {"clock_gettime_tsc", 0},
              {"gettimeofday", 0},
          },
      .needs_6_18 = true,
  });
}

}  // namespace fl::test
