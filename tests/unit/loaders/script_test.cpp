// parse_script against what Linux 6.18 does: each expectation was taken from executing such a file natively.
#include "loaders/script.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <string>

namespace fl::loaders {
namespace {

using namespace std::string_literals;

Result<ScriptLine> parse(const std::string& text) {
  ExecHeader header{};
  std::transform(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(std::min(text.size(), header.size())),
                 header.begin(), [](char c) { return static_cast<std::byte>(c); });
  return parse_script(header);
}

bool is_script(const std::string& text, const std::string& interpreter, const std::optional<std::string>& argument) {
  const auto line = parse(text);
  return line.has_value() && line->interpreter == interpreter && line->argument == argument;
}

bool is_refused(const std::string& text) {
  const auto line = parse(text);
  return !line.has_value() && line.error() == Errno::kENOEXEC;
}

TEST_CASE("script: interpreter and one argument are taken from the first line") {
  CHECK(is_script("#!/bin/echo\nrest", "/bin/echo", std::nullopt));
  CHECK(is_script("#! \t/bin/echo \t\nrest", "/bin/echo", std::nullopt));
  CHECK(is_script("#!/bin/echo a b \t\nzz", "/bin/echo", "a b"));
  CHECK(is_script("#!/bin/echo\ta", "/bin/echo", "a"));
  CHECK(is_script("#!/bin/echo", "/bin/echo", std::nullopt));
  CHECK(is_script("#!/bin/echo\r\n", "/bin/echo\r", std::nullopt));
}

TEST_CASE("script: a line without an interpreter is refused") {
  CHECK(is_refused(""));
  CHECK(is_refused("#"));
  CHECK(is_refused("# !/bin/echo\n"));
  CHECK(is_refused("#!\n"));
  CHECK(is_refused("#!   \n"));
  CHECK(is_refused("#!" + std::string(300, ' ')));
}

TEST_CASE("script: an end of file or a NUL instead of an interpreter gives the empty path") {
  CHECK(is_script("#!", "", std::nullopt));
  CHECK(is_script("#! \t", "", std::nullopt));
  CHECK(is_script("#!\0\n"s, "", std::nullopt));
}

TEST_CASE("script: a NUL ends what stands before it") {
  CHECK(is_script("#!/bin/echo\0x y\n"s, "/bin/echo", std::nullopt));
  CHECK(is_script("#!/bin/echo a\0b c\n"s, "/bin/echo", "a"));
  CHECK(is_script("#!/bin/echo \0\n"s, "/bin/echo", ""));
}

TEST_CASE("script: an interpreter that may be cut off is refused, an argument is cut") {
  CHECK(is_refused("#!/bin/echo" + std::string(300, 'x')));
  const auto long_argument = parse("#!/bin/echo " + std::string(300, 'x') + "\n");
  REQUIRE(long_argument.has_value());
  CHECK(long_argument->argument == std::string(243, 'x'));
  // "/bin/echo" ends at byte 254, 255 and 256 of the file.
  CHECK(is_script("#!" + std::string(243, ' ') + "/bin/echo\n", "/bin/echo", std::nullopt));
  CHECK(is_script("#!" + std::string(244, ' ') + "/bin/echo\n", "/bin/echo", std::nullopt));
  CHECK(is_refused("#!" + std::string(245, ' ') + "/bin/echo\n"));
  CHECK(is_script("#!" + std::string(240, ' ') + "/bin/echo x y z", "/bin/echo", "x y"));
}

}  // namespace
}  // namespace fl::loaders
