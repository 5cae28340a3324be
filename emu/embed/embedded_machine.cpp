// Booting, running, and giving faults out.
#include "emu/embed/embedded_machine.hpp"

#include <mutex>

#include "emu/base/logging.hpp"
#include "emu/machine/run_statistics.hpp"
#include "guest/task.hpp"
#include "mmu/base/check.hpp"
#include "vm/embed/convert.hpp"

namespace fl::embed {
namespace {

// Code that the engine translates counts its blocks in one place of the process (emu/cpu/block_counter.hpp): engines
// take turns. Recursive, because a callback of one machine may make or run another: an engine is at rest then.
std::recursive_mutex& engines() {
  static std::recursive_mutex mutex;
  return mutex;
}

// The library that is loaded need not be the one whose headers we were built with.
emu::HostStatus check_engine() {
  constexpr unsigned int kOldest = 0x02010400;  // 2.1.4
  const unsigned int version = uc_version(nullptr, nullptr);
  return version >= kOldest ? emu::HostStatus{}
                            : emu::host_error("cannot use libunicorn: version {}.{}.{}: 2.1.4 or newer is needed",
                                              version >> 24, version >> 16 & 0xff, version >> 8 & 0xff);
}

faultline::MachineFault describe(const vm::FaultRecord& record, const guest::Task* task, uint64_t now_ns) {
  faultline::MachineFault fault;
  static_cast<faultline::Fault&>(fault) = to_public(record);
  fault.time_ns = now_ns;
  if (task != nullptr) {
    fault.pid = task->tgid;
    fault.tid = task->tid;
    fault.name = task->comm;
    fault.instruction = task->regs.eip;
  }
  return fault;
}

}  // namespace

emu::HostResult<std::unique_ptr<EmbeddedMachine>> EmbeddedMachine::create(const faultline::MachineOptions& options) {
  const std::lock_guard turn(engines());
  auto machine = std::make_unique<EmbeddedMachine>(options);
  FL_HOST_TRY(machine->boot());
  return machine;
}

emu::HostStatus EmbeddedMachine::boot() {
  FL_HOST_TRY(check_engine());
  emu::add_missing_loggers();
  emu::MachineOptions options;
  FL_HOST_TRY_SET(options, machine_options(options_));
  options.observer = &processes_;
  FL_HOST_TRY_SET(machine_, emu::Machine::create(options));
  if (!options_.trace.empty()) {
    FL_HOST_TRY_SET(tracer_, emu::FaultTracer::create(options_.trace, machine_->mmu(), *options.profile, options.root));
  }
  machine_->attach(*this);
  std::vector<std::string> argv{options_.program};
  argv.insert(argv.end(), options_.arguments.begin(), options_.arguments.end());
  FL_HOST_TRY(machine_->start({.path = options_.program, .argv = std::move(argv), .env = options_.environment}));
  if (tracer_ != nullptr) {
    tracer_->begin();
  }
  give_out_held();
  return {};
}

EmbeddedMachine::~EmbeddedMachine() {
  const std::lock_guard turn(engines());
  static_cast<void>(close_trace());
  machine_.reset();
}

void EmbeddedMachine::attach(emu::TraceContext& context) {
  context_ = &context;
  if (tracer_ != nullptr) {
    tracer_->attach(context);
  }
}

void EmbeddedMachine::on_event(const vm::MemoryEvent& event) {
  if (tracer_ != nullptr) {
    tracer_->on_event(event);
  }
}

void EmbeddedMachine::on_fault(const vm::FaultRecord& record) {
  if (tracer_ != nullptr) {
    tracer_->on_fault(record);
  }
  if (!collecting_ && !options_.on_fault) {
    return;
  }
  const guest::Task* const task = context_->current_task();
  if (task == nullptr) {
    held_.push_back(describe(record, nullptr, context_->now_ns()));
    return;
  }
  give_out_held();
  give_out(describe(record, task, context_->now_ns()));
}

void EmbeddedMachine::give_out_held() {
  const guest::Task* const task = context_->current_task();
  for (faultline::MachineFault& fault : std::exchange(held_, {})) {
    if (task != nullptr) {
      fault.pid = task->tgid;
      fault.tid = task->tid;
      fault.name = task->comm;
    }
    give_out(fault);
  }
}

void EmbeddedMachine::give_out(const faultline::MachineFault& fault) {
  if (collecting_) {
    queue_.push_back(fault);
    machine_->pause();
  }
  if (options_.on_fault) {
    options_.on_fault(fault);
  }
}

void EmbeddedMachine::go(uint64_t blocks) {
  if (state_ != faultline::MachineState::kRunning) {
    return;
  }
  const std::lock_guard turn(engines());
  FL_CHECK(!running_, "a machine is run by its own callback");
  running_ = true;
  const std::optional<guest::Outcome> outcome = machine_->run_for(blocks);
  running_ = false;
  if (outcome) {
    end(*outcome);
  }
}

faultline::MachineState EmbeddedMachine::run_for(uint64_t blocks) {
  collecting_ = false;
  queue_.clear();
  go(blocks);
  return state_;
}

std::optional<faultline::MachineFault> EmbeddedMachine::run_until_fault(uint64_t blocks) {
  if (queue_.empty()) {
    collecting_ = true;
    go(blocks);
  }
  if (queue_.empty()) {
    return std::nullopt;
  }
  faultline::MachineFault fault = std::move(queue_.front());
  queue_.pop_front();
  return fault;
}

void EmbeddedMachine::end(const guest::Outcome& outcome) {
  outcome_ = outcome;
  const emu::HostStatus traced = close_trace();
  switch (outcome.kind) {
    case guest::Outcome::Kind::kExited:
      state_ = faultline::MachineState::kExited;
      break;
    case guest::Outcome::Kind::kStopped:
      state_ = faultline::MachineState::kStopped;
      failure_ = "the machine was stopped";
      break;
    case guest::Outcome::Kind::kDeadlock:
    case guest::Outcome::Kind::kPanic:
      state_ = faultline::MachineState::kFailed;
      failure_ = outcome.report;
      break;
  }
  if (!traced) {
    failure_ = traced.error().message;
  }
}

std::optional<int> EmbeddedMachine::exit_status() const {
  return state_ == faultline::MachineState::kExited ? std::optional(outcome_.exit_status()) : std::nullopt;
}

emu::HostStatus EmbeddedMachine::close_trace() {
  if (tracer_ != nullptr) {
    trace_status_ = tracer_->finish();
    tracer_.reset();
  }
  return trace_status_;
}

std::vector<std::string> EmbeddedMachine::find_leaks() {
  const std::lock_guard turn(engines());
  if (state_ == faultline::MachineState::kRunning) {
    state_ = faultline::MachineState::kStopped;
    failure_ = "its tasks were ended to look for leaks";
  }
  static_cast<void>(close_trace());
  return machine_->find_leaks();
}

emu::RunStatistics EmbeddedMachine::statistics() const {
  emu::ProcessCollector processes = processes_;
  for (const guest::Task& task : machine_->kernel().tasks()) {
    if (task.alive()) {
      processes.add(task);
    }
  }
  return emu::collect_statistics(*machine_, processes);
}

}  // namespace fl::embed
