// What is known of one page fault, and who wants to know it.
//
// vm fills in what it knows; the emulator adds instruction, symbol, task and time. Linux counterparts: struct vm_fault,
// vm_fault_t, count_vm_event, the page-fault software events of perf.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "mmu/base/addr.hpp"
#include "mmu/mmu.hpp"

namespace fl::vm {

struct MemoryEvent;
struct VmArea;

// How the access was made: by the program, by the kernel on its behalf (copy_to_user ...), or by get_user_pages.
enum class FaultMode : uint8_t { kUser, kKernel, kGup };
inline constexpr size_t kFaultModes = 3;

// What a fault ended in. The first two are counted; the others refuse the access (SIGSEGV, SIGBUS, EFAULT, OOM).
enum class FaultResult : uint8_t { kMinor, kMajor, kMapErr, kAccErr, kBusErr, kOom };
constexpr bool is_error(FaultResult result) { return result > FaultResult::kMajor; }

// Why a fault happened. Each has a line of explanation (cause_explanation).
enum class FaultCause : uint8_t {
  kAnonZero,     // read of an untouched anonymous page: the zero page
  kAnon,         // first write of an anonymous page: a fresh frame
  kZeroCow,      // write to a page that showed the zero page
  kFileRead,     // read of a file page: fault-around
  kFileCow,      // first write of a private file page: copied at once
  kCowCopy,      // write to a read-only private page: copied
  kCowReuse,     // write to a read-only private page whose only user this is
  kSharedWrite,  // write to a shared page: made writable
  kShmem,        // first touch of a shared-memory page
  kFileMajor,    // a file page that reclaim had taken, or that was never read: read from disk
  kSwapCache,    // a page on its way to swap, or read ahead from it: still in memory
  kSwapIn,       // a page in swap: read in
  kStackGrow,    // anonymous page below the stack's end: the stack grew
  kVdso,         // page of the vDSO or vvar
  kSpurious,     // the page tables already allow the access
  kSegvMapErr,   // no mapping
  kSegvAccErr,   // mapping forbids the access
  kBus,          // beyond the end of a file, or the file cannot be read
  kOom,          // no memory
};
inline constexpr size_t kFaultCauses = static_cast<size_t>(FaultCause::kOom) + 1;

std::string_view cause_name(FaultCause cause);         // "anon_zero"
std::string_view cause_explanation(FaultCause cause);  // one line
std::string_view mode_name(FaultMode mode);            // "user"
std::string_view access_name(mmu::Access access);      // "read", "write", "exec"

// The window of a fault-around: page addresses from..to inclusive, and how many of them were mapped.
struct FaultAround {
  VirtAddr from;
  VirtAddr to;
  uint32_t mapped = 0;  // 0: no fault-around
};

struct FaultRecord {
  VirtAddr addr;
  mmu::Access access = mmu::Access::kRead;
  FaultMode mode = FaultMode::kUser;
  FaultResult result = FaultResult::kMinor;
  FaultCause cause = FaultCause::kSpurious;
  // Null if no VMA covers the address. Valid during the observer's call only.
  const VmArea* vma = nullptr;
  // The frame mapped after the fault (pte_after), if any.
  Pfn pfn;
  mmu::Pte pte_before;
  mmu::Pte pte_after;
  FaultAround around;

  bool counted() const { return !is_error(result); }
  bool major() const { return result == FaultResult::kMajor; }
};

class FaultObserver {
 public:
  virtual ~FaultObserver() = default;
  // Called once for each fault, after it was handled or refused and before the access is tried again.
  virtual void on_fault(const FaultRecord& record) = 0;
  // What else happens to memory.
  virtual void on_event(const MemoryEvent&) {}
};

// Faults of one task, or of the whole machine. Linux: task->min_flt, maj_flt.
struct FaultCounters {
  uint64_t minor = 0;
  uint64_t major = 0;
  std::array<uint64_t, kFaultModes> by_mode{};    // counted faults only
  std::array<uint64_t, kFaultCauses> by_cause{};  // all, also refused ones
  void add(FaultMode mode, FaultResult result, FaultCause cause);
};

}  // namespace fl::vm
