// What `cmake --install` gives to others: a project outside of this tree is built against an installed faultline that
// was moved afterwards, with CMake and with pkg-config, and what its programs say is checked.
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "tests/embed/embedded_run.hpp"
#include "tests/program/support/faultline_run.hpp"
#include "tests/program/support/native_run.hpp"

namespace fl::test {
namespace fs = std::filesystem;
namespace {

// Outside of the tree, and gone with us.
class Outside {
 public:
  Outside() {
    std::string name = (fs::temp_directory_path() / "faultline-embed-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) {
      throw std::runtime_error("mkdtemp");
    }
    path = name;
  }
  ~Outside() {
    std::error_code error;
    fs::remove_all(path, error);
  }
  Outside(const Outside&) = delete;
  Outside& operator=(const Outside&) = delete;
  fs::path path;
};

RunResult run(const fs::path& program, const std::vector<std::string>& args, std::vector<std::string> env = {}) {
  env.insert(env.end(), {"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C"});
  return run_process({.program = program, .args = args, .env = env, .timeout = std::chrono::seconds(110)});
}

// A tool that must succeed; what it says is shown if it does not.
std::string must_run(const fs::path& program, const std::vector<std::string>& args, std::vector<std::string> env = {}) {
  const RunResult result = run(program, args, std::move(env));
  INFO(program.string() << "\n" << result.output << result.error);
  REQUIRE(result.exit_status == 0);
  return result.output;
}

// Installs, and moves all of it: nothing may remember where it was.
fs::path install(const Outside& outside) {
  must_run(FL_CMAKE, {"--install", FL_BINARY_DIR, "--prefix", (outside.path / "first").string()});
  fs::rename(outside.path / "first", outside.path / "moved");
  return outside.path / "moved";
}

// "read a 0 64" -> "64 faults  anon_zero 64".
std::map<std::string, std::vector<std::string>> steps_of(const std::string& output) {
  std::map<std::string, std::vector<std::string>> steps;
  std::istringstream lines(output);
  for (std::string line; std::getline(lines, line);) {
    const size_t faults = line.find(" faults");
    const size_t number = line.find_last_of(' ', faults - 1);
    if (faults != std::string::npos) {
      const size_t end = line.find_last_not_of(' ', number);
      steps[line.substr(0, end + 1)].push_back(line.substr(number + 1));
    }
  }
  return steps;
}

void check_walk(const fs::path& program) {
  // Frame 1 is the kernel's directory, 2 its table, then directory, code, data, and the table of both.
  CHECK(must_run(program, {}) ==
        "fetch 08048010: [00003080] = 00006067 [00006120] = 00004005 -> 00004010\n"
        "write 08048010: [00003080] = 00006067 [00006120] = 00004025 -> page fault, error code 7, cr2 08048010\n"
        "write 0804a123: [00003080] = 00006067 [00006128] = 00005007 -> 00005123\n"
        "read  0804a123: [00003080] = 00006067 [00006128] = 00005067 -> 00005123\n"
        "read  0804b000: [00003080] = 00006067 [0000612c] = 00000000 -> page fault, error code 4, cr2 0804b000\n"
        "read  40000000: [00003400] = 00000000 -> page fault, error code 4, cr2 40000000\n"
        "read  c0000000: [00003c00] = 00002063 [00002000] = 00000163 -> page fault, error code 5, cr2 c0000000\n");
}

void check_page_faults(const fs::path& program) {
  const std::string output = must_run(program, {});
  INFO(output);
  // Real Linux's numbers: those that the phases of anon, faround, filepriv and fork_write have in tests/program.
  using Answers = std::vector<std::string>;
  auto steps = steps_of(output);
  CHECK(steps["read a 0 64"].at(0) == "64 faults  anon_zero 64");
  CHECK(steps["read a 0 64"].at(1) == "0 faults");
  CHECK(steps["write a 0 64"].at(0) == "64 faults  zero_cow 64");
  CHECK(steps["write a 0 64"].at(1) == "0 faults");
  CHECK(steps["write a 0 64"].at(2) == "64 faults  anon 64");  // after MADV_DONTNEED
  CHECK(steps["exec a 0 1"] == Answers{"0 faults"});           // 6.1 i386 has no no-execute
  CHECK(steps["read f 0 256"] == Answers{"16 faults  file_read 16"});
  CHECK(steps["write f 0 64"] == Answers{"64 faults  cow_copy 64"});
  CHECK(steps["write s 0 32"] == Answers{"32 faults  shared_write 32"});
  CHECK(steps["write a 0 16"] == Answers{"16 faults  cow_copy 16"});  // the child's
  CHECK(steps["read a 16 48"] == Answers{"0 faults"});
  CHECK(steps["write a 0 64"].at(3) == "64 faults  cow_reuse 64");
  CHECK(steps["read a 0 1"] == Answers{"1 faults  segv_maperr 1"});
  CHECK(output.ends_with(" 0 broken invariants\n"));
  // And those that the same steps have in programs that run here, which print them: "read_again 0 0".
  const auto phases_of = [](const std::string& name, const std::vector<std::string>& args) {
    const FaultlineResult run =
        run_faultline({.program = guest_program("glibc", name), .args = args}, {.kernel = "6.1-i386"});
    std::map<std::string, std::string> phases;
    std::istringstream lines(run.run.output);
    for (std::string phase, minor, rest; lines >> phase >> minor && std::getline(lines, rest);) {
      phases[phase] = minor + " faults";
    }
    return phases;
  };
  if (!guest_program("glibc", "anon").empty()) {
    auto anon = phases_of("anon", {}), file = phases_of("faround", {make_data_file("data").string()});
    const auto same = [&](const std::string& step, size_t which, const std::string& phase) {
      INFO(step << " and " << phase);
      CHECK(steps[step].at(which).starts_with(phase));
    };
    same("read a 0 64", 0, anon.at("read"));
    same("read a 0 64", 1, anon.at("read_again"));
    same("write a 0 64", 0, anon.at("write_after_read"));
    same("write a 0 64", 1, anon.at("write_again"));
    same("write a 0 64", 2, anon.at("write_after_dontneed"));
    same("read f 0 256", 0, file.at("aligned_256"));
    same("write f 0 64", 0, file.at("then_written"));
  }
  // Each page that went to swap faults once more, and no page twice.
  CHECK(steps["read a 0 64"].at(2).starts_with("64 faults  swap_cache "));
  CHECK(must_run(program, {"--trace"}).find("write minor        zero_cow entry 0") != std::string::npos);
}

void check_run_program(const fs::path& program, const fs::path& folder) {
  const fs::path hello = guest_program("glibc", "hello");
  if (hello.empty()) {
    WARN("glibc/hello was not built");
    return;
  }
  const fs::path trace = folder / "trace.jsonl";
  const RunResult result = run(program, {trace.string(), hello.string()});
  INFO(result.error);
  CHECK(result.exit_status == 0);
  CHECK(result.output == "hello\n");
  // The command line, with the example's options.
  const FaultlineResult expected = run_faultline({.program = hello}, {.trace = true, .kernel = "6.1-i386"});
  CHECK((contents(trace) == expected.trace_text));
  CHECK(result.error.find("page faults           " + std::to_string(expected.minflt) + "   minor") !=
        std::string::npos);
  CHECK(result.error.find("hello 1000 user") != std::string::npos);
  const RunResult refused = run(program, {"-", "/nowhere"});
  CHECK(refused.exit_status == 125);
  CHECK(refused.error.find("cannot run the program: /nowhere") != std::string::npos);
}

void check_programs(const fs::path& built) {
  check_walk(built / "walk");
  check_page_faults(built / "page_faults");
  check_run_program(built / "run_program", built);
  // faultline::vm needs no Unicorn, and ours is nobody's library.
  const std::string libraries = must_run("/usr/bin/ldd", {(built / "page_faults").string()});
  CHECK(libraries.find("unicorn") == std::string::npos);
  CHECK(libraries.find("capstone") == std::string::npos);
}

}  // namespace

TEST_CASE("install: a project outside is built with find_package and with pkg-config, and runs") {
  const Outside outside;
  const fs::path prefix = install(outside);
  const fs::path project = outside.path / "project";
  fs::copy(prefix / "share/faultline/examples", project);
  SECTION("find_package") {
    const fs::path build = outside.path / "build";
    must_run(FL_CMAKE, {"-S", project.string(), "-B", build.string(), "-G", FL_GENERATOR,
                        "-DCMAKE_PREFIX_PATH=" + prefix.string()});
    must_run(FL_CMAKE, {"--build", build.string()});
    check_programs(build);
  }
  SECTION("pkg-config") {
    const fs::path build = outside.path / "built";
    must_run(project / "build.sh", {build.string()}, {"PKG_CONFIG_PATH=" + (prefix / "lib/pkgconfig").string()});
    check_programs(build);
  }
}

TEST_CASE("install: the program runs where it was moved to, with the functions of libunicorn replaced") {
  const Outside outside;
  const fs::path prefix = install(outside);
  CHECK(must_run(prefix / "bin/faultline", {"--version"}) == must_run(FL_FAULTLINE, {"--version"}));
}

TEST_CASE("install: vm is found without Unicorn, and machine says that it needs it") {
  const Outside outside;
  const fs::path prefix = install(outside);
  fs::create_directory(outside.path / "project");
  std::ofstream(outside.path / "project/main.cpp") << "#include <faultline/vm.hpp>\nint main() { return 0; }\n";
  const auto configure = [&](const std::string& find) {
    std::ofstream(outside.path / "project/CMakeLists.txt")
        << "cmake_minimum_required(VERSION 3.16)\nproject(p CXX)\nset(UNICORN_LIBRARY \"\")\n"  // there is none
        << "find_package(faultline 0.1 " << find << ")\n"
        << "add_executable(main main.cpp)\ntarget_link_libraries(main faultline::vm)\n"
        << "if(TARGET faultline::machine)\n  message(STATUS \"machine is there\")\nendif()\n";
    fs::remove_all(outside.path / "build");
    return run(FL_CMAKE, {"-S", (outside.path / "project").string(), "-B", (outside.path / "build").string(), "-G",
                          FL_GENERATOR, "-DCMAKE_PREFIX_PATH=" + prefix.string()});
  };
  const RunResult plain = configure("REQUIRED");
  INFO(plain.output << plain.error);
  CHECK(plain.exit_status == 0);
  CHECK(plain.output.find("faultline::machine needs libunicorn.so") != std::string::npos);
  CHECK(plain.output.find("machine is there") == std::string::npos);
  const RunResult needed = configure("REQUIRED COMPONENTS machine");
  CHECK(needed.exit_status != 0);
  CHECK(needed.error.find("UNICORN_LIBRARY") != std::string::npos);
}

TEST_CASE("install: only the interface is public: headers that stand alone, and symbols of namespace faultline") {
  const Outside outside;
  const fs::path prefix = install(outside);
  std::set<std::string> headers;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(prefix / "include/faultline")) {
    if (entry.path().extension() != ".hpp") {
      continue;
    }
    headers.insert(entry.path().filename());
    const fs::path user = outside.path / "user.cpp";
    std::ofstream(user) << "#include <faultline/" << entry.path().filename().string() << ">\n";
    must_run(FL_CXX, {"-std=c++20", "-Wall", "-Wextra", "-Wshadow", "-Werror", "-fsyntax-only", "-I",
                      (prefix / "include").string(), user.string()});
  }
  CHECK(headers.contains("machine.hpp"));
  CHECK(headers.contains("vm.hpp"));
  CHECK(headers.contains("mmu.hpp"));
  CHECK(contents(prefix / "include/faultline/machine.hpp").find("#include \"") == std::string::npos);

  const std::set<std::string> replaced = {"check_exit_request_x86_64", "tlb_reset_dirty_by_vaddr_x86_64"};
  for (const std::string component : {"mmu", "vm", "machine"}) {
    const std::string listed = must_run(FL_NM, {"--extern-only", "--defined-only", "--demangle",
                                                (prefix / "lib" / ("libfaultline-" + component + ".a")).string()});
    std::istringstream lines(listed);
    int ours = 0, functions_of_unicorn = 0;
    for (std::string line; std::getline(lines, line);) {
      if (line.size() < 20 || line.ends_with(".o:")) {
        continue;  // the member's name
      }
      const std::string symbol = line.substr(19);
      INFO(component << ": " << symbol);
      if (symbol.starts_with("faultline::")) {
        ++ours;
      } else {
        ++functions_of_unicorn;
        CHECK(component == "machine");
        CHECK((replaced.contains(symbol) || (symbol.starts_with("helper_") && symbol.ends_with("_x86_64"))));
      }
    }
    CHECK(ours > 5);
    CHECK((functions_of_unicorn != 0) == (component == "machine" && FL_INTERPOSE));
  }
}

}  // namespace fl::test
