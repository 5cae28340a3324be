// What the CPU asks for (fault rules B): one write fault for a read-modify-write, one fault for each page that an
// access crosses, lower page first. Linux has no say in it; an emulated CPU easily gets it wrong.
#include <catch2/catch_test_macros.hpp>

#include "tests/program/support/phases.hpp"

namespace fl::test {

TEST_CASE("rmw: a read-modify-write instruction on an absent page is one write fault", "[faults]") {
  check_phases({
      .program = "rmw",
      .real =
          {
              {"add", 1},         {"sub", 1},          {"inc", 1},       {"dec", 1},
              {"or", 1},          {"or0", 1},          {"and0", 1},      {"xor", 1},
              {"not", 1},         {"neg", 1},          {"adc", 1},       {"sbb", 1},
              {"shl", 1},         {"sar_cl", 1},       {"rol", 1},       {"rcl", 1},
              {"rcr", 1},         {"shld", 1},         {"bts", 1},       {"btr", 1},
              {"btc", 1},         {"bts_reg", 1},      {"xadd", 1},      {"xchg", 1},
              {"cmpxchg_hit", 1}, {"cmpxchg_miss", 1}, {"cmpxchg8b", 1}, {"lock_add", 1},
              {"lock_inc", 1},    {"lock_bts", 1},     {"lock_xadd", 1}, {"lock_cmpxchg_miss", 1},
              {"lock_or0", 1},    {"xor_word", 1},     {"mov", 1},       {"sete", 1},
              {"fst", 1},         {"movups", 1},       {"pop", 1},       {"cmp_then_add", 2},
              {"test", 1},        {"bt", 1},
          },
  });
}

TEST_CASE("edge: an access that crosses a page boundary faults once for each absent page", "[faults]") {
  check_phases({
      .program = "edge",
      .real =
          {
              {"load", 2},
              {"store", 2},
              {"add", 2},
              {"lock_add", 2},
              {"xchg", 2},
              {"cmpxchg", 2},
              {"cmpxchg8b", 2},
              {"bts", 2},
              {"load_word", 2},
              {"load_not_crossing", 1},
              {"movzx", 2},
              {"fstp_double", 2},
              {"fld_double", 2},
              {"fstp_tbyte", 2},
              {"fld_tbyte", 2},
              {"fistp_word", 2},
              {"movups_store", 2},
              {"movups_load", 2},
              {"movq_store", 2},
              {"fxsave", 2},
              {"fnstenv", 2},
              {"fnsave", 2},
              {"pusha", 2},
              {"push_cross", 2},
              {"pop_cross", 2},
              {"call_cross", 2},
              {"push_mem", 2},
              {"pop_mem", 2},
              {"bts_far", 2},
              {"xlat", 1},
              {"prefetch", 0},
              {"nop_mem", 0},
              {"lea", 0},
              {"second_absent", 2},
              {"first_absent", 2},
              {"second_zero_page", 3},
              {"movs", 2},
              {"rep_movsb_8_pages", 16},
              {"rep_movsl_unaligned", 18},
              {"rep_movsl_cross_once", 4},
              {"rep_stosl_8_pages", 8},
              {"rep_lodsb_4_pages", 4},
              {"repe_scasb_4_pages", 4},
              {"repe_cmpsb_4_pages", 8},
              {"rep_movsb_backwards", 8},
              {"rep_movsb_count_0", 0},
              {"rep_movsb_overlap", 5},
              {"read_then_write", 2},
          },
  });
}

}  // namespace fl::test
