// The system-call table is one list: these tests keep it free of slips.
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <set>
#include <string>

#include "guest/syscall/syscall.hpp"

using namespace fl::guest;

namespace {
struct Line {
  uint32_t number;
  std::string_view name;
  std::string_view format;
};
constexpr Line kLines[] = {
#define X(number, name, handler, format) {number, #name, format},
#include "guest/syscall/table.inc"
#undef X
};
}  // namespace

TEST_CASE("system calls: numbers and names are unique and ascend") {
  std::set<std::string_view> names;
  for (size_t i = 0; i < std::size(kLines); ++i) {
    CHECK(names.insert(kLines[i].name).second);
    if (i > 0) {
      CHECK(kLines[i - 1].number < kLines[i].number);
    }
    CHECK(kLines[i].number < kSyscalls);
  }
}

TEST_CASE("system calls: every format has at most six known letters") {
  for (const Line& line : kLines) {
    std::string_view letters = line.format;
    if (const size_t colon = letters.find(':'); colon != std::string_view::npos) {
      CHECK(letters.substr(colon) == ":x");
      letters = letters.substr(0, colon);
    }
    INFO(line.name);
    CHECK(letters.size() <= 6);
    CHECK(letters.find_first_not_of("duxpsfoOPMS") == std::string_view::npos);
  }
}

TEST_CASE("system calls: numbers are those of i386") {
  CHECK(syscall_name(1) == "exit");
  CHECK(syscall_name(45) == "brk");
  CHECK(syscall_name(90) == "mmap");
  CHECK(syscall_name(173) == "rt_sigreturn");
  CHECK(syscall_name(192) == "mmap2");
  CHECK(syscall_name(243) == "set_thread_area");
  CHECK(syscall_name(403) == "clock_gettime64");
}

TEST_CASE("system calls: a number without a call has the handler that says ENOSYS") {
  for (const uint32_t number : {17u, 222u, 223u, kSyscalls - 1, kSyscalls, 0xffffffffu}) {
    CHECK(syscall_name(number).empty() == (number != 17u));
    CHECK(syscall_entry(number).handler == &sys_ni_syscall);
  }
}
