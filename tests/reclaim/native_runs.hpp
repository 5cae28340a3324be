// Runs programs natively in a memory cgroup of their own, with a swap file of their own, and counts what they wait for.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "tests/reclaim/measured.hpp"

namespace fl::test {

struct NativeOptions {
  std::filesystem::path programs;  // the folder of guest programs, with a folder for each flavour
  std::filesystem::path work;      // on a disk that can hold a swap file
  int runs = 10;
};

// Why this host cannot measure: not root, no memory controller of version 1, swap that is in use already. Nothing: it
// can.
std::optional<std::string> cannot_measure();

// All patterns of the table. Each run gets a new group and an empty swap area, which are gone afterwards, after an
// exception, too. Throws std::runtime_error.
NativeRecord measure(const PatternTable& table, const NativeOptions& options);

}  // namespace fl::test
