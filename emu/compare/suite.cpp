// Reading the table. Everything is checked here, before the first program runs.
#include "emu/compare/suite.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>

namespace fl::emu {
namespace {

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (true) {
    const size_t at = text.find(separator);
    parts.emplace_back(text.substr(0, at));
    if (at == std::string_view::npos) {
      return parts;
    }
    text.remove_prefix(at + 1);
  }
}

// It becomes a part of a path.
bool plain_name(std::string_view name) {
  return !name.empty() && name[0] != '.' && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '.' || c == '+';
  });
}

// Empty: understood; else what is wrong.
std::string set_flag(SuiteEntry& entry, std::string_view flag) {
  if (flag == "ext4") {
    entry.needs_ext4 = true;
  } else if (flag == "stored") {
    entry.stored_only = true;
  } else if (flag == "writes-data") {
    entry.writes_data = true;
  } else if (flag == "only-6.1") {
    entry.only = vm::KernelProfile::i386_6_1().name;
  } else if (flag == "only-6.18") {
    entry.only = vm::KernelProfile::compat_6_18().name;
  } else {
    return fmt::format("flag {}: give ext4, stored, writes-data, only-6.1 or only-6.18", flag);
  }
  return {};
}

// Empty: understood; else what is wrong.
std::string parse_columns(const std::vector<std::string>& columns, SuiteEntry& entry) {
  if (columns.size() != 6) {
    return fmt::format("{} columns instead of 6", columns.size());
  }
  entry.name = columns[0];
  entry.program = columns[2];
  if (!plain_name(entry.name) || !plain_name(entry.program)) {
    return fmt::format("name {} or program {}: letters, digits and _ - . + only", entry.name, entry.program);
  }
  if (columns[3] != "-") {
    entry.args = split(columns[3], ' ');
  }
  const auto level = parse_level(columns[4]);
  if (!level) {
    return fmt::format("level {}: give total, pages or order", columns[4]);
  }
  entry.level = *level;
  if (columns[5] != "-") {
    for (const std::string& flag : split(columns[5], ',')) {
      if (std::string wrong = set_flag(entry, flag); !wrong.empty()) {
        return wrong;
      }
    }
  }
  return {};
}

}  // namespace

HostResult<std::vector<SuiteEntry>> parse_suite(std::string_view text, const std::string& path) {
  std::vector<SuiteEntry> entries;
  std::set<std::string> labels;
  size_t number = 0;
  for (const std::string& line : split(text, '\n')) {
    ++number;
    if (line.empty() || line[0] == '#') {
      continue;
    }
    SuiteEntry entry;
    const std::vector<std::string> columns = split(line, '\t');
    if (const std::string wrong = parse_columns(columns, entry); !wrong.empty()) {
      return host_error("cannot read the suite: {}:{}: {}", path, number, wrong);
    }
    for (const std::string& flavour : split(columns[1], ',')) {
      entry.flavour = flavour;
      if (!plain_name(flavour) || !labels.insert(entry.label()).second) {
        return host_error("cannot read the suite: {}:{}: {} is no folder's name, or stands there twice", path, number,
                          entry.label());
      }
      entries.push_back(entry);
    }
  }
  return entries;
}

HostResult<std::vector<SuiteEntry>> read_suite(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return host_error("cannot read the suite: {}", path);
  }
  const std::string text(std::istreambuf_iterator<char>(file), {});
  return parse_suite(text, path);
}

}  // namespace fl::emu
