// The order of faults. hello: the published list, page by page, with access, mode and window. Other programs: the whole
// list as the host's kernel recorded it in the same test (perf software events), which only page and mode are taken
// from.
#include <fmt/format.h>
#include <catch2/catch_test_macros.hpp>

#include "emu/record/record_program.hpp"
#include "tests/program/support/faultline_run.hpp"
#include "tests/program/support/native_run.hpp"
#include "tests/program/support/perf_recorder.hpp"

namespace fl::test {
namespace {

// Stack, vDSO and searched mappings lie 1 GiB lower than under the 64-bit kernel that was measured.
constexpr uint32_t kShift = 0x40000000;
constexpr uint32_t kStackTopPage = 0xffffd000 - kShift, kVdsoPage = 0xf7ffc000 - kShift;
// In the 6.1-i386 profile the three stand elsewhere (rule N1); everything else is the same.
constexpr uint32_t kStackTopPage61 = 0xbffff000, kVdsoPage61 = 0xb7ffe000;

struct Published {
  std::string_view mode, access;
  uint32_t page;
  // Window in pages of the file, as published; -1: none.
  int first = -1, last = -1;
};

// hello, static glibc 2.36 i386, -O1, env A=1, stdout a pipe. File page n lies at 0x08048000 + n pages, in the data
// segment one page higher (160 at 0x080e9000).
const std::vector<Published> kHello = {
    {"gup", "write", kStackTopPage},
    {"kernel", "write", 0x080ed000},
    {"user", "exec", 0x08049000, 1, 16},
    {"user", "write", 0x080ef000},
    {"user", "write", 0x080eb000},
    {"user", "exec", 0x08071000, 40, 55},
    {"user", "write", 0x080ec000},
    {"user", "read", 0x080ea000, 160, 164},
    {"user", "read", 0x080b7000, 111, 126},
    {"user", "write", 0x080ea000},
    {"user", "read", 0x08048000, 0, 0},
    {"user", "exec", 0x08060000, 24, 39},
    {"user", "exec", 0x080a7000, 88, 103},
    {"user", "exec", 0x08090000, 72, 87},
    {"user", "write", 0x080f1000},
    {"user", "exec", kVdsoPage},
    {"user", "exec", 0x0808e000, 56, 71},
    {"user", "write", kStackTopPage - 0x1000},
    {"kernel", "read", 0x080cc000, 120, 135},
    {"user", "exec", 0x0805f000, 8, 23},
    {"user", "exec", 0x080b4000, 104, 110},
    {"user", "read", 0x080d3000, 136, 151},
    {"user", "read", 0x080f0000},
    {"user", "write", 0x080f0000},
    {"user", "write", 0x080f2000},  // st_blksize of a pipe is 4096: the buffer ends on this page
};

uint32_t file_page_address(int page, uint32_t near) {
  return 0x08048000u + static_cast<uint32_t>(page) * 0x1000u + (near >= 0x080e9000u ? 0x1000u : 0u);
}

std::string describe(std::string_view mode, uint32_t page) { return fmt::format("{:6} {:08x}", mode, page); }

uint32_t shifted(uint32_t page) { return page >= 0xC0000000u ? page - kShift : page; }

// The list that perf gave twice in a row: a page locked by somebody else may change one run (rule P1).
std::vector<std::string> native_list(const RunSpec& spec) {
  std::vector<std::string> last;
  (void)run_process(spec);
  for (int i = 0; i < 8; ++i) {
    std::vector<std::string> list;
    for (const NativeFault& fault : record_faults(spec).faults) {
      list.push_back(describe(fault.kernel ? "kernel" : "user", shifted(fault.page())));
    }
    if (list == last) {
      return list;
    }
    last = std::move(list);
  }
  FAIL("no two native runs agree");
  return {};
}

// What perf would have seen of the trace: completed faults that are not get_user_pages'.
std::vector<std::string> traced_list(const FaultlineResult& result) {
  std::vector<std::string> list;
  for (const TraceRecord& record : result.trace) {
    if (record.counted && record.mode != "gup") {
      list.push_back(describe(record.mode, record.page));
    }
  }
  return list;
}

void check_same(const std::vector<std::string>& got, const std::vector<std::string>& want) {
  for (size_t i = 0; i < std::min(got.size(), want.size()); ++i) {
    if (got[i] != want[i]) {
      FAIL_CHECK("fault " << i << ": got " << got[i] << ", real Linux " << want[i] << " (after "
                          << (i > 0 ? want[i - 1] : "nothing") << ")");
      return;
    }
  }
  CHECK(got.size() == want.size());
}

uint32_t page_in_6_1(uint32_t page) {
  if (page == kVdsoPage) {
    return kVdsoPage61;
  }
  return page >= 0xB8000000u ? page - kStackTopPage + kStackTopPage61 : page;
}

void check_record(const TraceRecord& got, const Published& want, uint32_t page, size_t index) {
  INFO("fault " << index << ", page " << fmt::format("{:08x}", page));
  CHECK(got.mode == want.mode);
  CHECK(got.access == want.access);
  CHECK(fmt::format("{:08x}", got.page) == fmt::format("{:08x}", page));
  CHECK(got.counted);
  CHECK_FALSE(got.major);
  REQUIRE(got.around.has_value() == (want.first >= 0));
  if (got.around) {
    CHECK(got.around->from == file_page_address(want.first, want.page));
    CHECK(got.around->to == file_page_address(want.last, want.page));
  }
}

}  // namespace

TEST_CASE("order: hello's faults are the published list", "[faults]") {
  const RunSpec spec{.program = guest_program("glibc", "hello")};
  if (spec.program.empty()) {
    SKIP("hello was not built");
  }
  SECTION("native") {
    if (!host_runs_i386() || !perf_unavailable().empty()) {
      SKIP("cannot record here: " << perf_unavailable());
    }
    const auto record =
        emu::record_program({.command = {spec.program.string()}, .environment = spec.env, .forward_output = false});
    REQUIRE(record.has_value());
    std::vector<std::string> got, want;
    for (const Published& fault : kHello) {
      // Who may not probe the kernel sees only how many there were.
      if (fault.mode != "gup" || record->gup == emu::GupView::kFaults) {
        want.push_back(fmt::format("{} {}", describe(fault.mode, fault.page), fault.access));
      }
    }
    for (const emu::NativeFault& fault : record->faults) {
      got.push_back(fmt::format("{} {}", describe(vm::mode_name(fault.mode), shifted(fault.addr & ~uint32_t{4095})),
                                fault.access ? vm::access_name(*fault.access) : "unknown"));
    }
    check_same(got, want);
    CHECK(record->gup_faults == 1);
    CHECK(record->minflt == kHello.size());
    CHECK(record->majflt == 0);
  }
  for (const std::string kernel : {"6.18-compat", "6.1-i386"}) {
    DYNAMIC_SECTION("faultline as " << kernel) {
      const FaultlineResult result = run_faultline(spec, {.trace = true, .kernel = kernel});
      INFO("faultline's stderr: " << result.run.error);
      CHECK(result.run.exit_status == 0);
      for (size_t i = 0; i < std::min(kHello.size(), result.trace.size()); ++i) {
        check_record(result.trace[i], kHello[i], kernel == "6.1-i386" ? page_in_6_1(kHello[i].page) : kHello[i].page,
                     i);
      }
      CHECK(result.trace.size() == kHello.size());
    }
  }
}

TEST_CASE("order: every program's faults come in the order that the kernel recorded", "[faults]") {
  if (!host_runs_i386() || !perf_unavailable().empty()) {
    SKIP("cannot record here: " << perf_unavailable());
  }
  struct Program {
    std::string name;
    std::vector<std::string> args = {};
    bool data_file = false;
  };
  const std::vector<Program> programs = {
      {"empty"},
      {"hello"},
      {"rmw"},
      {"edge", {"ordered"}},
      {"anon"},
      {"brk"},
      {"stack_growth"},
      {"segv_count"},
      {"repair"},
      {"frame_reuse"},
      {"mremap", {}, true},
      {"mprotect", {}, true},
      {"madvise", {}, true},
      {"filepriv", {}, true},
      {"faround", {}, true},
      {"kernel_access", {}, true},
      {"code_order", {"absent"}},
      {"self_modifying"},
  };
  for (const std::string flavour : {"musl", "glibc"}) {
    for (const Program& program : programs) {
      RunSpec spec{.program = guest_program(flavour, program.name), .args = program.args};
      if (spec.program.empty()) {
        continue;
      }
      if (program.data_file) {
        spec.args.push_back(make_data_file("data").string());
      }
      DYNAMIC_SECTION(flavour << "/" << program.name) {
        const std::vector<std::string> native = native_list(spec);
        REQUIRE(native.size() >= 5);
        const FaultlineResult result = run_faultline(spec, {.trace = true});
        INFO("faultline's stderr: " << result.run.error);
        CHECK(result.run.exit_status == 0);
        check_same(traced_list(result), native);
      }
    }
  }
}

}  // namespace fl::test
