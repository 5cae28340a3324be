// Table-driven tests of programs whose output says how CPU and kernel behaved. The expected output of each is stored
// (expected/NAME.txt, from real Linux); the host must still give it where it can run the program, and faultline always,
// byte for byte.
#pragma once

#include <string>
#include <vector>

#include "tests/program/support/process.hpp"

namespace fl::test {

struct Behaviour {
  std::string program;
  std::vector<std::string> flavours = {"glibc", "musl"};
  // DATA: a data file's path; NEWFILE: of a file to be made; FOLDER: of a new empty folder.
  std::vector<std::string> args = {};
  std::string expected = {};   // name of the stored output, if not the program's
  std::string other_cpu = {};  // name of what the host may give instead, where processors differ
  bool needs_6_18 = false;     // the host's kernel must be the profile's
  std::vector<std::string> kernels = {"6.18-compat"};
  // Invariants are checked after each memory call, and nothing may be left when all have ended.
  bool leaves_nothing = false;
};

// Checks each flavour natively and under faultline, in sections named "glibc, native" and so on.
void check_behaviour(const Behaviour& test);

std::string stored_output(const std::string& name);
// Line by line, so that a difference is one line long and not the whole text.
void check_text(const std::string& got, const std::string& want);

}  // namespace fl::test
