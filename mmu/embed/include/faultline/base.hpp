// What all parts of faultline's embedding interface share: errors, accesses, and the steps of a page-table walk.
//
// Addresses are those of the simulated i386 machine: 32 bits, user space below 0xC0000000, pages of 4 KiB. Frames are
// page numbers of simulated RAM. Nothing here throws; what can fail gives a Result. A broken invariant of faultline's
// own ends the process with a report, as everywhere in faultline.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace faultline {

inline constexpr uint32_t kPageSize = 4096;
// The first address that no program can have.
inline constexpr uint32_t kUserEnd = 0xC0000000u;

// Why something could not be done. `number` is the errno with which Linux would refuse it (i386 values; 12: ENOMEM), or
// 0 where no system call is imitated.
struct Error {
  std::string message = {};
  int number = 0;
};
template <typename T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

enum class Access : uint8_t { kRead, kWrite, kFetch };
enum class Privilege : uint8_t { kUser, kSupervisor };

// The processor's error code of a page fault: bits.
struct PageFaultError {
  enum Bit : uint32_t { kProtection = 1, kWrite = 2, kUser = 4, kReserved = 8, kInstruction = 16 };
};

// Bits of a page-table entry and of a page-directory entry, as the processor has them.
struct EntryBit {
  enum Bit : uint32_t {
    kPresent = 1u << 0,
    kWritable = 1u << 1,
    kUser = 1u << 2,
    kAccessed = 1u << 5,
    kDirty = 1u << 6,
    kLarge = 1u << 7,  // a directory entry that maps 4 MiB
  };
};

// One table read of a walk.
struct WalkStep {
  uint32_t address = 0;  // physical: where the entry stands
  uint32_t entry = 0;    // as it was read; A and D are set after that
};

// What the processor finds for an address.
struct Walk {
  // The page directory's entry, then, if that is present and maps no 4 MiB, the page table's.
  std::array<WalkStep, 2> steps{};
  size_t depth = 0;         // steps that were taken
  bool allowed = false;     // the access is made
  uint32_t physical = 0;    // where; valid if allowed
  uint32_t error_code = 0;  // PageFaultError bits; valid if not allowed
  std::span<const WalkStep> taken() const { return {steps.data(), depth}; }
};

// "0.1.0".
std::string_view version();

}  // namespace faultline
