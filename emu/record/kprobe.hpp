// KprobeProbe: sees get_user_pages faults through a kernel probe at handle_mm_fault. Root only.
//
// The probe is a tracepoint of ours in kprobe_events, with a name of this process's own, and exists as long as the
// object. Such faults raise no perf event, but they pass through that function without registers. The probe fires
// before the fault is handled, so it cannot know whether the fault will be completed: whoever uses it compares the
// number with getrusage's. Linux: Documentation/trace/kprobetrace.rst.
#pragma once

#include <memory>
#include <string>

#include "emu/base/host_error.hpp"
#include "emu/record/tracefs.hpp"

namespace fl::emu {

class KprobeProbe {
 public:
  static HostResult<std::unique_ptr<KprobeProbe>> create(const Tracefs& tracefs);
  KprobeProbe(const KprobeProbe&) = delete;
  KprobeProbe& operator=(const KprobeProbe&) = delete;
  // The events that use the probe must be closed before: the kernel keeps a probe that is in use.
  ~KprobeProbe();

  const Tracepoint& tracepoint() const { return tracepoint_; }
  RawLayout layout() const;
  // For PERF_EVENT_IOC_SET_FILTER.
  static const char* filter() { return "regs == 0"; }

 private:
  KprobeProbe(const Tracefs& tracefs, std::string name) : tracefs_(&tracefs), name_(std::move(name)) {}

  const Tracefs* tracefs_;
  std::string name_;  // "group/event"
  Tracepoint tracepoint_;
};

}  // namespace fl::emu
