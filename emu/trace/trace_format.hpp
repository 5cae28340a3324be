// TraceFormat: how a TraceEvent becomes bytes. One class for each suffix.
//
// .jsonl  one JSON object a line; addresses, entries and frame numbers are strings "0x...", what is unknown is null
// .csv    a header line, then RFC 4180 rows; what is unknown is empty, yes and no are 1 and 0
// .txt    lines like those of perf script
#pragma once

#include <memory>
#include <string_view>

#include "emu/base/host_error.hpp"
#include "emu/trace/cursor.hpp"
#include "emu/trace/trace_event.hpp"

namespace fl::emu {

class TraceFormat {
 public:
  virtual ~TraceFormat() = default;
  // What stands before the first record.
  virtual std::string_view header() const { return {}; }
  // Writes one record, at most kMaxRecord bytes: of a fault, or of another event.
  virtual void write(const TraceEvent& event, Cursor& out) const = 0;
  virtual void write_event(const TraceEvent& event, Cursor& out) const = 0;

  // By the suffix of the file's name; an error names the known ones.
  static HostResult<std::unique_ptr<TraceFormat>> for_path(std::string_view path);
};

std::unique_ptr<TraceFormat> make_jsonl_format();
std::unique_ptr<TraceFormat> make_csv_format();
std::unique_ptr<TraceFormat> make_text_format();

// The string with quotes, as JSON wants it. Bytes that are not UTF-8 become U+FFFD.
void put_json_string(Cursor& out, std::string_view text);
// RFC 4180: in quotes where it must be.
void put_csv_string(Cursor& out, std::string_view text);
// Control characters and bytes that are not UTF-8 as \xNN.
void put_plain_string(Cursor& out, std::string_view text);

}  // namespace fl::emu
