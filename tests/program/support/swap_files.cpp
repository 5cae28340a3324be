// mkswap(8) on files of zeros.
#include "tests/program/support/swap_files.hpp"

#include <catch2/catch_test_macros.hpp>
#include <fstream>

#include "tests/program/support/native_run.hpp"

namespace fl::test {
namespace fs = std::filesystem;

fs::path zero_file(const std::string& name, size_t bytes) {
  const fs::path path = scratch() / name;
  std::ofstream(path, std::ios::binary) << std::string(bytes, '\0');
  fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write);
  return fs::canonical(path);
}

fs::path make_swap(const std::string& name, size_t kib) {
  fs::path path = zero_file(name, kib << 10);
  const fs::path program = fs::exists("/usr/sbin/mkswap") ? "/usr/sbin/mkswap" : "/sbin/mkswap";
  if (!fs::exists(program)) {
    SKIP("no mkswap");
  }
  const RunResult run = run_process({.program = program, .args = {path.string()}});
  INFO(run.error);
  REQUIRE(run.exit_status == 0);
  return path;
}

}  // namespace fl::test
