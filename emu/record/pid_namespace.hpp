// A pid namespace of its own for the program: there its first process has number 1000 and its children the numbers from
// 1001 on, as they have under faultline, its parent is process 1, and /proc shows them and nobody else. The host's name
// is the same, too. Shells keep all that in their memory, and compute with the numbers.
//
// Process 1 is a small process of ours. It starts the program, waits for everybody, and tells by messages through a
// pipe; when it ends, the kernel ends whoever is left. Needs root and CONFIG_CHECKPOINT_RESTORE. Linux:
// pid_namespaces(7).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>

#include "emu/record/child_start.hpp"
#include "emu/record/unique_fd.hpp"

namespace fl::emu {

struct NamespaceReport {
  enum class Kind : uint32_t {
    kNotStarted,  // value: errno
    kStarted,     // minflt, majflt: of the program's process before its execve
    kMainEnded,   // value: its wait status
    kAllEnded,    // minflt, majflt: of all processes that were waited for
  };
  Kind kind = Kind::kNotStarted;
  int32_t value = 0;
  uint64_t minflt = 0, majflt = 0;
};

struct NamespaceInit {
  pid_t pid = 0;  // process 1, seen from here: our child
  UniqueFd reports;
};

// Starts the program in a namespace; none where that is not possible, and nothing has happened. The first report is
// kNotStarted or kStarted.
std::optional<NamespaceInit> start_in_namespace(ChildStart& start);

// The next report; none at the end, or if there is none yet and the descriptor does not block.
std::optional<NamespaceReport> read_report(const UniqueFd& reports);

}  // namespace fl::emu
