// The two reports of a comparison: for people, and as JSON.
#pragma once

#include <string>

#include "emu/base/output_file.hpp"
#include "emu/compare/comparison.hpp"

namespace fl::emu {

// How many differences the report for people describes.
enum class Detail : uint8_t { kFirst, kAll };
inline constexpr size_t kFirstDifferences = 20;

// The verdict's line, both sides' counts, hints, and each difference in its place. Ends with a newline.
std::string comparison_text(const Comparison& comparison, Detail detail);

// One JSON object with the whole alignment (README.md has its fields). Appends to `file`.
void write_comparison_json(const Comparison& comparison, OutputFile& file);
// The part without the faults, for the summary of a suite.
std::string comparison_json_head(const Comparison& comparison);

// "read", "write", "exec"; of several possible ones "read|exec"; "?" if nothing is known.
std::string access_text(uint8_t bits);

}  // namespace fl::emu
