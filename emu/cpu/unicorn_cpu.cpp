// The run loop: registers in, execute, registers out, and the restarts that the kernel never sees.
#include "emu/cpu/unicorn_cpu.hpp"

#include <cstddef>

#include "mmu/base/check.hpp"

namespace fl::emu {
namespace {

using guest::Eflags;
using guest::Registers;
using guest::Trap;

// What a user may change; the rest is fixed (IF set, IOPL 0). RF only reports.
constexpr uint32_t kNestedTask = 1u << 14;
constexpr uint32_t kUserFlags = Eflags::kCarry | Eflags::kParity | Eflags::kAdjust | Eflags::kZero | Eflags::kSign |
                                Eflags::kTrap | Eflags::kDirection | Eflags::kOverflow | kNestedTask |
                                Eflags::kAlignCheck | Eflags::kId;
constexpr uint32_t kSystemCallVector = 0x80;
constexpr uint32_t user_flags(uint32_t eflags) { return (eflags & kUserFlags) | Eflags::kFixed | Eflags::kInterrupt; }

struct GeneralRegister {
  int id;
  uint32_t Registers::*field;
};
constexpr std::array<GeneralRegister, 8> kGeneral = {{
    {UC_X86_REG_EAX, &Registers::eax},
    {UC_X86_REG_EBX, &Registers::ebx},
    {UC_X86_REG_ECX, &Registers::ecx},
    {UC_X86_REG_EDX, &Registers::edx},
    {UC_X86_REG_ESI, &Registers::esi},
    {UC_X86_REG_EDI, &Registers::edi},
    {UC_X86_REG_EBP, &Registers::ebp},
    {UC_X86_REG_ESP, &Registers::esp},
}};
constexpr int kAllRegisters[] = {UC_X86_REG_EAX, UC_X86_REG_EBX,    UC_X86_REG_ECX, UC_X86_REG_EDX,
                                 UC_X86_REG_ESI, UC_X86_REG_EDI,    UC_X86_REG_EBP, UC_X86_REG_ESP,
                                 UC_X86_REG_EIP, UC_X86_REG_EFLAGS, UC_X86_REG_CS,  UC_X86_REG_SS,
                                 UC_X86_REG_DS,  UC_X86_REG_ES,     UC_X86_REG_FS,  UC_X86_REG_GS};
constexpr size_t kSegmentRegisters = 6;  // at the end

// From here to the end of a run the processor has the task's registers.
class RegistersHere {
 public:
  explicit RegistersHere(bool& here) : here_(here) { here_ = true; }
  RegistersHere(const RegistersHere&) = delete;
  RegistersHere& operator=(const RegistersHere&) = delete;
  ~RegistersHere() { here_ = false; }

