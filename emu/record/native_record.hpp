// NativeRecord: the page faults that a real Linux took for a program, and all that must be known to ask the same of us.
//
// Made by `faultline record` (live) or read from a file (`compare --against`, tests/records/). Plain data, without the
// guest's or the emulator's types beyond vm's enums, so that the recorder can also be built as a small 32-bit program.
// Addresses are those of the real run. Source: perf_event_open(2), getrusage(2), Documentation/trace/kprobetrace.rst.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "emu/record/native_cpu.hpp"
#include "mmu/mmu.hpp"
#include "vm/fault/fault_record.hpp"

namespace fl::emu {

// One completed fault, as rusage counts it. get_user_pages faults (mode kGup) are there only where the recorder could
// see them: NativeRecord::gup says so.
struct NativeFault {
  uint32_t process = 0;  // index in NativeRecord::processes
  uint32_t task = 0;     // index in NativeProcess::tasks
  vm::FaultMode mode = vm::FaultMode::kUser;
  std::optional<mmu::Access> access;  // empty: unknown
  bool major = false;
  uint32_t addr = 0;     // where the access missed; perf gives the exact byte, a kprobe for gup the page
  uint32_t ip = 0;       // user: the instruction; kernel and gup: 0 (a kernel address says nothing)
  uint64_t time_ns = 0;  // since the first fault
};

struct NativeTask {
  int32_t tid = 0;  // of the run that is recorded; means nothing elsewhere
};

// A process is known by its place in the tree: which child of its parent it was. In the list a parent stands before its
// children, and children stand in the order of their birth, whatever the timing of the run was.
struct NativeProcess {
  int32_t parent = -1;   // index; -1: the program itself
  uint32_t child = 0;    // the parent's n-th child, from 0
  int32_t pid = 0;       // of the run that is recorded
  std::string comm;      // the last one it had
  int exit_status = -1;  // 128 + signal if killed; -1: not known
  // Of this process alone, all that it counted; where gup_faults is not known those in NativeRecord::faults only.
  uint64_t minflt = 0, majflt = 0;
  // How many of them were get_user_pages'.
  std::optional<uint64_t> gup_faults = {};
  std::vector<NativeTask> tasks;  // in the order of their birth
  uint32_t agreeing = 0;          // how many runs gave this process's list; 0: not known
};

struct NativeKernel {
  std::string release, version, machine;  // uname
  std::string thp;                        // the chosen word of transparent_hugepage/enabled; empty: no such file
};

// What could be seen of get_user_pages faults.
enum class GupView : uint8_t {
  kFaults,  // each one, in order, with its page (seen at handle_mm_fault)
  kCount,   // only how many: rusage less the events
};

// Another program's file that the program starts, by its path as the program knows it.
struct NativeFile {
  std::string path, hash;
};

struct NativeRecord {
  std::string date;  // UTC, ISO 8601
  NativeKernel kernel;
  NativeCpu cpu;
  std::vector<std::string> command;  // PROGRAM, ARGS... as given
  std::vector<std::string> environment;
  std::string program_path;  // what was executed
  uint64_t program_bytes = 0;
  std::string program_hash;  // of the file's contents: a stored record holds for this very file only
  std::vector<NativeFile> others;
  std::string filesystem;  // of the program's file: "ext4", "tmpfs", else its magic number

  // How many runs were made, and how many gave this list. If it was put together from several runs, process by process
  // (run_choice.hpp), the least of the processes' numbers.
  uint32_t runs = 0, agreeing = 0;
  bool kernel_faults_seen = true;  // false: perf_event_paranoid hides kernel-mode faults; totals are rusage's
  GupView gup = GupView::kCount;
  uint64_t gup_faults = 0;  // totals less events, all processes; 0 if kernel faults were not seen

  int exit_status = 0;
  // Of all processes, less the launcher's own: the sum of what each counted, or else what wait4 reported.
  uint64_t minflt = 0, majflt = 0;
  std::vector<NativeProcess> processes;
  std::vector<NativeFault> faults;  // in order of time
  uint64_t output_bytes = 0;        // of standard output, which was a pipe
  std::string output_hash;
};

}  // namespace fl::emu
