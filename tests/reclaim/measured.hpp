// What is measured of programs under a memory limit, natively and here, and the files that keep it: the table of
// patterns (patterns.tsv) and the record of native runs (tests/records/reclaim/*.json).
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace fl::test {

// The same for all patterns: the first lines of the table.
struct Setting {
  uint64_t limit_bytes = 0;  // of memory
  uint64_t swap_bytes = 0;
};

struct Pattern {
  std::string name;
  std::vector<std::string> args;  // of access_patterns
};

struct PatternTable {
  Setting setting;
  std::vector<Pattern> patterns;
};
// Throws std::runtime_error if the file is not as it should be.
PatternTable read_patterns(const std::filesystem::path& file);

// One run.
struct Measured {
  uint64_t majors = 0;
  uint64_t swap_ins = 0;
  double seconds = 0;
  std::string output;
};

// The least and the most of several runs, and what 15 % beyond them allows.
struct Span {
  uint64_t least = 0, most = 0;
  bool allows(uint64_t value) const { return value * 100 >= least * 85 && value * 100 <= most * 115; }
};

struct NativeRecord {
  // What may matter of the machine: its kernel, its swap device, its settings. Shown, and of it one is used here:
  // whether the device rotates.
  std::map<std::string, std::string> host;
  Setting setting;
  struct Runs {
    std::vector<std::string> args;
    std::vector<Measured> runs;
    Span majors() const;
    Span swap_ins() const;
  };
  std::map<std::string, Runs> patterns;
};
void write_record(const NativeRecord& record, const std::filesystem::path& file);
// Throws std::runtime_error.
NativeRecord read_record(const std::filesystem::path& file);

}  // namespace fl::test
