// The parser's verdict on each damaged file against that of the Linux this test runs on: whether execve refuses the
// file, with which error, and whether a file it accepts can be mapped. Skipped where i386 programs do not run.
//
// The programs are harmless: they exit, or their first instructions are zeros or header bytes that fault.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "loaders/elf/elf.hpp"
#include "tests/support/good_elf.hpp"

namespace fl::loaders {
namespace {

// The end of user space of an i386 program on an x86-64 kernel. Linux: IA32_PAGE_OFFSET.
constexpr uint32_t kCompatTaskSize = 0xffffe000;

struct NativeResult {
  int exec_errno = 0;  // 0: execve did not return
  int wait_status = 0;
};

// A directory of our own, removed with everything in it.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "faultline-XXXXXX").string();
    REQUIRE(mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// In the child, after fork: nothing but system calls.
[[noreturn]] void execute(const char* path, int error_pipe) {
  const rlimit no_core = {0, 0};
  const rlimit seconds = {2, 2};
  setrlimit(RLIMIT_CORE, &no_core);
  setrlimit(RLIMIT_CPU, &seconds);
  alarm(5);
  const std::array<char*, 1> nothing = {nullptr};
  std::array<char, 4> name = {'x', '\0'};
  const std::array<char*, 2> arguments = {name.data(), nullptr};
  execve(path, arguments.data(), nothing.data());
  const int error = errno;
  [[maybe_unused]] const auto written = write(error_pipe, &error, sizeof(error));
  _exit(127);
}

NativeResult run_natively(const std::filesystem::path& path, const test::Bytes& bytes) {
  {
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }
  std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  std::array<int, 2> error_pipe{};
  REQUIRE(pipe2(error_pipe.data(), O_CLOEXEC) == 0);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    execute(path.c_str(), error_pipe[1]);
  }
  close(error_pipe[1]);
  NativeResult result;
  if (read(error_pipe[0], &result.exec_errno, sizeof(result.exec_errno)) != sizeof(result.exec_errno)) {
    result.exec_errno = 0;
  }
  close(error_pipe[0]);
  REQUIRE(waitpid(child, &result.wait_status, 0) == child);
  return result;
}

bool ran_well(const NativeResult& result) {
  return result.exec_errno == 0 && WIFEXITED(result.wait_status) &&
         WEXITSTATUS(result.wait_status) == test::kGoodElfStatus;
}

// Newer kernels allow 64 KiB of program headers instead of a page of them: ask which rule this host has.
vm::ElfLoading rules_of_host(const std::filesystem::path& directory) {
  for (const auto& file : test::malformed_elf_files()) {
    if (file.name == "129 program headers") {
      const bool accepted = run_natively(directory / "many-headers", file.bytes).exec_errno == 0;
      return accepted ? vm::ElfLoading::k6_18 : vm::ElfLoading::k6_1;
    }
  }
  FAIL("the file with 129 program headers has gone");
  return {};
}

// What an x86-64 kernel's wider arithmetic accepts and an i386 kernel refuses, whatever its version.
bool depends_on_word_size(const ElfImage& image) {
  return std::any_of(image.program_headers.begin(), image.program_headers.end(), [](const ElfProgramHeader& header) {
    return header.p_type == kPtLoad && header.p_offset >= 0xf0000000;
  });
}

TEST_CASE("malformed elf: the host's Linux refuses and accepts the same files", "[native]") {
  const TemporaryDirectory directory;
  if (!ran_well(run_natively(directory.path() / "good", test::good_elf()))) {
    SKIP("this host does not run i386 programs");
  }
  const vm::ElfLoading rules = rules_of_host(directory.path());
  size_t refused = 0;
  size_t unmappable = 0;
  size_t fine = 0;
  size_t number = 0;
  for (const auto& file : test::malformed_elf_files()) {
    INFO(file.name);
    const NativeResult native = run_natively(directory.path() / std::to_string(number++), file.bytes);
    INFO("errno " << native.exec_errno << ", wait status " << native.wait_status);
    const auto image = parse_elf(MemoryReader(file.bytes), rules);
    if (!image) {
      CHECK(native.exec_errno == static_cast<int>(image.error()));
      ++refused;
      continue;
    }
    if (image->interpreter) {
      // Linux goes on to open it; the tests' interpreters do not exist.
      CHECK(native.exec_errno != 0);
      continue;
    }
    CHECK(native.exec_errno == 0);
    if (rules == vm::ElfLoading::k6_1 && depends_on_word_size(*image)) {
      continue;
    }
    if (!plan_elf(*image, kCompatTaskSize)) {
      CHECK(WIFSIGNALED(native.wait_status));
      CHECK(WTERMSIG(native.wait_status) == SIGSEGV);
      ++unmappable;
    } else if (ran_well(native)) {
      ++fine;
    }
  }
  CHECK(refused >= 50);
  CHECK(unmappable >= 10);
  CHECK(fine >= 50);
}

}  // namespace
}  // namespace fl::loaders
