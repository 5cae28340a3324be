// Swap areas for tests, made by the host's mkswap(8).
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

namespace fl::test {

// A file of zeros in scratch(), for its owner alone.
std::filesystem::path zero_file(const std::string& name, size_t bytes);
// A swap area of so many KiB there. Skips the test without mkswap.
std::filesystem::path make_swap(const std::string& name, size_t kib);

}  // namespace fl::test
