// The text of --version.
#pragma once

#include <string>
#include <string_view>

namespace fl::emu {

// As in CMakeLists.txt.
inline constexpr std::string_view kVersion = "0.1.0";

std::string version_text();

}  // namespace fl::emu
