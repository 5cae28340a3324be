// Faults of and after mm calls (fault rules J) and of the kernel's own accesses in system calls (I1, I2, A3).
#include <catch2/catch_test_macros.hpp>

#include "tests/program/support/phases.hpp"

namespace fl::test {

TEST_CASE("populate: populating makes the faults in the call", "[faults]") {
  check_phases({
      .program = "populate",
      .real =
          {
              {"anon_rw", 64},           {"anon_rw_write", 0},
              {"anon_ro", 64},           {"anon_ro_read", 0},
              {"anon_ro_mprotect", 0},   {"anon_ro_write", 64},
              {"anon_none", 0},          {"anon_none_write", 64},
              {"file_rw", 256},          {"file_rw_write", 0},
              {"file_ro", 16},           {"file_ro_read", 0},
              {"file_ro_unaligned", 17}, {"file_ro_unaligned_read", 0},
              {"shared_anon", 64},       {"shared_anon_write", 0},
              {"madv_read", 64},         {"madv_read_read", 0},
              {"madv_read_write", 64},   {"madv_write", 64},
              {"madv_write_write", 0},   {"madv_write_rest", 48},
              {"madv_read_file", 16},    {"madv_read_file_read", 0},
              {"madv_write_file", 64},   {"madv_write_file_write", 0},
          },
      .data_file = PhaseCase::DataFile::kWritable,
  });
}

TEST_CASE("populate_shared: populating a shared file mapping leaves its pages read-only", "[faults]") {
  check_phases({
      .program = "populate_shared",
      .real =
          {
              {"call", 16},
              {"read", 0},
              {"write", 256},
              {"write_again", 0},
          },
      .data_file = PhaseCase::DataFile::kWritable,
      .needs_ext4 = true,
  });
}

TEST_CASE("mlock: mlock populates, and breaks zero pages", "[faults]") {
  check_phases({
      .program = "mlock",
      .real =
          {
              {"untouched", 32},      {"untouched_write", 0},  {"munlock", 0},           {"munlock_write", 0},
              {"zero_pages", 32},     {"zero_pages_write", 0}, {"written", 0},           {"read_only", 32},
              {"file_ro", 2},         {"file_ro_read", 0},     {"file_rw", 32},          {"file_rw_write", 0},
              {"mlockall_future", 0}, {"future_mmap", 32},     {"future_mmap_write", 0}, {"future_mmap_none", 0},
              {"future_brk", 32},     {"future_brk_write", 0}, {"munlockall", 0},
          },
      .data_file = PhaseCase::DataFile::kReadOnly,
  });
}

TEST_CASE("mprotect: mprotect keeps pages, and makes only exclusive anonymous ones writable at once", "[faults]") {
  check_phases({
      .program = "mprotect",
      .real =
          {
              {"anon_to_ro", 0},          {"anon_ro_read", 0},
              {"anon_to_rw", 0},          {"anon_rw_write", 0},
              {"anon_to_none", 0},        {"anon_none_to_rw", 0},
              {"anon_none_rw_read", 0},   {"anon_none_rw_write", 0},
              {"anon_none_ro_read", 0},   {"anon_none_ro_rw_write", 0},
              {"anon_rx_rw_write", 0},    {"zero_rw_read", 0},
              {"zero_rw_write", 64},      {"zero_none_rw_read", 0},
              {"zero_none_rw_write", 64}, {"none_fresh_write", 64},
              {"file_read", 4},           {"file_to_rw", 0},
              {"file_rw_read", 0},        {"file_rw_write", 64},
              {"file_copies_write", 0},   {"file_copies_none_write", 0},
              {"half_to_ro", 0},          {"half_write", 0},
              {"half_back", 0},           {"half_back_write", 0},
          },
      .data_file = PhaseCase::DataFile::kReadOnly,
  });
}

TEST_CASE("mremap: mremap moves page-table entries without faults", "[faults]") {
  check_phases({
      .program = "mremap",
      .real =
          {
              {"move_anon", 0},
              {"move_anon_write", 0},
              {"old_place_again", 64},
              {"move_zero_pages", 0},
              {"move_zero_pages_read", 0},
              {"move_zero_pages_write", 64},
              {"move_file", 0},
              {"move_file_read", 0},
              {"move_file_untouched", 0},
              {"move_file_untouched_read", 4},
              {"move_unaligned", 0},
              {"move_unaligned_write", 0},
              {"move_half", 0},
              {"move_half_write", 0},
              {"grow_in_place", 0},
              {"grow_in_place_write", 32},
              {"shrink", 0},
              {"shrink_write", 0},
              {"grow_back", 0},
              {"grow_back_write", 32},
              {"move_and_grow", 0},
              {"move_and_grow_write", 16},
              {"move_and_shrink", 0},
              {"move_and_shrink_write", 0},
              {"duplicate", 0},
              {"duplicate_read", 2},
              {"duplicate_write", 0},
          },
      .data_file = PhaseCase::DataFile::kReadOnly,
  });
}

TEST_CASE("madvise: MADV_DONTNEED drops pages, advice on access patterns changes no count", "[faults]") {
  check_phases({
      .program = "madvise",
      .real =
          {
              {"dontneed_anon", 0},
              {"dontneed_anon_read", 64},
              {"dontneed_anon_write", 64},
              {"dontneed_part", 0},
              {"dontneed_part_write", 20},
              {"dontneed_odd_length", 0},
              {"dontneed_odd_length_write", 1},
              {"dontneed_unaligned_is_EINVAL", 0},
              {"dontneed_unaligned_write", 0},
              {"file_read", 16},
              {"dontneed_file", 0},
              {"dontneed_file_read", 16},
              {"dontneed_file_part", 0},
              {"dontneed_file_part_read", 1},
              {"willneed", 0},
              {"willneed_read", 4},
              {"random", 0},
              {"random_read", 4},
              {"sequential_part", 0},
              {"sequential_part_read", 4},
              {"random_part_read", 6},
              {"normal_again_read", 4},
              {"willneed_anon", 0},
              {"willneed_anon_write", 64},
          },
      .data_file = PhaseCase::DataFile::kReadOnly,
  });
}

TEST_CASE("kernel_access: system calls fault user pages like the program itself", "[faults]") {
  check_phases({
      .program = "kernel_access",
      .real =
          {
              {"read_file", 16},
              {"read_file_write", 0},
              {"read_again", 0},
              {"read_unaligned", 3},
              {"pread_6_bytes_crossing", 2},
              {"read_over_zero_pages", 16},
              {"read_short_at_end", 2},
              {"read_at_end", 0},
              {"read_dev_zero", 16},
              {"read_dev_zero_write", 0},
              {"pipe_write_untouched", 8},
              {"pipe_write_untouched_read", 0},
              {"pipe_write_untouched_write", 8},
              {"pipe_read", 8},
              {"pipe_read_write", 0},
              {"pipe_write_written", 0},
              {"pipe_write_file_pages", 1},
              {"write_dev_null", 0},
              {"readv", 3},
              {"getrusage", 1},
              {"getrusage_write", 0},
              {"getrusage_crossing", 2},
              {"uname", 1},
              {"fstat64", 1},
              {"stat64", 1},
              {"clock_gettime", 1},
              {"nanosleep_zero_page_request", 1},
              {"nanosleep_request_write", 1},
              {"getrandom", 1},
              {"getcwd_too_small_is_ERANGE", 0},
              {"poll_zeroed_entry", 2},
              {"readlink_result", 0},
              {"readlink_proc_self_exe", 1},
              {"path_zero_page_is_ENOENT", 1},
              {"path_present", 0},
              {"path_on_file_page_is_ENOENT", 1},
              {"its_window", 0},
              {"bad_fd_read", 0},
              {"bad_fd_write", 0},
              {"bad_fd_fstat", 0},
              {"read_to_nowhere_is_EFAULT", 0},
              {"path_nowhere_is_EFAULT", 0},
              {"result_nowhere_is_EFAULT", 0},
              {"write_across_the_end_is_short", 2},
              {"read_across_read_only_is_short", 2},
              {"zero_bytes", 0},
          },
      .data_file = PhaseCase::DataFile::kReadOnly,
  });
}

}  // namespace fl::test
