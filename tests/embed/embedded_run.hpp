// A program in a faultline::Machine as run_faultline runs it: the same kernel, environment and kinds of standard files.
#pragma once

#include <faultline/machine.hpp>
#include <filesystem>
#include <string>
#include <vector>

namespace fl::test {

// /dev/null, and a pipe each for output and error.
class StandardFiles {
 public:
  StandardFiles();
  ~StandardFiles();
  StandardFiles(const StandardFiles&) = delete;
  StandardFiles& operator=(const StandardFiles&) = delete;
  std::array<int, 3> guest() const { return {in_, out_[1], err_[1]}; }
  // What was written so far; less than a pipe holds.
  std::string output() const { return drain(out_[0]); }

 private:
  static std::string drain(int fd);
  int in_ = -1;
  std::array<int, 2> out_{-1, -1}, err_{-1, -1};
};

faultline::MachineOptions options_for(const std::filesystem::path& program, const std::vector<std::string>& arguments,
                                      const StandardFiles& files, const std::filesystem::path& trace = {});

std::string contents(const std::filesystem::path& path);

}  // namespace fl::test
