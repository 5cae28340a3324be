// Records of the perf ring buffers, from bytes to plain data. Linux: perf_event_open(2), enum perf_event_type.
//
// All our events put an identifier first into a sample and last into every other record, so that events with different
// contents can share a buffer. What an identifier means is given by an EventTable.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "emu/base/host_error.hpp"
#include "emu/record/task_exits.hpp"

namespace fl::emu {

enum class EventKind : uint8_t {
  kMinor,      // PERF_COUNT_SW_PAGE_FAULTS_MIN
  kMajor,      // PERF_COUNT_SW_PAGE_FAULTS_MAJ
  kException,  // tracepoints exceptions:page_fault_user, page_fault_kernel: before the fault is handled
  kGup,        // a kprobe at handle_mm_fault, called without registers
  kTask,       // carries no samples, only FORK, EXIT and COMM
};

// Where the raw data of a sample has a number.
struct RawField {
  uint32_t offset = 0, size = 0;  // size 0: not there
};
// What the raw data of a sample means.
struct RawLayout {
  RawField addr = {};
  RawField code = {};  // the processor's error code, or FAULT_FLAG_*
};

struct EventType {
  EventKind kind = EventKind::kTask;
  RawLayout raw = {};
};
using EventTable = std::map<uint64_t, EventType>;  // by identifier

// PERF_SAMPLE_IDENTIFIER | IP | TID | TIME | ADDR for all, and PERF_SAMPLE_RAW where the kind has raw data.
constexpr bool has_raw(EventKind kind) { return kind == EventKind::kException || kind == EventKind::kGup; }

struct PerfSample {
  uint64_t time = 0;
  uint64_t addr = 0, ip = 0;
  uint32_t pid = 0, tid = 0;
  uint32_t code = 0;
  EventKind kind = EventKind::kMinor;
  bool kernel = false;  // the processor was in kernel mode
};

struct PerfTaskEvent {
  enum class Kind : uint8_t { kFork, kComm };
  uint64_t time = 0;
  Kind kind = Kind::kFork;
  uint32_t pid = 0, tid = 0;
  uint32_t parent_pid = 0;  // kFork
  std::string comm = {};    // kComm
};

struct PerfRecords {
  std::vector<PerfSample> samples = {};
  std::vector<PerfTaskEvent> tasks = {};
  // Of every task on the machine, not from perf; empty if they could not be seen, or not all of them.
  std::vector<TaskExit> exits = {};
};

// Appends what `bytes`, whole records, say. An error if records were lost or are damaged.
HostStatus parse_perf_records(std::span<const std::byte> bytes, const EventTable& events, PerfRecords& out);

// From the `format` file of a tracepoint: where the field is.
RawField find_raw_field(std::string_view format, std::string_view name);

}  // namespace fl::emu
