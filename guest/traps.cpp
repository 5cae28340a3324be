// do_exception, refuse_page_fault. See traps.hpp.
#include "guest/traps.hpp"

#include "guest/log.hpp"
#include "guest/signal/fpu_frame.hpp"
#include "guest/signal/send.hpp"

namespace fl::guest {
namespace {

void note(Task& task, Vector vector, uint32_t error_code) {
  task.trap_number = static_cast<uint32_t>(vector);
  task.error_code = error_code;
}

void send_fault(Kernel& kernel, Task& task, int signal, int32_t code, VirtAddr addr) {
  force_signal(kernel, task, SignalInfo{.signal = signal, .code = code, .addr = addr});
}

// Which of the unmasked exception bits decides. Linux: fpu__exception_code.
int32_t floating_point_code(uint32_t bits) {
  constexpr uint32_t kInvalid = 0x01, kZeroDivide = 0x04, kOverflow = 0x08, kUnderflow = 0x12, kPrecision = 0x20;
  if ((bits & kInvalid) != 0) return SiCode::kFpeFltInv;
  if ((bits & kZeroDivide) != 0) return SiCode::kFpeFltDiv;
  if ((bits & kOverflow) != 0) return SiCode::kFpeFltOvf;
  if ((bits & kUnderflow) != 0) return SiCode::kFpeFltUnd;
  if ((bits & kPrecision) != 0) return SiCode::kFpeFltRes;
  return 0;
}

// Linux: math_error.
void math_error(Kernel& kernel, Task& task, Vector vector) {
  note(task, vector, 0);
  const FxState state = kernel.fpu().save();
  const uint32_t mxcsr = fx_mxcsr(state);
  const uint32_t bits =
      vector == Vector::kX87 ? fx_status(state) & ~uint32_t{fx_control(state)} : ~(mxcsr >> 7) & mxcsr;
  const int32_t code = floating_point_code(bits);
  if (code != 0) {
    send_fault(kernel, task, Signal::kFpe, code, VirtAddr(task.regs.eip));
  }
}

}  // namespace

void do_exception(Kernel& kernel, Task& task, Vector vector, uint32_t error_code) {
  const VirtAddr eip(task.regs.eip);
  switch (vector) {
    case Vector::kDivideError:
      note(task, vector, 0);
      return send_fault(kernel, task, Signal::kFpe, SiCode::kFpeIntDiv, eip);
    case Vector::kDebug: {
      note(task, vector, 0);
      // A single step; otherwise the one-byte `int1`.
      const bool step = (task.regs.eflags & Eflags::kTrap) != 0;
      return send_fault(kernel, task, Signal::kTrap, step ? SiCode::kTrapTrace : SiCode::kTrapBrkpt, eip);
    }
    case Vector::kBreakpoint:
      note(task, vector, 0);
      return force_signal(kernel, task, Signal::kTrap);
    case Vector::kInvalidOpcode:
      note(task, vector, 0);
      return send_fault(kernel, task, Signal::kIll, SiCode::kIllIllOpn, eip);
    case Vector::kSegmentNotPresent:
    case Vector::kStackSegment:
      note(task, vector, error_code);
      return force_signal(kernel, task, Signal::kBus);
    case Vector::kAlignmentCheck:
      note(task, vector, error_code);
      return send_fault(kernel, task, Signal::kBus, SiCode::kBusAdrAln, VirtAddr(0));
    case Vector::kX87:
    case Vector::kSimd:
      return math_error(kernel, task, vector);
    case Vector::kOverflow:
    case Vector::kBoundRange:
      note(task, vector, 0);
      return force_signal(kernel, task, Signal::kSegv);
    case Vector::kGeneralProtection:
    case Vector::kInvalidTss:
      note(task, vector, error_code);
      return force_signal(kernel, task, Signal::kSegv);
    case Vector::kDeviceNotAvailable:
    case Vector::kDoubleFault:
    case Vector::kPageFault:
    case Vector::kMachineCheck:
      break;
  }
  // No user program can cause these on a real machine. It is not our kernel's state that is wrong, so the task pays.
  logger("guest")->error("{}[{}]: unexpected exception {} at {:#010x}", task.comm, task.tid, static_cast<int>(vector),
                         eip.value());
  note(task, vector, error_code);
  force_signal(kernel, task, Signal::kSegv);
}

void refuse_page_fault(Kernel& kernel, Task& task, const Trap& trap, vm::FaultResult result) {
  uint32_t error_code = trap.error_code | mmu::PageFaultError::kUser;
  if (mmu::is_kernel_address(trap.addr)) {
    // Linux does not let a program find out which kernel pages exist.
    error_code |= mmu::PageFaultError::kProtection;
  }
  note(task, Vector::kPageFault, error_code);
  task.cr2 = trap.addr.value();
  switch (result) {
    case vm::FaultResult::kMapErr:
      return send_fault(kernel, task, Signal::kSegv, SiCode::kSegvMapErr, trap.addr);
    case vm::FaultResult::kAccErr:
      return send_fault(kernel, task, Signal::kSegv, SiCode::kSegvAccErr, trap.addr);
    case vm::FaultResult::kBusErr:
      return send_fault(kernel, task, Signal::kBus, SiCode::kBusAdrErr, trap.addr);
    case vm::FaultResult::kOom:
      logger("guest")->warn("out of memory: killed {}[{}] at its fault on {:#010x}", task.comm, task.tid,
                            trap.addr.value());
      return force_signal(kernel, task, Signal::kKill);
    case vm::FaultResult::kMinor:
    case vm::FaultResult::kMajor:
      break;
  }
  FL_CHECK(false, "a handled fault is not to be refused");
}

}  // namespace fl::guest
