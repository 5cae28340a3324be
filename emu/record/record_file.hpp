// The file of a NativeRecord: JSON with a version, and one fault a line.
//
// The faults are the last member, an array of arrays in the order of "fault_fields", each on a line of its own, so that
// a list can be read and compared with text tools, and half a million of them quickly. Such a file must be read back as
// it was written: other layouts of the same JSON are refused. A damaged file is an error, whatever is in it.
#pragma once

#include <string>
#include <string_view>

#include "emu/base/host_error.hpp"
#include "emu/record/native_record.hpp"

namespace fl::emu {

std::string format_record(const NativeRecord& record);
// `name` is for messages.
HostResult<NativeRecord> parse_record(std::string_view text, std::string_view name);

HostStatus write_record(const std::string& path, const NativeRecord& record);
HostResult<NativeRecord> read_record(const std::string& path);

}  // namespace fl::emu
