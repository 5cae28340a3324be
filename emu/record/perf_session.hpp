// PerfSession: the events of one recorded run, on every processor, and what they said.
//
// The events are opened on ourselves and inherited by the child that becomes the program; those of page faults start to
// count at its execve, ours never do. An inherited event that is mapped must belong to one processor, so there is a
// buffer for each. What each task counted in all comes from elsewhere (TaskExits), where the kernel tells it.
// Linux: perf_event_open(2).
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "emu/base/host_error.hpp"
#include "emu/record/kprobe.hpp"
#include "emu/record/perf_records.hpp"
#include "emu/record/perf_ring.hpp"
#include "emu/record/task_exits.hpp"
#include "emu/record/tracefs.hpp"
#include "emu/record/unique_fd.hpp"

struct perf_event_attr;

namespace fl::emu {

struct PerfOptions {
  size_t buffer_bytes = 0;  // of each processor, a power of two of pages; 0: chosen
  bool exceptions = true;   // ask for the exceptions' error codes
  bool gup = true;          // ask for get_user_pages faults
  bool kernel = true;       // ask for faults in kernel mode
  bool task_exits = true;   // ask what each task counted
};

class PerfSession {
 public:
  // What is not allowed is left out and told by the functions below; an error if not even user-mode faults can be seen.
  static HostResult<std::unique_ptr<PerfSession>> open(const PerfOptions& options);

  // To poll for input; drain() then.
  const std::vector<int>& descriptors() const { return descriptors_; }
  HostStatus drain();
  // After the last drain(). In no order across processors.
  PerfRecords take_records();

  bool kernel_seen() const { return kernel_; }
  bool exceptions_seen() const { return !exceptions_.empty(); }
  bool gup_seen() const { return kprobe_ != nullptr; }

 private:
  PerfSession() = default;
  struct Exception {
    uint64_t id;
    RawLayout layout;
  };
  HostStatus open_processors(int processors, const PerfOptions& options);
  void close_events();
  HostStatus open_processor(int cpu, const PerfOptions& options);
  HostResult<UniqueFd> open_event(perf_event_attr& attr, int pid, int cpu, EventType type);
  HostStatus add(HostResult<UniqueFd> event);
  void find_exceptions();
  void find_gup();
  HostStatus drain_rings();

  bool kernel_ = true;
  bool buffer_refused_ = false;  // for its size
  std::optional<Tracefs> tracefs_;
  std::vector<Exception> exceptions_;
  std::unique_ptr<KprobeProbe> kprobe_;  // outlives events_
  std::vector<UniqueFd> events_;
  std::vector<PerfRing> rings_;
  std::optional<TaskExits> exits_;
  bool exits_complete_ = true;
  std::vector<int> descriptors_;
  EventTable types_;
  PerfRecords records_;
  std::vector<std::byte> bytes_;
};

// "kernel.perf_event_paranoid is 3", for messages; what it is, or that there is no such setting.
std::string describe_paranoid();

}  // namespace fl::emu
