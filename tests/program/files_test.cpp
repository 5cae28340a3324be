// Files on the host as an unmodified program uses them: what busybox changes below --rw is what it changes natively,
// the calls answer alike, and nothing outside the root is seen.
#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/program/support/faultline_run.hpp"
#include "tests/program/support/native_run.hpp"

namespace fl::test {
namespace {

namespace fs = std::filesystem;

std::string content(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

void write_file(const fs::path& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

// A small tree, the same each time, at the same place: what programs print holds its paths.
fs::path fresh_tree() {
  const fs::path tree = scratch() / "files";
  fs::remove_all(tree);
  fs::create_directories(tree / "a/b/c");
  write_file(tree / "a/one", "one\n");
  std::string lines;
  for (int i = 0; i < 2000; ++i) {
    lines += fmt::format("line {} {}\n", i, i * i % 97);
  }
  write_file(tree / "a/b/lines", lines);
  write_file(tree / "a/b/c/small", "small\n");
  fs::permissions(tree / "a/one", static_cast<fs::perms>(0640));
  fs::create_symlink("../one", tree / "a/b/link");
  fs::create_symlink("nowhere", tree / "a/dangling");
  for (const auto& entry : fs::recursive_directory_iterator(tree)) {
    const timespec fixed{1577934245, 0};
    const std::array<timespec, 2> times = {fixed, fixed};
    ::utimensat(AT_FDCWD, entry.path().c_str(), times.data(), AT_SYMLINK_NOFOLLOW);
  }
  return tree;
}

// Everything about a tree but times and inode numbers, in words.
std::string describe(const fs::path& tree) {
  std::vector<std::string> lines;
  for (const auto& entry : fs::recursive_directory_iterator(tree)) {
    struct stat st {};
    ::lstat(entry.path().c_str(), &st);
    std::string line = fmt::format("{} {:o} {}", fs::relative(entry.path(), tree).string(), st.st_mode, st.st_nlink);
    if (entry.is_symlink()) {
      line += " -> " + fs::read_symlink(entry.path()).string();
    } else if (entry.is_regular_file()) {
      line += fmt::format(" {} {}", st.st_size, std::hash<std::string>{}(content(entry.path())));
    }
    lines.push_back(line);
  }
  std::sort(lines.begin(), lines.end());
  return fmt::format("{}", fmt::join(lines, "\n"));
}

const std::vector<std::vector<std::string>> kChanges = {
    {"cp", "a/one", "a/two"},
    {"cp", "-r", "a", "z"},
    {"cp", "-a", "a", "z"},
    {"cp", "a/one", "a/b/lines", "a/b/c"},
    {"mv", "a/one", "a/uno"},
    {"mv", "a/b", "z"},
    {"mv", "a/one", "a/b/lines"},
    {"rm", "a/one"},
    {"rm", "-r", "a"},
    {"rm", "-rf", "a/b/c", "none"},
    {"rm", "a/b"},
    {"rmdir", "a/b"},
    {"mkdir", "-p", "x/y/z"},
    {"mkdir", "a"},
    {"mkdir", "-m", "751", "x"},
    {"ln", "-s", "foo", "bar"},
    {"ln", "a/one", "hard"},
    {"ln", "-sf", "a/one", "a/b/link"},
    {"touch", "new"},
    {"chmod", "4755", "a/one"},
    {"chmod", "-R", "u+rwX,go-w", "a"},
    {"dd", "if=a/b/lines", "of=out", "bs=100", "count=7", "skip=3", "status=none"},
    {"dd", "if=/dev/zero", "of=out", "bs=64k", "count=20", "status=none"},
    {"dd", "if=a/b/lines", "of=a/one", "conv=notrunc", "bs=10", "count=1", "seek=2", "status=none"},
    {"truncate", "-s", "100", "a/b/lines"},
    {"truncate", "-s", "100000", "a/one"},
    {"tar", "cf", "out.tar", "a"},
    {"sort", "-o", "a/b/lines", "-r", "a/b/lines"},
    {"sed", "-i", "s/1/X/g", "a/b/lines"},
    {"split", "-l", "500", "a/b/lines", "part"},
    {"tee", "copy"},
    {"install", "-m", "755", "a/one", "bin"},
    {"gzip", "a/b/lines"},
    {"bzip2", "-k", "a/b/lines"},
    {"unlink", "a/one"},
    {"fallocate", "-l", "5000", "a/one"},
    {"ls", "-laR", "a"},
    {"find", ".", "-type", "l"},
    {"du", "-a", "a"},
    {"diff", "-r", "a", "a/b"},
    {"ash", "-c", "cd a/b; pwd; echo hi > x; read y < x; echo $y >> x; for f in *; do echo $f; done"},
    {"ash", "-c", "exec 3<a/b/lines; read x <&3; read y <&3; echo $x $y; exec 3<&-; read z <&3; echo $?"},
    {"ash", "-c", "umask 077; : > new; set -C; : > a/one"},
    {"ash", "-c", "test -w a/one && test -L a/b/link && test ! -e a/dangling && echo yes"},
};

void require_busybox() {
  if (!fs::exists(FL_BUSYBOX) || !host_runs_i386()) {
    SKIP("busybox-static for i386 is not in .deps, or this host cannot run it");
  }
}

}  // namespace

TEST_CASE("files: what busybox changes below --rw is what it changes natively", "[busybox]") {
  require_busybox();
  for (const std::vector<std::string>& command : kChanges) {
    DYNAMIC_SECTION(fmt::format("{}", fmt::join(command, " "))) {
      RunSpec spec{.program = FL_BUSYBOX, .args = command, .cwd = fresh_tree()};
      const RunResult native = run_process(spec);
      const std::string want = describe(spec.cwd);
      fresh_tree();
      // The host's clock, because ls tells how old files are.
      const FaultlineResult result = run_faultline(spec, {.extra = {"--rw", spec.cwd.string(), "--clock", "host"}});
      CHECK(result.run.exit_status == native.exit_status);
      CHECK(result.run.output == native.output);
      CHECK(result.run.error == native.error);
      CHECK(describe(spec.cwd) == want);
    }
  }
}

TEST_CASE("files: without --rw nothing on the host changes", "[busybox]") {
  require_busybox();
  for (const std::vector<std::string>& command : kChanges) {
    DYNAMIC_SECTION(fmt::format("{}", fmt::join(command, " "))) {
      RunSpec spec{.program = FL_BUSYBOX, .args = command, .cwd = fresh_tree()};
      const std::string before = describe(spec.cwd);
      run_faultline(spec);
      CHECK(describe(spec.cwd) == before);
    }
  }
}

TEST_CASE("files: the file calls answer as natively") {
  for (const char* flavour : {"glibc", "musl"}) {
    DYNAMIC_SECTION(flavour) {
      RunSpec spec{.program = guest_program(flavour, "file_calls"), .cwd = scratch() / "calls"};
      if (spec.program.empty() || !host_runs_i386()) {
        SKIP("the program was not built, or this host cannot run it");
      }
      const auto again = [&] {
        fs::remove_all(spec.cwd);
        fs::create_directories(spec.cwd);
      };
      again();
      const RunResult native = run_process(spec);
      REQUIRE(native.exit_status == 0);
      again();
      const FaultlineResult result = run_faultline(spec, {.extra = {"--rw", spec.cwd.string()}});
      CHECK(result.run.exit_status == 0);
      std::istringstream got(result.run.output), want(native.output);
      for (std::string a, b; std::getline(want, b);) {
        std::getline(got, a);
        CHECK(a == b);
      }
      CHECK(result.run.output.size() == native.output.size());
    }
  }
}

TEST_CASE("files: locks and FIFOs between two processes are as natively") {
  for (const char* flavour : {"glibc", "musl"}) {
    DYNAMIC_SECTION(flavour) {
      RunSpec spec{.program = guest_program(flavour, "file_locks"), .args = {(scratch() / "locks").string()}};
      if (spec.program.empty() || !host_runs_i386()) {
        SKIP("the program was not built, or this host cannot run it");
      }
      const RunResult native = run_process(spec);
      REQUIRE(native.exit_status == 0);
      spec.args = {"/tmp/locks"};  // in the guest's own tmpfs
      const FaultlineResult result = run_faultline(spec);
      CHECK(result.run.exit_status == 0);
      CHECK(result.run.output == native.output);
    }
  }
}

TEST_CASE("files: --root shows nothing of the host outside it", "[busybox]") {
  require_busybox();
  const fs::path root = scratch() / "root";
  fs::remove_all(root);
  fs::create_directories(root / "bin");
  fs::copy_file(FL_BUSYBOX, root / "bin/busybox");
  write_file(root / "inside", "inside\n");
  write_file(scratch() / "outside", "outside\n");
  fs::create_symlink((scratch() / "outside").string(), root / "absolute");
  fs::create_symlink("../outside", root / "relative");
  const auto run = [&](std::vector<std::string> args) {
    RunSpec spec{.program = "/bin/busybox", .args = std::move(args), .cwd = root};
    return run_faultline(spec, {.extra = {"--root", root.string()}}).run;
  };
  CHECK(run({"cat", "/inside"}).output == "inside\n");
  CHECK(run({"cat", "/absolute"}).exit_status == 1);
  CHECK(run({"cat", "/relative"}).exit_status == 1);
  CHECK(run({"cat", "../../../../outside"}).exit_status == 1);
  CHECK(run({"cat", "/proc/self/root/../outside"}).exit_status == 1);
  CHECK(run({"cat", "/proc/self/cwd/inside"}).output == "inside\n");
  CHECK(run({"cat", "/proc/1/status"}).exit_status == 1);
  CHECK(run({"ls", "/"}).output == "absolute\nbin\ninside\nrelative\n");
  CHECK(run({"readlink", "/proc/self/exe"}).output == "/bin/busybox\n");
}

}  // namespace fl::test
