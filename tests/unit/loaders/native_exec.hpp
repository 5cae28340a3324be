// What the Linux that this test runs on makes of an execve: the new process is stopped before its first instruction and
// looked at. Addresses above 3 GiB are given 1 GiB lower, where the 6.18-compat profile has them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace fl::loaders::test {

struct NativeExec {
  std::vector<std::string> maps;  // as LoaderMachine::maps() gives them
  uint32_t entry = 0;
  uint32_t stack_pointer = 0;
  std::vector<std::byte> stack;  // from the stack pointer to the end of the stack
  uint64_t minor_faults = 0;
  // /proc/PID/stat, shifted.
  uint32_t start_code = 0, end_code = 0, start_data = 0, end_data = 0, start_brk = 0;
  uint32_t arg_start = 0, arg_end = 0, env_start = 0, env_end = 0;
};

struct NativeResult {
  int error = 0;                      // execve's errno
  std::optional<NativeExec> program;  // none: error, or the process was killed in execve
};

// 1 GiB lower, if the simulated machine has the address there. All ones stands for no address (start_code).
constexpr uint32_t shifted(uint32_t native) {
  return native >= 0xc0000000 && native != 0xffffffff ? native - 0x40000000 : native;
}

// A directory of our own, removed with everything in it.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::filesystem::path& path() const { return path_; }
  // An executable file.
  void add(const std::string& name, const std::vector<std::byte>& bytes) const;

 private:
  std::filesystem::path path_;
};

// Executes `path` in `directory` without ASLR and without the right to map low addresses. The process is killed before
// it runs.
NativeResult execute_natively(const std::filesystem::path& directory, const std::string& path,
                              const std::vector<std::string>& argv, const std::vector<std::string>& envp,
                              uint32_t stack_limit);

}  // namespace fl::loaders::test
