// Recording a program: several runs on real Linux, the list that most of them gave, and what belongs to it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "emu/base/host_error.hpp"
#include "emu/record/native_record.hpp"
#include "emu/record/perf_session.hpp"
#include "emu/record/run_list.hpp"

namespace fl::emu {

inline constexpr uint32_t kMostRuns = 1000;

struct RecordRequest {
  std::vector<std::string> command;      // command[0] is the path of the program
  std::vector<std::string> environment;  // exactly
  std::vector<std::string> others = {};  // files of other programs that it starts: their hashes belong to the record
  uint32_t runs = 5;
  std::string cwd = {};   // empty: ours
  std::string root = {};  // the program's "/" (chroot); empty: ours. The path of the program is one inside
  std::string stdin_path = "/dev/null";
  uint32_t timeout_seconds = 0;  // for each run; 0: none
  // The first run, which is not recorded, writes the program's output to our standard output and error.
  bool forward_output = true;
  // Called before each run, also the first: to put back files that the program changes.
  std::function<HostStatus()> before_run = {};
  PerfOptions perf = {};
  // Where error codes cannot be seen: how the instruction at an address of the program uses memory.
  InstructionAccess instruction_access = {};
};

// An error has status kExitNoReference where the host cannot give a reference at all: it does not run i386 programs, or
// does not allow to record. See launch() for what is expected of the caller.
HostResult<NativeRecord> record_program(const RecordRequest& request);

}  // namespace fl::emu
