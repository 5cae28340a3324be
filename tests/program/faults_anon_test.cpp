// Anonymous memory, brk and the stack (fault rules C4, F), and faults that end in a signal (A3).
#include <catch2/catch_test_macros.hpp>

#include "tests/program/support/phases.hpp"

namespace fl::test {

TEST_CASE("anon: anonymous memory faults once a page, twice if it is read first", "[faults]") {
  check_phases({
      .program = "anon",
      .real =
          {
              {"mmap", 0},
              {"read", 64},
              {"read_again", 0},
              {"write_after_read", 64},
              {"write_again", 0},
              {"munmap", 0},
              {"remap", 0},
              {"write_first", 64},
              {"read_after_write", 0},
              {"map_fixed_over", 0},
              {"read_around_fixed", 16},
              {"munmap_middle", 0},
              {"fill_hole", 0},
              {"write_filled_hole", 20},
              {"dontneed", 0},
              {"write_after_dontneed", 64},
              {"prot_write_read", 8},
              {"prot_write_write", 8},
              {"prot_read_read", 8},
              {"exec_own_code", 7},
              {"sparse", 64},
              {"page_twice", 1},
          },
      .other_output =
          {
              "adjacent: one VMA",
              "guard page between: separate",
              "other rights: separate",
              "same rights by mprotect: one VMA",
              "hole filled between two: one VMA",
              "split by mprotect: separate",
              "and merged again: one VMA",
          },
  });
}

TEST_CASE("brk: brk moves without faults and gives zeroed pages back", "[faults]") {
  check_phases({
      .program = "brk",
      .real =
          {
              {"grow", 0},
              {"write", 64},
              {"shrink", 0},
              {"grow_again", 0},
              {"read_all", 32},
              {"write_all", 32},
              {"grow_by_bytes", 0},
              {"write_tail", 1},
              {"grow_in_page", 0},
              {"write_in_page", 0},
              {"shrink_in_page", 0},
              {"write_first_byte", 0},
              {"shrink_to_start", 0},
              {"grow_last", 0},
              {"rmw", 16},
          },
  });
}

TEST_CASE("stack_growth: the stack grows on any access down to its limit", "[faults]") {
  check_phases({
      .program = "stack_growth",
      .real =
          {
              {"1000_pages_below", 1},
              {"read_999_below", 1},
              {"in_between", 64},
              {"read_zero_page", 32},
              {"write_after_read", 32},
              {"push_grows", 1},
              {"rmw_grows", 1},
              {"downwards", 32},
          },
  });
}

TEST_CASE("segv_count: a fault that ends in a signal is not counted", "[faults]") {
  check_phases({
      .program = "segv_count",
      .real =
          {
              {"absent_write", 64},
              {"present_write", 0},
              {"present_repaired_write", 0},
              {"present_repaired_read", 0},
              {"absent_repaired_read", 64},
              {"zero_page_repaired_write", 64},
              {"absent_rmw", 32},
          },
      .other_output =
          {
              "signals 352",
          },
  });
}

TEST_CASE("madvise_free: MADV_FREE without memory pressure costs nothing", "[faults]") {
  check_phases({
      .program = "madvise_free",
      .real =
          {
              {"free", 0},
              {"read", 0},
              {"write", 0},
          },
  });
}

}  // namespace fl::test
