// Paths in /proc taken apart, and the inode numbers that are given there. For proc_fs.cpp and proc_pid.cpp.
#pragma once

#include <charconv>
#include <cstdint>
#include <string_view>

#include "guest/fs/file_stat.hpp"

namespace fl::guest {

// Inode numbers: one range for the machine's files, one for each task, with a half each for /proc/TID and
// /proc/PID/task/TID.
inline constexpr uint64_t kSystemInodes = 0xf0000000;
inline constexpr uint64_t kTaskInodeBits = 16;
inline constexpr uint64_t kThreadInodes = 0x8000;
inline constexpr uint64_t kFdInodes = 0x1000;
inline constexpr uint64_t kFdinfoInodes = 0x4000;

inline constexpr uint32_t kDirectoryMode = FileMode::kDirectory | 0555;
inline constexpr uint32_t kLinkMode = FileMode::kSymlink | 0777;

// A number without leading zeros. Linux: name_to_int.
inline bool parse_number(std::string_view text, uint32_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && (text.size() == 1 || text.front() != '0');
}

inline std::string_view first_component(std::string_view path) { return path.substr(0, path.find('/')); }
// What follows it; empty: nothing.
inline std::string_view behind_first(std::string_view path) {
  const size_t slash = path.find('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
}

}  // namespace fl::guest
