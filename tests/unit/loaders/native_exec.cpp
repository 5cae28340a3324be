// Running a program natively up to its first instruction, with ptrace. See native_exec.hpp.
#include "tests/unit/loaders/native_exec.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sstream>

namespace fl::loaders::test {
namespace {

struct Child {
  const char* directory;
  const char* path;
  std::vector<char*> argv;
  std::vector<char*> envp;
  rlimit stack;
  int error = 0;
};

// Shares our memory until execve, so it takes no faults of its own before that.
int run_child(void* argument) {
  auto& child = *static_cast<Child*>(argument);
  personality(ADDR_NO_RANDOMIZE);
  // Only root has it, and may drop it.
  prctl(PR_CAPBSET_DROP, CAP_SYS_RAWIO, 0, 0, 0);
  if (chdir(child.directory) == 0 && setrlimit(RLIMIT_STACK, &child.stack) == 0 &&
      ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0) {
    execve(child.path, child.argv.data(), child.envp.data());
  }
  child.error = errno;
  _exit(127);
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (const std::string& text : texts) {
    result.push_back(const_cast<char*>(text.c_str()));
  }
  result.push_back(nullptr);
  return result;
}

std::string maps_line(const std::string& line, uint32_t& end_of_stack) {
  std::istringstream in(line);
  std::string range, permissions, offset, device, inode, name;
  in >> range >> permissions >> offset >> device >> inode >> name;
  const auto start = static_cast<uint32_t>(std::stoull(range, nullptr, 16));
  const auto end = static_cast<uint32_t>(std::stoull(range.substr(range.find('-') + 1), nullptr, 16));
  if (name == "[stack]") {
    end_of_stack = end;
  } else if (name == "[heap]") {
    name = "";
  } else if (name.starts_with("/")) {
    name = "." + name.substr(name.rfind('/'));
  }
  return fmt::format("{:08x}-{:08x} {} {:x} {}", shifted(start), shifted(start) + (end - start), permissions,
                     std::stoull(offset, nullptr, 16) >> 12, name);
}

NativeExec look_at(pid_t pid) {
  NativeExec result;
  user_regs_struct registers{};
  REQUIRE(ptrace(PTRACE_GETREGS, pid, nullptr, &registers) == 0);
  result.entry = shifted(static_cast<uint32_t>(registers.rip));
  result.stack_pointer = shifted(static_cast<uint32_t>(registers.rsp));

  uint32_t end_of_stack = 0;
  std::ifstream maps(fmt::format("/proc/{}/maps", pid));
  for (std::string line; std::getline(maps, line);) {
    result.maps.push_back(maps_line(line, end_of_stack));
  }
  REQUIRE(end_of_stack > registers.rsp);
  result.stack.resize(end_of_stack - static_cast<uint32_t>(registers.rsp));
  const int memory = open(fmt::format("/proc/{}/mem", pid).c_str(), O_RDONLY | O_CLOEXEC);
  const auto size = static_cast<ssize_t>(result.stack.size());
  const auto count = pread(memory, result.stack.data(), result.stack.size(), static_cast<off_t>(registers.rsp));
  close(memory);
  REQUIRE(count == size);

  // Fields by their number in proc(5); the first two end at ") ".
  std::ifstream stat(fmt::format("/proc/{}/stat", pid));
  std::string text;
  std::getline(stat, text);
  std::istringstream in(text.substr(text.rfind(") ") + 2));
  std::array<std::string, 53> field;
  for (size_t number = 3; number < field.size() && in >> field.at(number);) {
    ++number;
  }
  const auto address = [&](size_t number) { return shifted(static_cast<uint32_t>(std::stoull(field.at(number)))); };
  result.minor_faults = std::stoull(field.at(10));
  result.start_code = address(26);
  result.end_code = address(27);
  result.start_data = address(45);
  result.end_data = address(46);
  result.start_brk = address(47);
  result.arg_start = address(48);
  result.arg_end = address(49);
  result.env_start = address(50);
  result.env_end = address(51);
  return result;
}

}  // namespace

TemporaryDirectory::TemporaryDirectory() {
  std::string pattern = (std::filesystem::temp_directory_path() / "faultline-XXXXXX").string();
  REQUIRE(mkdtemp(pattern.data()) != nullptr);
  path_ = pattern;
}

void TemporaryDirectory::add(const std::string& name, const std::vector<std::byte>& bytes) const {
  // A new file each time: writing one that runs is ETXTBSY.
  std::filesystem::remove(path_ / name);
  {
    std::ofstream file(path_ / name, std::ios::binary | std::ios::trunc);
    file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }
  std::filesystem::permissions(path_ / name, std::filesystem::perms::owner_all);
}

NativeResult execute_natively(const std::filesystem::path& directory, const std::string& path,
                              const std::vector<std::string>& argv, const std::vector<std::string>& envp,
                              uint32_t stack_limit) {
  Child child{directory.c_str(), path.c_str(), pointers(argv), pointers(envp), {}, 0};
  REQUIRE(getrlimit(RLIMIT_STACK, &child.stack) == 0);
  child.stack.rlim_cur = stack_limit == 0xffffffffu ? RLIM_INFINITY : stack_limit;
  std::vector<std::byte> stack(256 * 1024);
  const pid_t pid = clone(run_child, stack.data() + stack.size(), CLONE_VM | CLONE_VFORK | SIGCHLD, &child);
  REQUIRE(pid > 0);
  NativeResult result;
  int status = 0;
  REQUIRE(waitpid(pid, &status, 0) == pid);
  if (WIFSTOPPED(status)) {
    if (WSTOPSIG(status) == SIGTRAP) {
      result.program = look_at(pid);
    }
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
  }
  result.error = child.error;
  return result;
}

}  // namespace fl::loaders::test
