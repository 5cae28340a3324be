// Nothing outside the granted directories is read or written: a program that tries every way out runs in a prepared
// tree with canaries outside. What it tries without /proc is answered as in a chroot, which root can do natively. That
// the test would see an escape is shown by the same program running unconfined.
#include <unistd.h>

#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <thread>

#include "tests/program/support/faultline_run.hpp"
#include "tests/program/support/native_run.hpp"

namespace fl::test {
namespace {

namespace fs = std::filesystem;

void write_file(const fs::path& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

std::string content(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

// outside/{secret,victim}     must stay as they are
// root/escape                 the program
// root/rw/...                 writable, with links that lead out
struct Tree {
  explicit Tree(const fs::path& program) : base(scratch() / "escape") {
    fs::remove_all(base);
    fs::create_directories(base / "outside");
    fs::create_directories(base / "root/rw/sub");
    fs::create_directories(base / "root/rw/dir");
    fs::create_directories(base / "root/ro");
    write_file(base / "outside/secret", "CANARY");
    write_file(base / "outside/victim", "CANARY too");
    write_file(base / "root/rw/file", "inside");
    write_file(base / "root/rw/dir/secret", "inside");
    fs::copy_file(program, base / "root/escape");
    const fs::path rw = base / "root/rw";
    fs::create_symlink(base / "outside/secret", rw / "abs");
    fs::create_symlink("../../outside/secret", rw / "up");
    fs::create_symlink("../../outside", rw / "dir_out");
    fs::create_symlink(base / "outside", rw / "deep");
    fs::create_symlink("chain2/secret", rw / "chain");
    fs::create_symlink("../../../../../../../../.." + (base / "outside").string(), rw / "chain2");
    fs::create_symlink("loop", rw / "loop");
    fs::create_symlink("../../outside/planted", rw / "dangling");
  }
  // What is outside, by name, with what it says and its mode.
  std::map<std::string, std::string> outside() const {
    std::map<std::string, std::string> found;
    for (const auto& entry : fs::recursive_directory_iterator(base / "outside")) {
      found[entry.path().filename()] =
          std::to_string(static_cast<unsigned>(entry.status().permissions())) + " " + content(entry.path());
    }
    return found;
  }
  fs::path base;
};

// Swaps root/rw/dir for a link to outside and back, as fast as it can.
class Swapper {
 public:
  explicit Swapper(const Tree& tree) : thread_([this, rw = tree.base / "root/rw"] { run(rw); }) {}
  ~Swapper() {
    stop_ = true;
    thread_.join();
  }
  int swaps() const { return swaps_; }

 private:
  void run(const fs::path& rw) {
    const std::string dir = rw / "dir", aside = rw / "aside", link = rw / "link_out";
    while (!stop_) {
      if (::symlink("../../outside", link.c_str()) == 0 && ::rename(dir.c_str(), aside.c_str()) == 0 &&
          ::rename(link.c_str(), dir.c_str()) == 0) {
        ++swaps_;
      }
      ::unlink(dir.c_str());
      ::rename(aside.c_str(), dir.c_str());
    }
  }
  std::atomic<bool> stop_ = false;
  std::atomic<int> swaps_ = 0;
  std::thread thread_;
};

FaultlineResult run_inside(const Tree& tree, std::vector<std::string> args) {
  RunSpec spec{.program = "/escape", .args = std::move(args), .cwd = tree.base / "root"};
  return run_faultline(spec,
                       {.extra = {"--root", (tree.base / "root").string(), "--rw", (tree.base / "root/rw").string()}});
}

}  // namespace

TEST_CASE("escape: every way out is closed, with a chroot's answers", "[escape]") {
  for (const char* flavour : {"glibc", "musl"}) {
    DYNAMIC_SECTION(flavour) {
      const fs::path program = guest_program(flavour, "escape");
      if (program.empty()) {
        SKIP("the program was not built");
      }
      std::string ours;
      {
        const Tree tree(program);
        const auto before = tree.outside();
        const FaultlineResult walk = run_inside(tree, {"walk", (tree.base / "outside").string()});
        ours = walk.run.output;
        CHECK(walk.run.exit_status == 0);
        CHECK(ours.find("ESCAPED") == std::string::npos);
        CHECK(ours.find("chmod out: ") != std::string::npos);
        CHECK(tree.outside() == before);
        const FaultlineResult proc = run_inside(tree, {"proc", (tree.base / "outside").string()});
        CHECK(proc.run.exit_status == 0);
        CHECK(proc.run.output.find("ESCAPED") == std::string::npos);
        CHECK(proc.run.output.find("device: error 1\n") != std::string::npos);
        CHECK(tree.outside() == before);
      }
      if (::geteuid() == 0 && host_runs_i386() && fs::exists("/usr/sbin/chroot")) {
        const Tree tree(program);
        const RunResult native =
            run_process({.program = "/usr/sbin/chroot",
                         .args = {(tree.base / "root").string(), "/escape", "walk", (tree.base / "outside").string()}});
        CHECK(native.exit_status == 0);
        std::istringstream got(ours), want(native.output);
        for (std::string a, b; std::getline(want, b);) {
          std::getline(got, a);
          CHECK(a == b);
        }
      }
    }
  }
}

TEST_CASE("escape: a directory that is swapped for a link out while the program walks", "[escape]") {
  const fs::path program = guest_program("musl", "escape");
  if (program.empty()) {
    SKIP("the program was not built");
  }
  const Tree tree(program);
  const auto before = tree.outside();
  const Swapper swapper(tree);
  const FaultlineResult result = run_inside(tree, {"race", "", "3000"});
  CHECK(result.run.exit_status == 0);
  CHECK(result.run.output == "raced\n");
  CHECK(tree.outside() == before);
  CHECK(swapper.swaps() > 100);
}

TEST_CASE("escape: the same program, unconfined, does get out", "[escape]") {
  const fs::path program = guest_program("musl", "escape");
  if (program.empty() || !host_runs_i386()) {
    SKIP("the program was not built, or this host cannot run it");
  }
  const Tree tree(program);
  const auto before = tree.outside();
  {
    const RunResult walk = run_process(
        {.program = program, .args = {"look", (tree.base / "outside").string()}, .cwd = tree.base / "root"});
    CHECK(walk.output.find("ESCAPED: absolute\n") != std::string::npos);
    CHECK(walk.output.find("ESCAPED: ../outside/secret\n") != std::string::npos);
  }
  const Swapper swapper(tree);
  // Whether a walk meets a swap is chance; on a busy machine it takes more walks. What it reads there proves nothing:
  // it may have cut the secret short before.
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(90);
  while (std::chrono::steady_clock::now() < give_up && tree.outside() == before) {
    run_process({.program = program, .args = {"race", (tree.base / "root").string(), "2000"}});
  }
  CHECK(tree.outside() != before);
}

}  // namespace fl::test
