// `faultline record`: from the options to the exit status.
#pragma once

#include <span>
#include <string>

#include "emu/cli/record_options.hpp"
#include "emu/record/native_record.hpp"

namespace fl::emu {

// Records, writes the files that were asked for and prints a table on stderr. Returns 0.
HostResult<int> record_command(const RecordOptions& options, std::span<const std::string> host_environment);

// The table, for people.
std::string format_record_summary(const NativeRecord& record);
// As statistics_json, with the keys whose values are known.
std::string record_statistics_json(const NativeRecord& record);

}  // namespace fl::emu
