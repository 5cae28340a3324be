// Programs that others have built, unmodified, from Debian's i386 packages: Go, klibc, glibc with threads linked in, a
// dynamic one with its own loader. Output, files written and exit status are those of a native run in the same test.
//
// FAULTLINE_CORPUS may name a folder with a larger corpus: corpus.tsv, fetch-corpus.sh (which downloads some 90 MB
// once, into the build folder) and run-native.sh, which runs a case with $RUNNER before the command and compares its
// hashes.
#include <fmt/format.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "tests/program/support/batch.hpp"
#include "tests/program/support/behaviour.hpp"
#include "tests/program/support/faultline_run.hpp"
#include "tests/program/support/native_run.hpp"

namespace fl::test {
namespace {

namespace fs = std::filesystem;

void write_text(const fs::path& path, const std::string& text) {
  std::ofstream out(path, std::ios::binary);
  out << text;
  REQUIRE(out.flush());
}

// An empty folder; what is in it may be changed by the program.
fs::path fresh_folder() {
  const fs::path folder = scratch() / "program";
  fs::remove_all(folder);
  fs::create_directories(folder);
  return folder;
}

std::string all_files(const fs::path& folder) {
  std::vector<fs::path> paths(fs::recursive_directory_iterator(folder), fs::recursive_directory_iterator{});
  std::sort(paths.begin(), paths.end());
  std::string text;
  for (const fs::path& path : paths) {
    text += path.filename().string() + "\n" + (fs::is_regular_file(path) ? read_text(path) : std::string());
  }
  return text;
}

using Prepare = void (*)(const fs::path& folder);

// Runs the command natively and here, each in a folder that was prepared alike.
void check_program(RunSpec spec, Prepare prepare, std::vector<std::string> options = {}) {
  if (spec.program.empty()) {
    SKIP("the program is not in .deps");
  }
  if (!host_runs_i386()) {
    SKIP("this host runs no i386 programs");
  }
  spec.cwd = fresh_folder();
  spec.env = {"PATH=/nonexistent", "HOME=.", "TZ=UTC", "LC_ALL=C"};
  prepare(spec.cwd);
  const RunResult native = run_process(spec);
  REQUIRE_FALSE(native.timed_out);
  const std::string native_files = all_files(spec.cwd);
  prepare(fresh_folder());
  options.insert(options.end(), {"--verify", "1", "--dump", "leaks"});
  const FaultlineResult result = run_faultline(spec, {.writable_scratch = true, .extra = options});
  INFO("faultline's stderr: " << result.run.error.substr(0, 3000));
  CHECK_FALSE(native.output.size() + native_files.size() == 0);
  CHECK(result.run.exit_status == native.exit_status);
  check_text(result.run.output, native.output);
  CHECK((all_files(spec.cwd) == native_files));
  CHECK(result.run.error.find("leaks: none\n") != std::string::npos);
}

fs::path script(const std::string& name) { return fs::path(FL_SOURCE_DIR) / "tests/program/scripts" / name; }

void nothing(const fs::path&) {}

void make_json(const fs::path& folder) {
  std::string text = "{\"items\": [";
  for (int i = 0; i < 500; ++i) {
    text += fmt::format("{}{{\"n\": \"name{}\", \"v\": {}, \"p\": {{\"x\": {}}}}}", i == 0 ? "" : ", ", i * 7 % 97,
                        i * 13 % 1000, i % 17);
  }
  write_text(folder / "data.json", text + "]}");
}

void make_html(const fs::path& folder) {
  std::string text = "<!doctype html><title>page</title><ul>";
  for (int i = 0; i < 300; ++i) {
    text += fmt::format("<li class=\"c{}\"><a href='/{}'>link &amp; {}</a>", i % 3, i, i);
  }
  write_text(folder / "page.html", text + "</ul>");
}

// Made once: it holds the time and a random number.
void make_image(const fs::path& folder) {
  const fs::path image = scratch() / "fs.ext2";
  if (!fs::exists(image)) {
    std::ofstream(image).close();
    fs::resize_file(image, 1 << 20);
    REQUIRE(run_process({.program = FL_BUSYBOX, .args = {"mke2fs", "-F", "-b", "1024", image.string()}}).exit_status ==
            0);
  }
  fs::copy_file(image, folder / "fs.ext2");
}

void make_assembly(const fs::path& folder) {
  std::string text = "section .data\n";
  for (int i = 0; i < 400; ++i) {
    text += fmt::format("v{}: dd {}, v{} - $$\n", i, i * i, i / 2);
  }
  text += "%macro twice 1\n add eax, %1\n add eax, %1\n%endmacro\nsection .text\nglobal f\nf:\n";
  for (int i = 0; i < 400; ++i) {
    text += fmt::format(" mov ecx, [v{}]\n twice ecx\n jz f\n", i);
  }
  write_text(folder / "prog.asm", text + " ret\n");
}

fs::path dynamic_root() {
  const fs::path root = fs::path(FL_BUSYBOX).parent_path().parent_path().parent_path() / "programs";
  return fs::exists(root / "usr/bin/nasm") ? root : fs::path();
}

}  // namespace

TEST_CASE("programs: Go: goroutines, collector, preemption, signals, timers, children", "[programs]") {
  check_program({.program = guest_program("go", "goroutines")}, nothing);
}
TEST_CASE("programs: shfmt, which is Go, formats shell scripts", "[programs]") {
  check_program({.program = guest_program("corpus", "shfmt"),
                 .args = {"-i", "2", "-ci", script("pipelines.sh"), script("bash.bash"), script("job_control.bash")}},
                nothing);
}
TEST_CASE("programs: jp, which is Go, queries JSON", "[programs]") {
  check_program({.program = guest_program("corpus", "jp"),
                 .args = {"-f", "data.json", "items[?v>`500`].{n:name,x:p.x}|sort_by(@,&x)"}},
                make_json);
}
TEST_CASE("programs: pup, which is Go, selects from HTML", "[programs]") {
  check_program({.program = guest_program("corpus", "pup"), .args = {"-f", "page.html", "li.c1 a text{}"}}, make_html);
}
TEST_CASE("programs: tini starts and watches a shell", "[programs]") {
  check_program({.program = guest_program("corpus", "tini"),
                 .args = {"-s", "--", FL_BUSYBOX, "sh", "-c", "(sleep 0.1; echo orphan) & echo out; exit 7"}},
                nothing);
  check_program(
      {.program = guest_program("corpus", "tini"), .args = {"-s", "--", FL_BUSYBOX, "sh", "-c", "kill -9 $$"}},
      [](const fs::path& folder) { write_text(folder / "file", "x"); });
}
TEST_CASE("programs: klibc's zcat unpacks", "[programs]") {
  check_program({.program = guest_program("corpus", "klibc-zcat"), .args = {"x.gz"}}, [](const fs::path& folder) {
    std::string text;
    for (int i = 0; i < 20000; ++i) {
      text += fmt::format("{} ", i * i % 977);
    }
    write_text(folder / "x", text);
    REQUIRE(run_process({.program = FL_BUSYBOX, .args = {"gzip", "x"}, .cwd = folder}).exit_status == 0);
  });
}
TEST_CASE("programs: e2fsck checks a file system", "[programs]") {
  // It compares the file system's times with the clock.
  check_program({.program = guest_program("corpus", "e2fsck"), .args = {"-fn", "fs.ext2"}}, make_image,
                {"--clock", "host"});
}
TEST_CASE("programs: nasm, dynamically linked, by its loader and from a root of its own", "[programs]") {
  const fs::path root = dynamic_root();
  if (root.empty()) {
    SKIP("nasm is not in .deps");
  }
  const std::vector<std::string> arguments = {"-f", "elf32", "-o", "prog.o", "prog.asm"};
  RunSpec spec{.program = root / "lib/ld-linux.so.2",
               .args = {"--library-path", (root / "lib/i386-linux-gnu").string(), (root / "usr/bin/nasm").string()}};
  spec.args.insert(spec.args.end(), arguments.begin(), arguments.end());
  check_program(spec, make_assembly);
  // The kernel starts the loader that the program names.
  const fs::path sysroot = fresh_folder() / "root";
  fs::create_directories(sysroot / "work");
  fs::copy(root / "lib", sysroot / "lib", fs::copy_options::recursive | fs::copy_options::copy_symlinks);
  fs::copy_file(root / "usr/bin/nasm", sysroot / "nasm");
  make_assembly(sysroot / "work");
  RunSpec in_root{.program = "/nasm", .args = {"-f", "elf32", "-o", "/work/prog.o", "/work/prog.asm"}};
  const FaultlineResult result =
      run_faultline(in_root, {.extra = {"--root", sysroot.string(), "--rw", (sysroot / "work").string()}});
  INFO("faultline's stderr: " << result.run.error.substr(0, 2000));
  CHECK(result.run.exit_status == 0);
  // The rest names nothing of the machine; the source's name is in it.
  CHECK(read_text(sysroot / "work/prog.o").size() > 4000);
}

TEST_CASE("programs: the corpus that FAULTLINE_CORPUS names", "[programs][slow]") {
  const char* const folder = std::getenv("FAULTLINE_CORPUS");
  if (folder == nullptr || *folder == '\0') {
    SKIP("FAULTLINE_CORPUS names no folder: the corpus was NOT run");
  }
  const fs::path corpus = fs::canonical(folder), fetched = fs::path(FL_BINARY_DIR) / "corpus";
  const std::vector<std::string> env = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"};
  if (!fs::exists(fetched / ".complete")) {
    const RunResult fetch = run_process({.program = corpus / "fetch-corpus.sh",
                                         .args = {fetched.string()},
                                         .env = env,
                                         .timeout = std::chrono::minutes(10)});
    INFO(fetch.output << fetch.error);
    REQUIRE(fetch.exit_status == 0);
    write_text(fetched / ".complete", "");
  }
  std::ifstream list(corpus / "corpus.tsv");
  REQUIRE(list);
  int cases = 0, dynamic = 0;
  for (std::string line; std::getline(list, line);) {
    std::istringstream columns(line);
    std::string name, package, path, kind;
    columns >> name >> package >> path >> kind;
    if (name.empty() || name == "name" || name[0] == '#') {
      continue;
    }
    ++cases;
    dynamic += kind == "dynamic" ? 1 : 0;
    // e2fsck compares the clock with the times in its input.
    const std::string clock = name == "e2fsck" ? "host" : "virtual";
    const fs::path kept = fresh_folder();
    std::vector<std::string> with = env;
    with.push_back("KEEP=" + kept.string());
    with.push_back(fmt::format("RUNNER={} run --kernel 6.18-compat --timeout 100 --clock {} --dump leaks --rw . --",
                               FL_FAULTLINE, clock));
    const RunResult run = run_process({.program = corpus / "run-native.sh",
                                       .args = {fetched.string(), "^" + name + "$"},
                                       .env = with,
                                       .timeout = std::chrono::minutes(3)});
    INFO(name << ": " << run.output << run.error);
    CHECK(run.exit_status == 0);
    CHECK(run.output.find("1 passed, 0 failed") != std::string::npos);
    CHECK(read_text(kept / (name + ".err")).find("leaks: none\n") != std::string::npos);
  }
  CHECK(cases >= 44);
  CHECK(dynamic >= 5);
}

}  // namespace fl::test
