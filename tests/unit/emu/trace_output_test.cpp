// OutputFile: nothing is lost in silence.
#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "emu/base/output_file.hpp"

namespace fl::emu {
namespace {

// A path in a fresh directory, removed at the end.
class TemporaryFile {
 public:
  TemporaryFile() {
    std::string name = (std::filesystem::temp_directory_path() / "faultline-test-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    directory_ = name;
  }
  ~TemporaryFile() { std::filesystem::remove_all(directory_); }
  std::string path() const { return (directory_ / "out").string(); }
  std::string content() const {
    std::ostringstream text;
    text << std::ifstream(path(), std::ios::binary).rdbuf();
    return text.str();
  }

 private:
  std::filesystem::path directory_;
};

}  // namespace

TEST_CASE("output file: everything written arrives, also more than the buffer holds") {
  const TemporaryFile temporary;
  auto file = OutputFile::create(temporary.path(), "trace file");
  REQUIRE(file.has_value());
  std::string expected;
  for (int i = 0; i < 300000; ++i) {
    const std::string line = std::to_string(i) + "\n";
    (*file)->append(line);
    expected += line;
  }
  const std::string large(OutputFile::kBuffer * 2 + 5, 'x');
  (*file)->append(large);
  expected += large;
  REQUIRE((*file)->close().has_value());
  CHECK(temporary.content() == expected);
}

TEST_CASE("output file: a full device is reported with the path and stays an error") {
  auto file = OutputFile::create("/dev/full", "trace file");
  REQUIRE(file.has_value());
  (*file)->append("text");
  CHECK_FALSE((*file)->failed());
  (*file)->flush();
  CHECK((*file)->failed());
  const HostStatus closed = (*file)->close();
  REQUIRE_FALSE(closed.has_value());
  CHECK(closed.error().message == "cannot write the trace file: /dev/full: No space left on device");
}

TEST_CASE("output file: a path that cannot be made is refused at the start") {
  const auto file = OutputFile::create("/nonexistent/t.csv", "trace file");
  REQUIRE_FALSE(file.has_value());
  CHECK(file.error().message == "cannot create the trace file: /nonexistent/t.csv: No such file or directory");
}

}  // namespace fl::emu
