// pop_signal_frame: back to what a handler interrupted. See frame.hpp.
//
// The frame is the program's to change, so nothing in it is believed: EFLAGS keeps its system bits, and a selector is
// taken only if it is null, the user's flat segments or a TLS descriptor that exists. Linux lets the processor find out
// (a bad data selector becomes null, a bad cs or ss is a #GP, SIGSEGV); the outcome is the same.
#include <bit>

#include "guest/signal/fpu_frame.hpp"
#include "guest/signal/frame.hpp"
#include "guest/signal/send.hpp"

namespace fl::guest {
namespace {

// Linux: FIX_EFLAGS.
constexpr uint32_t kUserFlags = Eflags::kAlignCheck | Eflags::kOverflow | Eflags::kDirection | Eflags::kTrap |
                                Eflags::kSign | Eflags::kZero | Eflags::kAdjust | Eflags::kParity | Eflags::kCarry |
                                Eflags::kResume;
constexpr uint16_t kUserRpl = 3;

bool tls_selector(const Kernel& kernel, const Task& task, uint16_t selector) {
  const uint32_t entry = selector >> 3;
  const uint32_t first = kernel.profile().first_tls_entry;
  constexpr uint16_t kLocalTable = 4;
  return (selector & kLocalTable) == 0 && entry >= first && entry < first + kTlsDescriptors &&
         task.tls[entry - first] != TlsDescriptor{};
}

uint16_t data_selector(const Kernel& kernel, const Task& task, uint32_t from_frame) {
  const auto selector = static_cast<uint16_t>(from_frame);
  if ((selector & ~kUserRpl) == 0) {
    return 0;
  }
  const auto user = static_cast<uint16_t>(selector | kUserRpl);
  const bool good =
      user == kernel.profile().user_ss || user == kernel.profile().user_cs || tls_selector(kernel, task, user);
  return good ? user : uint16_t{0};
}

Status restore_fpu(Kernel& kernel, vm::UserAccess& user, uint32_t fpstate) {
  if (fpstate == 0) {
    kernel.fpu().reset();
    return {};
  }
  const auto reject = [&] {
    kernel.fpu().reset();
    return fail(Errno::kEFAULT);
  };
  const auto header = user.get<FsaveHeader>(VirtAddr(fpstate));
  if (!header) {
    return reject();
  }
  FxState state;
  if (!user.read(state.bytes, VirtAddr(fpstate + sizeof(FsaveHeader)))) {
    return reject();
  }
  if ((fx_mxcsr(state) & ~kMxcsrMask) != 0) {
    return reject();
  }
  fsave_into_fx(*header, state);
  kernel.fpu().restore(state);
  return {};
}

Status restore_context(Kernel& kernel, Task& task, vm::UserAccess& user, const SigContext32& context) {
  task.restart = RestartBlock{};
  Registers regs = task.regs;
  regs.gs = data_selector(kernel, task, context.gs);
  regs.fs = data_selector(kernel, task, context.fs);
  regs.es = data_selector(kernel, task, context.es);
  regs.ds = data_selector(kernel, task, context.ds);
  regs.edi = context.edi;
  regs.esi = context.esi;
  regs.ebp = context.ebp;
  regs.esp = context.esp;
  regs.ebx = context.ebx;
  regs.edx = context.edx;
  regs.ecx = context.ecx;
  regs.eax = context.eax;
  regs.eip = context.eip;
  regs.eflags = (regs.eflags & ~kUserFlags) | (context.eflags & kUserFlags);
  regs.cs = static_cast<uint16_t>(context.cs | kUserRpl);
  regs.ss = static_cast<uint16_t>(context.ss | kUserRpl);
  const bool good_stack = regs.ss == kernel.profile().user_ss || tls_selector(kernel, task, regs.ss);
  if (regs.cs != kernel.profile().user_cs || !good_stack) {
    return fail(Errno::kEFAULT);
  }
  FL_TRY(restore_fpu(kernel, user, context.fpstate));
  task.regs = regs;
  task.orig_eax.reset();
  return {};
}

SignalSet mask_from(uint32_t low, uint32_t high) { return SignalSet(low | uint64_t{high} << 32); }

}  // namespace

Status pop_signal_frame(Kernel& kernel, Task& task) {
  // The handler's return took the return address, the vDSO's popl the signal number.
  const uint32_t frame = task.regs.esp - 8;
  if (!vm::UserAccess::access_ok(VirtAddr(frame), sizeof(SigFrame32))) {
    return fail(Errno::kEFAULT);
  }
  vm::UserAccess user = task.user();
  FL_TRY_ASSIGN(const auto context, user.get<SigContext32>(VirtAddr(frame + offsetof(SigFrame32, context))));
  FL_TRY_ASSIGN(const auto extra_mask, user.get<uint32_t>(VirtAddr(frame + offsetof(SigFrame32, extra_mask))));
  set_blocked(task, mask_from(context.old_mask, extra_mask));
  return restore_context(kernel, task, user, context);
}

Status pop_rt_signal_frame(Kernel& kernel, Task& task) {
  const uint32_t frame = task.regs.esp - 4;
  if (!vm::UserAccess::access_ok(VirtAddr(frame), sizeof(RtSigFrame32))) {
    return fail(Errno::kEFAULT);
  }
  vm::UserAccess user = task.user();
  FL_TRY_ASSIGN(const auto context, user.get<UContext32>(VirtAddr(frame + offsetof(RtSigFrame32, context))));
  set_blocked(task, mask_from(context.sigmask[0], context.sigmask[1]));
  FL_TRY(restore_context(kernel, task, user, context.mcontext));
  // As Linux: a stack that cannot be set is no reason to refuse the return.
  (void)set_alt_stack(task, context.stack);
  return {};
}

}  // namespace fl::guest
