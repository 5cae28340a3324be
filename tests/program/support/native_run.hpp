// Runs guest programs natively: what this host can do, the count that most of several runs agree on, and where a
// program's file lies so that its page cache is the one that the reference numbers belong to.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "tests/program/support/process.hpp"

namespace fl::test {

// Whether the host's kernel starts i386 programs, and why the numbers might differ from a reference of 6.18 on ext4.
bool host_runs_i386();
bool host_is_linux_6_18();

// A folder of this process's own below the build folder, removed at exit.
const std::filesystem::path& scratch();
bool scratch_is_ext4();

// A built guest program ("glibc", "hello"), copied to scratch() with writes of one page. Empty path if it was not
// built.
//
// The copy matters: since 6.18 Linux maps a whole large folio around a fault, and what a program's file looks like in
// the page cache depends on how it was written. Written page by page it consists of single pages, as in the reference.
std::filesystem::path guest_program(std::string_view flavour, std::string_view name);

// Copies with writes of 4096 bytes; keeps the permissions.
void copy_page_by_page(const std::filesystem::path& from, const std::filesystem::path& to);

// The data file of tests/guest_programs/support/data_file.h, written anew.
std::filesystem::path make_data_file(std::string_view name);

// Runs `runs` times after one that warms the page cache, and returns a run whose pair of fault counts and whose output
// are the most frequent. (One run in 30 to 60 has a fault more or a major one: a page that someone had locked.)
RunResult mode_of_runs(const RunSpec& spec, int runs);

}  // namespace fl::test
