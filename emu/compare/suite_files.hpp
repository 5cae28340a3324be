// SuiteFiles: the folder in which a suite's programs run: always at the same path, because a program's path stands on
// its stack and so moves what is below it.
//
// Files are written in pieces of one page. Since 6.18 Linux maps a whole large folio of the page cache around a fault,
// and how a file was written decides its folios: written page by page it has none.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "emu/base/host_error.hpp"

namespace fl::emu {

inline constexpr const char* kSuiteFolder = "/tmp/faultline-suite";

class SuiteFiles {
 public:
  // Makes the folder, or takes one that is the caller's own, and waits until no other suite uses it.
  static HostResult<std::unique_ptr<SuiteFiles>> open(const std::string& path);
  SuiteFiles(const SuiteFiles&) = delete;
  SuiteFiles& operator=(const SuiteFiles&) = delete;
  ~SuiteFiles();

  const std::filesystem::path& path() const { return path_; }
  bool is_ext4() const;
  // Copies the program to FOLDER/flavour/name; its path.
  HostResult<std::string> add_program(const std::filesystem::path& from, const std::string& flavour,
                                      const std::string& name);
  // Copies the files of a folder, if it is there, to FOLDER/inputs, all of the same old age.
  HostStatus add_inputs(const std::filesystem::path& from);
  // Writes the data file anew: 300 pages, each of which begins with its number.
  HostResult<std::string> write_data();

 private:
  SuiteFiles(std::filesystem::path path, int lock) : path_(std::move(path)), lock_(lock) {}
  std::filesystem::path path_;
  int lock_;
};

}  // namespace fl::emu
