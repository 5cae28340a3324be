// The user-mode registers of a task and the way it left the CPU: all that the kernel personality knows of a processor.
//
// Owned by the task, loaded into the CPU when it runs and stored back at every trap. Linux counterparts: struct
// pt_regs, struct thread_struct (tls_array), struct fxregs_state.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "mmu/base/addr.hpp"
#include "mmu/mmu.hpp"

namespace fl::guest {

// Bits of EFLAGS that this project names.
struct Eflags {
  enum Bit : uint32_t {
    kCarry = 1u << 0,
    kFixed = 1u << 1,
    kParity = 1u << 2,
    kAdjust = 1u << 4,
    kZero = 1u << 6,
    kSign = 1u << 7,
    kTrap = 1u << 8,
    kInterrupt = 1u << 9,
    kDirection = 1u << 10,
    kOverflow = 1u << 11,
    kResume = 1u << 16,
    kAlignCheck = 1u << 18,
    kId = 1u << 21,
  };
};

struct Registers {
  uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0, esi = 0, edi = 0, ebp = 0, esp = 0;
  uint32_t eip = 0;
  uint32_t eflags = Eflags::kFixed | Eflags::kInterrupt;
  // Selectors. cs, ss, ds, es start as the profile's flat user segments; fs and gs as null.
  uint16_t cs = 0, ss = 0, ds = 0, es = 0, fs = 0, gs = 0;
  bool operator==(const Registers&) const = default;
};

// One of the three thread-local-storage descriptors of a task (set_thread_area), in the GDT while the task runs.
struct TlsDescriptor {
  uint32_t low = 0, high = 0;  // the two words of a segment descriptor; both 0 = empty
  bool operator==(const TlsDescriptor&) const = default;
};
inline constexpr uint32_t kTlsDescriptors = 3;
using TlsArray = std::array<TlsDescriptor, kTlsDescriptors>;

// x87 and SSE state in the processor's FXSAVE format (Intel SDM vol. 1, 10.5).
struct alignas(16) FxState {
  std::array<std::byte, 512> bytes{};
};

// Why the CPU stopped running a task.
struct Trap {
  enum class Kind : uint8_t {
    kPageFault,   // addr (exact), access, error_code; registers are those before the instruction
    kSystemCall,  // int 0x80; eip is past it
    kException,   // a processor exception: vector, error_code; eip as the processor pushes it (at the instruction for a
                  // fault, past it for a trap such as #BP and #OF)
    kInterrupted,  // the block limit was reached or somebody asked to stop; nothing to do for the task
  };
  Kind kind = Kind::kInterrupted;
  VirtAddr addr{};
  mmu::Access access = mmu::Access::kRead;
  uint32_t error_code = 0;
  uint8_t vector = 0;
};

// Processor exception vectors (Intel SDM vol. 3, 6.3.1).
enum class Vector : uint8_t {
  kDivideError = 0,
  kDebug = 1,
  kBreakpoint = 3,
  kOverflow = 4,
  kBoundRange = 5,
  kInvalidOpcode = 6,
  kDeviceNotAvailable = 7,
  kDoubleFault = 8,
  kInvalidTss = 10,
  kSegmentNotPresent = 11,
  kStackSegment = 12,
  kGeneralProtection = 13,
  kPageFault = 14,
  kX87 = 16,
  kAlignmentCheck = 17,
  kMachineCheck = 18,
  kSimd = 19,
};

// The floating-point unit of the CPU that runs the current task. Implemented by emu/cpu.
class FpuPort {
 public:
  virtual ~FpuPort() = default;
  virtual FxState save() = 0;
  // mxcsr bits that the processor does not have must have been cleared by the caller (kMxcsrMask).
  virtual void restore(const FxState& state) = 0;
  // Puts the unit into the state that exec gives: FCW 0x37f, MXCSR 0x1f80, everything else zero.
  virtual void reset() = 0;
};
inline constexpr uint32_t kMxcsrMask = 0xffff;

}  // namespace fl::guest
