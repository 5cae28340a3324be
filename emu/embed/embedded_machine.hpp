// What stands behind faultline::Machine: the machine, who listens to its faults, and how far it has come.
#pragma once

#include <deque>
#include <faultline/machine.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "emu/base/host_error.hpp"
#include "emu/machine/machine.hpp"
#include "emu/report/statistics.hpp"
#include "emu/trace/fault_tracer.hpp"
#include "emu/trace/trace_context.hpp"

namespace fl::embed {

inline tl::unexpected<faultline::Error> refuse(const emu::HostError& error) {
  return tl::unexpected<faultline::Error>(faultline::Error{error.message});
}

// "cannot boot: ...", or what a machine is made of.
emu::HostResult<emu::MachineOptions> machine_options(const faultline::MachineOptions& options);

class EmbeddedMachine final : private emu::FaultListener {
 public:
  static emu::HostResult<std::unique_ptr<EmbeddedMachine>> create(const faultline::MachineOptions& options);
  explicit EmbeddedMachine(const faultline::MachineOptions& options) : options_(options) {}
  EmbeddedMachine(const EmbeddedMachine&) = delete;
  EmbeddedMachine& operator=(const EmbeddedMachine&) = delete;
  ~EmbeddedMachine() override;

  faultline::MachineState run_for(uint64_t blocks);
  std::optional<faultline::MachineFault> run_until_fault(uint64_t blocks);
  void stop() { machine_->stop().request(emu::StopReason::kInterrupt); }
  faultline::MachineState state() const { return state_; }
  std::optional<int> exit_status() const;
  const std::string& failure() const { return failure_; }

  emu::HostStatus close_trace();
  std::vector<std::string> find_leaks();
  emu::RunStatistics statistics() const;

  emu::Machine& machine() const { return *machine_; }
  const guest::Task* current_task() const { return machine_->kernel().current(); }

 private:
  emu::HostStatus boot();
  void attach(emu::TraceContext& context) override;
  void on_fault(const vm::FaultRecord& record) override;
  void on_event(const vm::MemoryEvent& event) override;
  void give_out(const faultline::MachineFault& fault);
  void give_out_held();
  void go(uint64_t blocks);
  void end(const guest::Outcome& outcome);

  faultline::MachineOptions options_;
  emu::ProcessCollector processes_;
  std::unique_ptr<emu::FaultTracer> tracer_;  // null: there is none (any more)
  emu::HostStatus trace_status_;
  emu::TraceContext* context_ = nullptr;
  std::vector<faultline::MachineFault> held_;  // made while the program was loaded, when there was no task
  std::deque<faultline::MachineFault> queue_;  // for run_until_fault
  bool collecting_ = true;                     // every fault goes there, and ends the run
  bool running_ = false;
  faultline::MachineState state_ = faultline::MachineState::kRunning;
  guest::Outcome outcome_;
  std::string failure_;
  // Last: while it ends it still tells us of what happens.
  std::unique_ptr<emu::Machine> machine_;
};

}  // namespace fl::embed
