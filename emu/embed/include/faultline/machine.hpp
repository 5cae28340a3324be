// A whole machine in this process: an i386 Linux that runs one program and all that it starts, on faultline's own MMU
// and memory management, with Unicorn as its processor.
//
//   auto machine = faultline::Machine::create({.program = "./hello", .environment = {"A=1"}});
//   if (!machine) { std::puts(machine.error().message.c_str()); return 1; }
//   while (auto fault = machine->run_until_fault()) { ... }        // stands still after each fault
//   machine->exit_status();
//
// Several machines in one process are independent of each other, and each makes the same faults as alone. Their runs
// take turns: while one runs, a run of another machine, on another thread, waits for its end (run_blocks gives it up
// soon). A machine is used by one thread at a time; only stop() may be called from anywhere, also from a signal
// handler.
//
// What a machine does to the process around it: nothing is done to signal handlers, but SIGPIPE and SIGXFSZ are
// ignored once a program was loaded (the guest gets its own); the working directory, the umask and the user's ids are
// read; warnings go to stderr through spdlog loggers of faultline's own, unless loggers of those names exist.
//
// Link faultline::machine, a static library. It replaces some functions of libunicorn by defining them in the
// executable, so it belongs into the executable and libunicorn must be a shared library; interposition() tells whether
// that worked. Without it everything works, slower.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <faultline/base.hpp>
#include <faultline/fault.hpp>
#include <faultline/vm.hpp>

namespace fl::embed {
class EmbeddedMachine;
}

namespace faultline {

// A fault with who made it.
struct MachineFault : Fault {
  uint32_t pid = 0, tid = 0;
  std::string name = {};     // of the task
  uint32_t instruction = 0;  // user EIP: the faulting one's, or where the program goes on (0 before it starts)
  uint64_t time_ns = 0;      // virtual time
};

// The options of `faultline run`, whose --help says more; defaults are the same, but that the environment is
// empty.
struct MachineOptions {
  std::string program = {};  // as the guest will name it: in `root`, or relative to the working directory
  std::vector<std::string> arguments = {};    // argv[1] and on
  std::vector<std::string> environment = {};  // "NAME=VALUE"
  std::string root = "/";                     // a directory of the host: the guest's file tree
  std::vector<std::string> writable = {};     // host directories inside it that may be written; others are read-only

  std::string kernel = "6.1-i386";  // or "6.18-compat"
  uint64_t ram_bytes = uint64_t{256} << 20;
  std::string cpu = "default";               // or "host", or a recording's file: what CPUID answers
  std::vector<uint64_t> swap_bytes = {};     // temporary swap areas
  std::vector<std::string> swap_files = {};  // and files that mkswap(8) has made
  uint64_t memory_limit = 0;                 // bytes, for all processes together; 0: none
  uint32_t nodes = 1;
  std::string reclaim = "lru";
  bool cold_files = false;       // files must be read from the disk first
  uint32_t readahead_kib = 128;  // how far a read looks ahead at most
  std::string disk = "ssd";      // or "hdd", "none", "US,MB_PER_SECOND": how long it takes; none with host_clock
  std::string fail_alloc = {};   // "nth=N", "every=N", "p=X": allocations that fail on purpose
  bool host_tmp = false;         // /tmp is the host's
  bool host_clock = false;       // time is the host's; runs do not repeat then
  uint64_t seed = 0;             // of the guest's randomness
  bool aslr = false;
  int verify = 0;  // 1: invariants are checked after memory calls, 2: after faults too

