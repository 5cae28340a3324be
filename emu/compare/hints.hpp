// Hints: known reasons why real Linux and faultline may differ, looked for in a comparison.
//
// A hint says what to check; it never makes a difference disappear. README.md lists them.
#pragma once

#include <string>
#include <vector>

#include "emu/compare/comparison.hpp"

namespace fl::emu {

// Of the whole comparison, also of an equal one where it says something about the reference. Most important first.
std::vector<std::string> comparison_hints(const Comparison& comparison);

// Of one difference; empty: no known reason.
std::string fault_hint(const Comparison& comparison, const AlignedFault& aligned);

}  // namespace fl::emu
