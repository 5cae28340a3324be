// One page fault, as faultline::vm and faultline::machine tell of it.
#pragma once

#include <cstdint>
#include <string_view>

#include <faultline/base.hpp>

namespace faultline {

// What the fault ended in. Minor and major ones are counted as Linux counts them, and the access is made; the others
// refuse it, with the signal or errno that Linux would give.
enum class FaultResult : uint8_t {
  kMinor,
  kMajor,        // a disk had to be waited for
  kMapError,     // no mapping: SIGSEGV, SEGV_MAPERR
  kAccessError,  // the mapping forbids it: SIGSEGV, SEGV_ACCERR
  kBusError,     // beyond the end of a file, or it cannot be read: SIGBUS
  kOutOfMemory,
};
constexpr bool is_refused(FaultResult result) { return result > FaultResult::kMajor; }

// Who made the access: the program, the kernel in a system call for it, or get_user_pages (populating, arguments).
enum class FaultMode : uint8_t { kUser, kKernel, kGup };

struct Fault {
  uint32_t address = 0;  // the first byte that was missing
  Access access = Access::kRead;
  FaultMode mode = FaultMode::kUser;
  FaultResult result = FaultResult::kMinor;
  // Why: "anon", "anon_zero", "zero_cow", "cow_copy", "file_read", ...: the words of `faultline run --trace`. Always
  // there: a view of a constant.
  std::string_view cause = {};
  // The page-table entry; `frame` is the one that it shows afterwards, if it shows one.
  uint32_t entry_before = 0, entry_after = 0;
  uint32_t frame = 0;
  bool has_frame = false;
  // A read fault of a file maps cached neighbours too: the first and the last page of the window, and how many it
  // mapped; 0: it was none.
  uint32_t around_first = 0, around_last = 0, around_mapped = 0;

  uint32_t page() const { return address & ~(kPageSize - 1); }
  bool counted() const { return !is_refused(result); }
};

// "one line that says what a cause means"; empty for an unknown one.
std::string_view explain_cause(std::string_view cause);
// "minor", "major", "map_error", "access_error", "bus_error", "out_of_memory".
std::string_view name_of(FaultResult result);
// "read", "write", "exec".
std::string_view name_of(Access access);
// "user", "kernel", "gup".
std::string_view name_of(FaultMode mode);

}  // namespace faultline
