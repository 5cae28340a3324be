// Deterministic input files. See busybox_input.hpp.
#include "tests/program/support/busybox_input.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <string>
#include <vector>

#include "tests/program/support/native_run.hpp"

namespace fl::test {
namespace fs = std::filesystem;
namespace {

class Numbers {
 public:
  explicit Numbers(uint32_t seed) : state_(seed) {}
  uint32_t next() { return (state_ = state_ * 1664525u + 1013904223u) >> 8; }

 private:
  uint32_t state_;
};

void write_file(const fs::path& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

std::string words(size_t size, uint32_t seed) {
  constexpr std::array<const char*, 16> kParts = {"page", "fault", "walk", "ta", "ble", "zo",   "ne", "slab",
                                                  "in",   "dex",   "mem",  "o",  "ry",  "line", "al", "loc"};
  Numbers numbers(seed);
  std::string text;
  for (int column = 1; text.size() < size; ++column) {
    for (uint32_t n = numbers.next() % 3 + 1; n > 0; --n) {
      text += kParts[numbers.next() % kParts.size()];
    }
    text += column % 8 == 0 ? '\n' : ' ';
  }
  text += "end\n";
  return text;
}

std::string sorted_words(uint32_t seed) {
  std::vector<std::string> lines;
  Numbers numbers(seed);
  for (int i = 0; i < 4000; ++i) {
    lines.push_back(fmt::format("key{:05}", numbers.next() % 9000));
  }
  std::sort(lines.begin(), lines.end());
  lines.erase(std::unique(lines.begin(), lines.end()), lines.end());
  return fmt::format("{}\n", fmt::join(lines, "\n"));
}

// Long ago, for both clocks: ls prints the time of day of recent files and the year of others.
void set_time(const fs::path& path) {
  const std::array<timespec, 2> times{{{1000000000, 0}, {1000000000, 0}}};
  ::utimensat(AT_FDCWD, path.c_str(), times.data(), AT_SYMLINK_NOFOLLOW);
}

void make_tree(const fs::path& root) {
  for (const char* folder : {"a", "b", "c/d", "c/e", "empty"}) {
    fs::create_directories(root / folder);
  }
  for (int i = 0; i < 60; ++i) {
    constexpr std::array<const char*, 4> kFolders = {"a", "b", "c/d", "c/e"};
    const fs::path path =
        root / kFolders[static_cast<size_t>(i) % 4] / fmt::format("file{:02}.{}", i, i % 3 ? "txt" : "dat");
    write_file(path, words(static_cast<size_t>(i * 97), static_cast<uint32_t>(i)));
    ::chmod(path.c_str(), i % 5 ? 0644 : 0755);
  }
  fs::create_symlink("a/file00.dat", root / "link");
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    set_time(entry.path());
  }
  set_time(root);
}

void compress(const fs::path& folder, const char* applet, const char* to) {
  const RunResult result = run_process({.program = FL_BUSYBOX, .args = {applet, "-c", "text.txt"}, .cwd = folder});
  write_file(folder / to, result.output);
}

void make_all(const fs::path& folder) {
  Numbers numbers(7);
  std::string bytes(10'000'000, '\0');
  for (char& byte : bytes) {
    byte = static_cast<char>(numbers.next() >> 4);
  }
  write_file(folder / "big.bin", bytes);
  write_file(folder / "big.txt", words(10'000'000, 1));
  const std::string text = words(1'000'000, 2);
  write_file(folder / "text.txt", text);
  std::string other = text.substr(0, 20000);
  write_file(folder / "small.txt", other);
  for (size_t at = 500; at < other.size(); at += 3000) {
    other[at] = 'X';
  }
  other.erase(7000, 60);
  write_file(folder / "other.txt", other);
  std::string lines;
  for (int i = 0; i < 50000; ++i) {
    lines += fmt::format("{}\n", numbers.next() % 1000000);
  }
  write_file(folder / "nums.txt", lines);
  lines.clear();
  for (int i = 0; i < 20000; ++i) {
    lines += fmt::format("{},name{},{},{}.{:02},{}\n", i, numbers.next() % 500, numbers.next() % 100,
                         numbers.next() % 1000, numbers.next() % 100, i % 7 ? "yes" : "no");
  }
  write_file(folder / "table.csv", lines);
  write_file(folder / "sorted.txt", sorted_words(11));
  write_file(folder / "sorted2.txt", sorted_words(12));
  write_file(folder / "tabs.txt", "a\tbc\tdef\n\tx\t\ty\nno tabs here\n");
  write_file(folder / "bc.in", "scale=30\n4*a(1)\nfor (i = 0; i < 40; i++) 2^i\nsqrt(2)\n");
  make_tree(folder / "tree");
  compress(folder, "gzip", "text.txt.gz");
  compress(folder, "bzip2", "text.txt.bz2");
}

}  // namespace

fs::path busybox_input() {
  if (!fs::exists(FL_BUSYBOX) || !host_runs_i386()) {
    return {};
  }
  // The number is to be raised with each change of the contents.
  const fs::path folder = fs::path(FL_BINARY_DIR) / "busybox_input.2", done = folder / ".complete";
  if (!fs::exists(done)) {
    // Made beside it and moved: several tests may start at once.
    const fs::path fresh = scratch() / "busybox_input";
    fs::create_directories(fresh);
    make_all(fresh);
    write_file(fresh / ".complete", "");
    std::error_code lost_the_race;
    fs::rename(fresh, folder, lost_the_race);
  }
  return folder;
}

}  // namespace fl::test
