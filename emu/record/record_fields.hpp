// The header of a record file, everything but the faults, as JSON; and the names that stand for values in a file.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "emu/base/host_error.hpp"
#include "emu/record/native_record.hpp"

namespace fl::emu {

inline constexpr int kRecordVersion = 1;
inline constexpr std::string_view kRecordVersionKey = "faultline_record";

nlohmann::ordered_json record_header(const NativeRecord& record);
// Throws nlohmann::json::exception for what is missing or of another type, std::runtime_error for other nonsense.
NativeRecord record_from_header(const nlohmann::ordered_json& header);

}  // namespace fl::emu
