// Programs that need more memory than there is: right answers with swap, a defined end without.
#include <catch2/catch_test_macros.hpp>
#include <filesystem>
#include <fstream>

#include "tests/program/support/faultline_run.hpp"
#include "tests/program/support/native_run.hpp"

namespace fl::test {
namespace {

struct Case {
  std::string what, mib, ram, swap, says;
  std::string reclaim = "lru";
};

void check_case(const Case& test, std::chrono::milliseconds timeout = std::chrono::seconds(60)) {
  const std::filesystem::path program = guest_program("glibc", "larger_than_memory");
  if (program.empty()) {
    SKIP("larger_than_memory was not built");
  }
  INFO(test.what << " of " << test.mib << " MiB in " << test.ram << " with " << test.swap);
  RunSpec spec{.program = program, .args = {test.what, test.mib}};
  spec.timeout = timeout;
  spec.cwd = scratch();
  FaultlineOptions options{.writable_scratch = true};
  options.extra = {"--ram",      test.ram,   "--swap", test.swap, "--reclaim",
                   test.reclaim, "--verify", "1",      "--dump",  "leaks"};
  const FaultlineResult result = run_faultline(spec, options);
  INFO("faultline's stderr: " << result.run.error);
  CHECK(result.run.exit_status == 0);
  CHECK(result.run.output == test.says);
  CHECK(result.run.error.find("leaks: none\n") != std::string::npos);
  CHECK(result.run.error.find("internal error") == std::string::npos);
}

constexpr const char* kForked =
    "child 0: exited 0\nchild 1: exited 0\nchild 2: exited 0\nchild 3: exited 0\nparent: 0 words wrong\n";
constexpr const char* kShared = "child: exited 0\nparent: 0 words wrong\n";

}  // namespace

TEST_CASE("reclaim: programs larger than memory end with the right answer", "[reclaim]") {
  check_case({"sort", "12", "8M", "32M", "sorted 196608 records, 0 wrong, none lost\n"});
  check_case({"fork", "32", "16M", "128M", kForked});
  check_case({"tmpfs", "32", "24M", "64M", "four files of 32 blocks: 0 words wrong\n"});
  check_case({"shared", "48", "16M", "64M", kShared});
  check_case({"peer", "12", "8M", "64M", kShared});
}

TEST_CASE("reclaim: a shared mapping of a file larger than memory leaves the right file", "[reclaim]") {
  check_case({"file", "32", "12M", "16M", kShared});
  std::ifstream file(scratch() / "data", std::ios::binary);
  REQUIRE(file);
  uint32_t wrong = 0;
  uint32_t words = 0;
  for (uint32_t word = 0; words < (32u << 20) / 4; words += 128) {
    file.seekg(std::streamoff{words} * 4);
    file.read(reinterpret_cast<char*>(&word), sizeof word);
    wrong += !file || word != words * 3 + 1 ? 1 : 0;
  }
  CHECK(wrong == 0);
}

TEST_CASE("reclaim: whichever page goes first, answers are right", "[reclaim]") {
  for (const char* policy : {"clock", "fifo"}) {
    check_case({"fork", "24", "12M", "96M", kForked, policy});
  }
}

TEST_CASE("reclaim: 192 MiB are sorted in 32 MiB, and in 16 MiB", "[reclaim][slow]") {
  constexpr const char* kSorted = "sorted 3145728 records, 0 wrong, none lost\n";
  check_case({"sort", "192", "32M", "256M", kSorted}, std::chrono::seconds(400));
  check_case({"sort", "192", "16M", "512M", kSorted}, std::chrono::seconds(400));
}

}  // namespace fl::test