  // Descriptors of this process that are the guest's standard input, output and error. They are borrowed: keep them
  // open.
  std::array<int, 3> standard_files = {0, 1, 2};
  // The trace of `faultline run --trace`: .jsonl, .csv or .txt. Empty: none.
  std::string trace = {};
  // Told of every fault, after it was handled; it may look at the machine (and make and run others), must not run it,
  // and must not throw.
  std::function<void(const MachineFault&)> on_fault = {};
};

enum class MachineState : uint8_t {
  kRunning,  // it can go on
  kExited,   // all processes have ended: exit_status()
  kStopped,  // stop(), or the trace could not be written: failure()
  kFailed,   // nothing can ever run again: failure()
};

struct Registers {
  uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0, esi = 0, edi = 0, ebp = 0, esp = 0;
  uint32_t eip = 0, eflags = 0;
  uint16_t cs = 0, ss = 0, ds = 0, es = 0, fs = 0, gs = 0;
};

enum class TaskState : uint8_t { kRunnable, kSleeping, kStopped, kZombie };

struct TaskInfo {
  uint32_t pid = 0, tid = 0;
  std::string name = {};
  TaskState state = TaskState::kRunnable;
  std::string waits_in = {};  // kSleeping: the system call, or "disk"
  Registers registers = {};   // in user mode
  FaultCounts faults = {};
  uint64_t system_calls = 0;
};

struct ProcessEnd {
  uint32_t pid = 0;
  std::string name = {};
  uint64_t minor = 0, major = 0, system_calls = 0;
  std::optional<int> exit_status = {};  // 128 + signal; none: it has not ended
};

struct MachineStatistics {
  FaultCounts faults = {};                 // of all processes
  std::vector<ProcessEnd> processes = {};  // in the order in which they ended, then those that have not
  uint64_t blocks = 0;                     // executed
  uint64_t system_calls = 0;
  uint64_t time_ns = 0;  // virtual
  uint32_t ram_frames = 0, peak_frames = 0;
  uint64_t swapped_in = 0, swapped_out = 0;
};

class Machine {
 public:
  // Boots, and loads the program. The message says what cannot be had.
  static Result<Machine> create(const MachineOptions& options);
  Machine(Machine&&) noexcept;
  Machine& operator=(Machine&&) noexcept;
  ~Machine();

  // --- running ---
  // To the end.
  MachineState run();
  // Until `blocks` more blocks of code were executed, or the end. A block is what is executed without a jump; where
  // blocks are cut does not depend on how a run is divided. It may be a block more.
  MachineState run_blocks(uint64_t blocks);
  // Until a fault was handled that has not been given out before. Those of loading the program come first. None: the
  // machine does not run any more (or `blocks` more were executed). Faults during run and run_blocks are not given out
  // afterwards.
  std::optional<MachineFault> run_until_fault(uint64_t blocks = UINT64_MAX);
  // Ends the run at the next block, for good. Async-signal-safe.
  void stop();

  MachineState state() const;
  // The first process's: its exit code, or 128 + signal. None: not kExited.
  std::optional<int> exit_status() const;
  // Why it is kStopped or kFailed.
  std::string failure() const;

  // --- looking; changes nothing ---
  uint64_t blocks() const;
  uint64_t time_ns() const;  // virtual time
  std::vector<TaskInfo> tasks() const;
  // The task that runs, or would run next; 0: none.
  uint32_t current_tid() const;
  std::optional<Registers> registers(uint32_t tid) const;
  // Bytes of a task's memory, up to the first page that is not there; how many. Makes no fault.
  size_t read_memory(uint32_t tid, uint32_t address, std::span<std::byte> to) const;
  // The page-table walk for an address of a task; none: no such task, or it has no memory any more.
  std::optional<Walk> walk(uint32_t tid, uint32_t address) const;
  // The lines of /proc/PID/maps; empty as above.
  std::string maps(uint32_t tid) const;
  MachineStatistics statistics() const;
  // What `faultline run --stats` prints: the table, and the JSON of --stats=FILE.
  std::string statistics_text() const;
  std::string statistics_json() const;
  // A file of /proc: "meminfo", "buddyinfo", ... (Vm::report_names). EINVAL: no such one.
  Result<std::string> report(std::string_view name) const;
  // What the kernel said while it booted.
  std::vector<std::string> boot_log() const;
  // A line for each broken invariant.
  std::vector<std::string> verify() const;

  // --- the end ---
  // Writes the rest of the trace and closes it; done by the end of the run and by the destructor otherwise. An error of
  // the file's whole life.
  Status close_trace();
  // Ends all tasks and drops all caches: a line for each thing that did not come back. The machine runs no more.
  std::vector<std::string> find_leaks();

  // Which functions of libunicorn are replaced in this process: "blocks, access check, ..." or "none (slower, less
  // exact)".
  static std::string interposition();

 private:
  explicit Machine(std::unique_ptr<fl::embed::EmbeddedMachine> machine);
  std::unique_ptr<fl::embed::EmbeddedMachine> machine_;
};

}  // namespace faultline
