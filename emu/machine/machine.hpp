// Machine: RAM, MMU, processor, memory system, files, kernel and clock in one tree, and the loop that runs them.
//
//   while there is a task:   trap = cpu.run(task)   kernel.on_trap(task, trap)
//
// How a run is divided by run_for is not seen by the kernel: its turn comes after the blocks after which it would have
// come in one run, so that traces are the same.
//
// The loop is the hot path of every fault and system call: nothing in it allocates or goes through std::function. A
// stop request, a timer and the clock tick arrive as Trap::kInterrupted. Linux counterpart: start_kernel, then the
// scheduler.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "emu/base/host_error.hpp"
#include "emu/cpu/unicorn_cpu.hpp"
#include "emu/machine/machine_options.hpp"
#include "emu/machine/stop_control.hpp"
#include "emu/sample/sampler.hpp"
#include "emu/trace/trace_context.hpp"
#include "guest/fs/vfs.hpp"
#include "guest/kernel.hpp"
#include "guest/time/time_source.hpp"
#include "mmu/mmu.hpp"
#include "mmu/ram.hpp"
#include "vm/memory_system.hpp"
#include "vm/verify/census.hpp"

namespace fl::emu {

// Told when the kernel has done what a trap asked for, and the program has not gone on yet.
class RestListener {
 public:
  virtual ~RestListener() = default;
  virtual void on_rest() = 0;
};

class Machine final : private TraceContext, private guest::WorkCounter {
 public:
  // Boots. From here on Ctrl-C, SIGTERM and the timeout are caught, unless the options say otherwise.
  static HostResult<std::unique_ptr<Machine>> create(const MachineOptions& options);
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;
  ~Machine() override;

  // Every fault from now on goes to `listener`, which must outlive the run.
  void attach(FaultListener& listener);
  // Takes samples from now on; it must outlive the run.
  void attach(Sampler& sampler) { sampler_ = &sampler; }
  // Tells it of each moment between two pieces of a task's work; it must outlive the run.
  void attach(RestListener& listener) { rest_listener_ = &listener; }
  // Loads the first program.
  HostStatus start(const guest::InitRequest& request);
  // Runs until the work has ended or a stop is requested. Kind::kStopped: stop().reason() says why.
  guest::Outcome run();
  // The same until `blocks` more blocks were executed (perhaps one more) or somebody asked for a pause: then nothing.
  std::optional<guest::Outcome> run_for(uint64_t blocks);
  // For observers: the run gives back as soon as the trap at hand is served.
  void pause() { pause_ = true; }

  vm::MemorySystem& memory() { return *memory_; }
  const mmu::Mmu& mmu() const { return mmu_; }
  guest::Kernel& kernel() { return *kernel_; }
  UnicornCpu& cpu() { return *cpu_; }
  StopControl& stop() { return *stop_; }
  uint64_t now_ns() const override { return clock_->now_ns(); }
  // On whose behalf the kernel works; null: nobody's yet.
  const guest::Task* current_task() const override;
  // Ends everything, drops all caches, and compares the memory with what it was before the first program: a line for
  // each thing that did not come back. The last call of a run.
  std::vector<std::string> find_leaks();
  // Prints what is known of the running task to stderr; called when one of our checks fails.
  void dump_state() const;

 private:
  Machine(mmu::Ram ram, const MachineOptions& options);
  HostStatus boot(const MachineOptions& options);
  uint64_t block_limit() const;
  // Answers SIGUSR1, if it came. True: the machine is to stop.
  bool serve_signals();
  // The kernel's turn. True: the machine is to stop.
  bool serve(guest::Task& task, const guest::Trap& trap);

  // TraceContext
  void on_trace_error() override { stop_->request(StopReason::kOutputError); }
  // guest::WorkCounter
  uint64_t executed_blocks() const override { return cpu_->blocks(); }

  // In the order in which they are made; each borrows from those above it.
  mmu::Ram ram_;
  mmu::Mmu mmu_;
  std::unique_ptr<UnicornCpu> cpu_;
  std::unique_ptr<StopControl> stop_;
  std::unique_ptr<guest::TimeSource> clock_;
  std::unique_ptr<vm::MemorySystem> memory_;
  std::unique_ptr<guest::Vfs> vfs_;
  std::unique_ptr<guest::Kernel> kernel_;
  std::function<void()> on_report_;
  Sampler* sampler_ = nullptr;             // null: nobody samples
  RestListener* rest_listener_ = nullptr;  // null: nobody listens
  uint64_t turn_end_ = 0;  // the kernel's next turn comes then, as cpu_->blocks() counts; it is over: not yet known
  bool pause_ = false;
  vm::MemoryCensus at_boot_;
  CheckDumper dumper_;
};

}  // namespace fl::emu
