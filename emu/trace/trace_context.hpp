// TraceContext and FaultListener: how what listens to page faults asks the machine whose faults they are.
#pragma once

#include <cstdint>

#include "vm/fault/fault_record.hpp"

namespace fl::guest {
struct Task;
}

namespace fl::emu {

// What a listener asks its machine.
class TraceContext {
 public:
  virtual ~TraceContext() = default;
  // The task that is charged with the fault; null while the first program is loaded.
  virtual const guest::Task* current_task() const = 0;
  virtual uint64_t now_ns() const = 0;
  // What the listener writes to is full or gone: the run is to end.
  virtual void on_trace_error() = 0;
};

class FaultListener : public vm::FaultObserver {
 public:
  // Called before the first fault; `context` outlives the listener's use.
  virtual void attach(TraceContext& context) = 0;
};

}  // namespace fl::emu