 private:
  bool& here_;
};

}  // namespace

void UnicornCpu::read_registers(Registers& regs, RegisterSet set) {
  // Inside a callback only the API knows EIP.
  if (window_.open() && phase_ == Phase::kIdle) {
    window_.read(regs);
    uc_reg_read(uc_, UC_X86_REG_EFLAGS, &regs.eflags);
    if (set == RegisterSet::kAll) {
      constexpr auto* kSegments = std::end(kAllRegisters) - kSegmentRegisters;
      void* values[] = {&regs.cs, &regs.ss, &regs.ds, &regs.es, &regs.fs, &regs.gs};
      uc_reg_read_batch(uc_, kSegments, values, static_cast<int>(kSegmentRegisters));
    }
    return;
  }
  void* values[] = {&regs.eax, &regs.ebx,    &regs.ecx, &regs.edx, &regs.esi, &regs.edi, &regs.ebp, &regs.esp,
                    &regs.eip, &regs.eflags, &regs.cs,  &regs.ss,  &regs.ds,  &regs.es,  &regs.fs,  &regs.gs};
  static_assert(std::size(kAllRegisters) == std::size(values));
  const size_t count = set == RegisterSet::kAll ? std::size(values) : std::size(values) - kSegmentRegisters;
  uc_reg_read_batch(uc_, kAllRegisters, values, static_cast<int>(count));
}

void UnicornCpu::load_registers(const Registers& regs) {
  const uint32_t eflags = user_flags(regs.eflags);
  if (eflags != user_flags(loaded_.eflags)) {
    loaded_.eflags = eflags;
    uc_reg_write(uc_, UC_X86_REG_EFLAGS, &eflags);
  }
  if (window_.open()) {
    window_.write(regs);
    return;
  }
  std::array<int, kGeneral.size()> ids;
  std::array<void*, kGeneral.size()> values;
  int count = 0;
  for (const GeneralRegister& reg : kGeneral) {
    if (regs.*reg.field != loaded_.*reg.field) {
      loaded_.*reg.field = regs.*reg.field;
      ids[count] = reg.id;
      values[count++] = &(loaded_.*reg.field);
    }
  }
  if (count != 0) {
    uc_reg_write_batch(uc_, ids.data(), values.data(), count);
  }
}

void UnicornCpu::set_trap_flag(bool on) {
  const uint32_t eflags = on ? loaded_.eflags | Eflags::kTrap : loaded_.eflags & ~uint32_t{Eflags::kTrap};
  uc_reg_write(uc_, UC_X86_REG_EFLAGS, &eflags);
  loaded_.eflags = eflags;
}

uint64_t UnicornCpu::blocks_of_this_run() const { return count_by_hook_ ? hook_blocks_ : fl_block_gate.blocks; }

uint64_t UnicornCpu::blocks() const { return phase_ == Phase::kRunning ? blocks_ + blocks_of_this_run() : blocks_; }

void UnicornCpu::request_stop() {
  stop_requested_.store(true, std::memory_order_relaxed);
  fl_block_gate.limit = 0;
}

// One run of the engine. Counts its blocks.
uc_err UnicornCpu::start(uint32_t eip, uint64_t block_limit) {
  stop_ = Stop::kNone;
  // The gate stops at the start of the block after the last allowed one.
  hook_blocks_ = 0;
  hook_limit_ = block_limit + 1;
  fl_block_gate.blocks = 0;
  fl_block_gate.limit = count_by_hook_ ? kNoBlockLimit : block_limit + 1;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  if (stop_requested_.load(std::memory_order_relaxed)) {
    fl_block_gate.limit = 0;
  }
  fl_engine_marks = {0, 0, nullptr};
  fl_rotate_flags.known = false;
  phase_ = Phase::kRunning;
  const uc_err error = uc_emu_start(uc_, eip, 0, 0, 0);
  phase_ = Phase::kIdle;
  blocks_ += blocks_of_this_run();
  if (stop_ == Stop::kNone && error == UC_ERR_OK) {
    --blocks_;  // the block at which the gate closed was counted and not executed
  }
  // cs cannot change in ring 3: there is one code segment.
  const bool segments_known = has_marks_ && fl_engine_marks.loaded_segment == 0;
  read_registers(loaded_, segments_known ? RegisterSet::kWithoutSegments : RegisterSet::kAll);
  if (!window_.open()) [[unlikely]] {
    window_.learn(fl_engine_marks.state, loaded_);
  }
  return error;
}

// A fetch missed a page other than the one at EIP. The engine translates a block whole before its first instruction
// runs, so the instructions before the one that needs the missing page have not been executed yet, and their own faults
// come first. With the trap flag blocks are one instruction long: run on like that until the fetch is really due.
bool UnicornCpu::reads_ahead(const Registers& regs) const {
  return miss_.access == mmu::Access::kFetch && miss_.page.page() != VirtAddr(regs.eip).page() &&
         (regs.eflags & Eflags::kTrap) == 0;
}

void UnicornCpu::begin_stepping(uint32_t eip) {
  // A program that steps itself traps after this instruction anyway.
  if ((loaded_.eflags & Eflags::kTrap) == 0) {
    stepping_ = true;
    stepping_from_ = VirtAddr(eip).page();
    step_first_ = step_eip_ = VirtAddr(eip);
    set_trap_flag(true);
  }
}

void UnicornCpu::end_stepping() {
  if (stepping_) {
    stepping_ = false;
    set_trap_flag(false);
  }
}

Trap UnicornCpu::run(Registers& regs, const guest::TlsArray& tls, uint64_t block_limit) {
  apply_pending();
  if (!load_segments(regs, tls)) {
    return Trap{.kind = Trap::Kind::kException, .vector = static_cast<uint8_t>(guest::Vector::kGeneralProtection)};
  }
  load_registers(regs);
  const RegistersHere here(holds_registers_);
  uint32_t eip = regs.eip;
  const uint64_t last_block = blocks_ + block_limit;
  for (;;) {
    if (stop_requested_.load(std::memory_order_relaxed)) {
      stop_requested_.store(false, std::memory_order_relaxed);
      end_stepping();
      regs = loaded_;
      regs.eip = eip;
      return Trap{};
    }
    const uint64_t blocks_before = blocks_;
    uc_err error = start(eip, stepping_ ? kNoBlockLimit : last_block - blocks_);
    eip = loaded_.eip;
    if (stepping_) {
      // The steps are one block.
      blocks_ = blocks_before + 1;
      end_stepping();
    } else if (stop_ == Stop::kMiss && !miss_.kernel && reads_ahead(loaded_)) {
      begin_stepping(eip);
      continue;
    }
    if (unwatched_) {
      forget_code(*unwatched_);
      unwatched_.reset();
    }
    if (stop_ == Stop::kStepped) {
      continue;
    }
    if (stop_ == Stop::kDropCode) {
      // A store in the middle of a block: the rest of the block is counted again.
      --blocks_;
      resumed_block_ = true;
      const Pfn frame = dropping_;
      forget_code(frame);
      if (dropped_for_ == eip) {
        // Again the same instruction: it stands in the frame that it writes. Let it store once without being watched.
        unwatched_ = frame;
        begin_stepping(eip);
      }
      dropped_for_ = eip;
      continue;
    }
    dropped_for_.reset();
    regs = loaded_;
    switch (stop_) {
      case Stop::kMiss:
        return page_fault(regs);
      case Stop::kVector:
        if (vector_ != kSystemCallVector) {
          forget_exception();
        }
        return exception(regs, vector_);
      case Stop::kFastCall:
        return fast_call(regs);
      default:
        break;
    }
    if (error == UC_ERR_INSN_INVALID) {
      return invalid_instruction(regs);
    }
    FL_CHECK(error == UC_ERR_OK, "engine stopped at {:#x}: {}", eip, uc_strerror(error));
    stop_requested_.store(false, std::memory_order_relaxed);
    return Trap{};
  }
}

}  // namespace fl::emu
