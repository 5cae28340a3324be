// File mappings: fault-around (fault rules D) and private copies (E). The numbers belong to files whose page cache
// consists of single pages; see guest_program() in support/native_run.hpp.
#include <catch2/catch_test_macros.hpp>

#include "tests/program/support/phases.hpp"

namespace fl::test {

TEST_CASE("faround: a read fault on a file maps a window of pages", "[faults]") {
  check_phases({
      .program = "faround",
      .real =
          {
              {"aligned_256", 16},
              {"unaligned_256", 17},
              {"file_offset_unaligned", 16},
              {"backwards", 16},
              {"unaligned_backwards", 17},
              {"first_window_16_of_unaligned", 1},
              {"next_page_starts_another", 1},
              {"which_reaches_virtual_32", 0},
              {"and_not_further", 1},
              {"middle_of_first_window", 1},
              {"its_whole_window", 0},
              {"last_of_window", 1},
              {"same_window", 0},
              {"neighbour_windows", 2},
              {"vma_of_3_pages", 1},
              {"vma_of_1_page", 1},
              {"end_of_file", 1},
              {"end_of_2MiB", 2},
              {"end_of_page_table", 2},
              {"madv_random", 4},
              {"executable", 4},
              {"private_writable_read", 4},
              {"then_written", 64},
              {"write_does_no_window", 1},
              {"read_fills_the_empty_ones", 1},
              {"written_page_is_kept", 0},
              {"split_vma", 6},
              {"every_16th", 16},
              {"all_after_every_16th", 0},
          },
      .data_file = PhaseCase::DataFile::kReadOnly,
      .i386_6_1 = {{"end_of_2MiB", 1}},  // rule D2: a page table spans 4 MiB there
  });
}

TEST_CASE("filepriv: a write to a private file page copies that page alone", "[faults]") {
  check_phases({
      .program = "filepriv",
      .real =
          {
              {"write_first_64", 64},
              {"write_again", 0},
              {"read_all", 13},
              {"write_the_rest", 192},
              {"write_all_again", 0},
              {"dontneed", 0},
              {"read_after_dontneed", 17},
              {"rmw_present", 8},
              {"rmw_absent", 8},
              {"copy_4_pages", 5},
              {"munmap", 0},
              {"map_again", 0},
              {"read_again", 1},
          },
      .data_file = PhaseCase::DataFile::kReadOnly,
  });
}

}  // namespace fl::test
