// Tracefs: the kernel's tracing files, where the caller may read them. Linux: Documentation/trace/ftrace.rst.
//
// If the file system is not mounted, it is opened without a mount point (fsopen, fsmount: root only), so that nothing
// on the machine changes and no mount is left behind.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "emu/base/host_error.hpp"
#include "emu/record/perf_records.hpp"
#include "emu/record/unique_fd.hpp"

namespace fl::emu {

// A tracepoint: its number for perf_event_open, and the text that says where its fields are.
struct Tracepoint {
  uint64_t id = 0;
  std::string format;
};

class Tracefs {
 public:
  // Nothing if there is no tracefs or the caller may not look into it.
  static std::optional<Tracefs> open();

  std::optional<Tracepoint> find(std::string_view group, std::string_view name) const;
  // Appends a line to kprobe_events. 0 or an errno.
  int change_probes(const std::string& line) const;

 private:
  explicit Tracefs(UniqueFd root) : root_(std::move(root)) {}
  std::optional<std::string> read(const std::string& path) const;

  UniqueFd root_;
};

}  // namespace fl::emu
