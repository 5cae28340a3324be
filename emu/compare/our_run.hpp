// OurRun: what a run here gave: every counted fault with all that a report may want to say of it.
//
// Plain data that crosses from the process in which the machine ran (run_machine): no pointers, names are indices.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "mmu/mmu.hpp"
#include "vm/fault/fault_record.hpp"

namespace fl::emu {

inline constexpr uint32_t kNoIndex = ~uint32_t{0};

struct OurArea {
  uint32_t start = 0, end = 0;
  std::array<char, 4> perm{};
  uint32_t name = 0;   // index in OurRun::names
  uint32_t pgoff = 0;  // pages
};

struct OurFault {
  uint32_t process = 0, task = 0;  // as NativeFault
  vm::FaultMode mode = vm::FaultMode::kUser;
  mmu::Access access = mmu::Access::kRead;
  vm::FaultCause cause = vm::FaultCause::kSpurious;
  bool major = false;
  uint32_t addr = 0;
  uint32_t ip = 0;             // of the instruction; of kernel and gup faults where the program will go on
  uint32_t area = kNoIndex;    // index in OurRun::areas
  uint32_t symbol = kNoIndex;  // index in OurRun::names: what stands at ip
  uint32_t symbol_offset = 0;
  uint32_t around_from = 0, around_to = 0, around_mapped = 0;  // vm::FaultAround
  uint8_t code_bytes = 0;                                      // of the instruction, as far as it can be read
  std::array<uint8_t, 15> code{};
};

// In the order of their places, as NativeProcess.
struct OurProcess {
  int32_t parent = -1;
  uint32_t child = 0;
  uint32_t pid = 0;
  uint32_t comm = 0;  // index in OurRun::names
  uint32_t tasks = 1;
  uint64_t minflt = 0, majflt = 0;
  int32_t exit_status = -1;  // -1: it had not ended
};

struct OurRun {
  std::vector<OurFault> faults;
  std::vector<OurArea> areas;
  std::vector<std::string> names;
  std::vector<OurProcess> processes;
  uint64_t minflt = 0, majflt = 0;  // of all processes
  uint64_t refused = 0;             // faults that ended in a signal or an error
  int32_t exit_status = 0;
  std::string unimplemented;  // system calls that are missing, for a hint; empty: none
  uint64_t output_bytes = 0;
  std::string output_hash;
  double seconds = 0;

  // "/bin/hello", "[heap]", "" for anonymous memory; of a fault outside of every mapping too.
  const std::string& area_name(const OurFault& fault) const;
};

}  // namespace fl::emu
