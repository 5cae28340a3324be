// push_signal_frame: where the frame goes, what is in it, and how the handler starts. See frame.hpp.
#include "guest/signal/frame.hpp"

#include <bit>

#include "guest/signal/fpu_frame.hpp"

namespace fl::guest {
namespace {

SigContext32 save_context(const Task& task, uint32_t fpstate, SignalSet old_mask) {
  const Registers& regs = task.regs;
  return {.gs = regs.gs,
          .fs = regs.fs,
          .es = regs.es,
          .ds = regs.ds,
          .edi = regs.edi,
          .esi = regs.esi,
          .ebp = regs.ebp,
          .esp = regs.esp,
          .ebx = regs.ebx,
          .edx = regs.edx,
          .ecx = regs.ecx,
          .eax = regs.eax,
          .trap_number = task.trap_number,
          .error_code = task.error_code,
          .eip = regs.eip,
          .cs = regs.cs,
          .eflags = regs.eflags,
          .esp_at_signal = regs.esp,
          .ss = regs.ss,
          .fpstate = fpstate,
          .old_mask = static_cast<uint32_t>(old_mask.bits()),
          .cr2 = task.cr2};
}

std::array<uint32_t, 2> mask_words(SignalSet mask) {
  return {static_cast<uint32_t>(mask.bits()), static_cast<uint32_t>(mask.bits() >> 32)};
}

struct FramePlace {
  uint32_t frame;
  uint32_t fpstate;  // the FSAVE header; the FXSAVE or XSAVE image follows, 64-byte aligned
};

// Linux: get_sigframe.
Result<FramePlace> place_frame(const Kernel& kernel, const Task& task, const SignalAction& action,
                               uint32_t frame_size) {
  const AltStack& alt = task.alt_stack;
  uint32_t sp = task.regs.esp;
  const bool nested = on_alt_stack(alt, sp);
  bool entering = false;
  if ((action.flags & SaFlag::kOnStack) != 0) {
    if (alt.size != 0 && !nested) {
      sp = alt.sp + alt.size;
      entering = true;
    }
  } else if (!nested && task.regs.ss != kernel.profile().user_ss && (action.flags & SaFlag::kRestorer) == 0 &&
             action.restorer != 0) {
    sp = action.restorer;  // the legacy way to name a signal stack
    entering = true;
  }
  const SignalState& state = kernel.options().signal_state;
  const uint32_t fx = (sp - state.bytes - (state.xsave() ? kXsaveEndMarkBytes : 0)) & ~63u;
  const uint32_t fpstate = fx - sizeof(FsaveHeader);
  // At the handler's first instruction (esp + 4) is a multiple of 16.
  const uint32_t frame = ((fpstate - frame_size + 4) & ~15u) - 4;
  const bool inside = frame > alt.sp && frame - alt.sp <= alt.size;
  if ((nested || entering) && !inside) {
    return fail(Errno::kEFAULT);
  }
  return FramePlace{frame, fpstate};
}

// What XSAVE adds behind the FXSAVE image. The processor has no more state, so the components are as after a reset.
Status write_xsave_components(vm::UserAccess& user, VirtAddr fx, const SignalState& state) {
  struct Header {
    uint64_t features;
    std::array<uint64_t, 7> reserved;
  };
  static_assert(sizeof(Header) == kXsaveHeaderBytes);
  FL_TRY(user.clear(fx + (kFxsaveBytes + kXsaveHeaderBytes), state.bytes - kFxsaveBytes - kXsaveHeaderBytes));
  return user.put(fx + kFxsaveBytes, Header{SignalState{}.features, {}});
}

// Linux: copy_fpstate_to_sigframe. With XSAVE the header is cleared first, so its page is the first to fault; then the
// instruction fails if another page is absent, and all is cleared from the lowest page on.
Status write_fpstate(Kernel& kernel, vm::UserAccess& user, uint32_t fpstate) {
  const SignalState& signal_state = kernel.options().signal_state;
  const VirtAddr fx(fpstate + sizeof(FsaveHeader));
  FxState state = kernel.fpu().save();
  const FsaveHeader header = fsave_from_fx(state);
  mark_fx_frame(state, signal_state);
  if (signal_state.xsave()) {
    FL_TRY(user.clear(fx + kFxsaveBytes, kXsaveHeaderBytes));
  }
  FL_TRY(user.write(fx, state.bytes));
  if (signal_state.xsave()) {
    FL_TRY(write_xsave_components(user, fx, signal_state));
  }
  FL_TRY(user.put(VirtAddr(fpstate), header));
  return signal_state.xsave() ? user.put(fx + signal_state.bytes, kXsaveEndMark) : Status{};
}

uint32_t return_address(const Task& task, const SignalAction& action, uint32_t from_vdso, uint32_t on_stack) {
  if ((action.flags & SaFlag::kRestorer) != 0) {
    return action.restorer;
  }
  return from_vdso != 0 || task.program == nullptr ? from_vdso : on_stack;
}

void enter_handler(Kernel& kernel, Task& task, const SignalAction& action, uint32_t frame) {
  Registers& regs = task.regs;
  regs.esp = frame;
  regs.eip = action.handler;
  regs.ds = regs.es = regs.ss = kernel.profile().user_ss;
  regs.cs = kernel.profile().user_cs;
  regs.eflags &= ~uint32_t{Eflags::kDirection | Eflags::kResume | Eflags::kTrap};
  kernel.fpu().reset();
}

Status push_plain(Kernel& kernel, Task& task, const SignalInfo& info, const SignalAction& action, SignalSet old_mask) {
  FL_TRY_ASSIGN(const FramePlace place, place_frame(kernel, task, action, sizeof(SigFrame32)));
  vm::UserAccess user = task.user();
  FL_TRY(write_fpstate(kernel, user, place.fpstate));
  // The unused floating-point state in the middle keeps what was there.
  struct Head {
    uint32_t return_address;
    int32_t signal;
    SigContext32 context;
  };
  struct Tail {
    uint32_t extra_mask;
    std::array<uint8_t, 8> return_code;
  };
  constexpr uint32_t kCodeOffset = offsetof(SigFrame32, return_code);
  const Head head{return_address(task, action, task.program->vdso.sigreturn.value(), place.frame + kCodeOffset),
                  info.signal, save_context(task, place.fpstate, old_mask)};
  const Tail tail{mask_words(old_mask)[1], kReturnCode};
  FL_TRY(user.put(VirtAddr(place.frame), head));
  FL_TRY(user.put(VirtAddr(place.frame + offsetof(SigFrame32, extra_mask)), tail));
  enter_handler(kernel, task, action, place.frame);
  task.regs.eax = static_cast<uint32_t>(info.signal);
  task.regs.edx = 0;
  task.regs.ecx = 0;
  return {};
}

Status push_rt(Kernel& kernel, Task& task, const SignalInfo& info, const SignalAction& action, SignalSet old_mask) {
  FL_TRY_ASSIGN(const FramePlace place, place_frame(kernel, task, action, sizeof(RtSigFrame32)));
  vm::UserAccess user = task.user();
  FL_TRY(write_fpstate(kernel, user, place.fpstate));
  RtSigFrame32 frame{};
  frame.return_address = return_address(task, action, task.program->vdso.rt_sigreturn.value(),
                                        place.frame + offsetof(RtSigFrame32, return_code));
  frame.signal = info.signal;
  frame.info_pointer = place.frame + offsetof(RtSigFrame32, info);
  frame.context_pointer = place.frame + offsetof(RtSigFrame32, context);
  frame.info = siginfo_to_user(info);
  frame.context.stack = {task.alt_stack.sp, task.alt_stack.flags, task.alt_stack.size};
  frame.context.mcontext = save_context(task, place.fpstate, old_mask);
  frame.context.sigmask = mask_words(old_mask);
  frame.return_code = kRtReturnCode;
  FL_TRY(user.put(VirtAddr(place.frame), frame));
  enter_handler(kernel, task, action, place.frame);
  task.regs.eax = static_cast<uint32_t>(info.signal);
  task.regs.edx = frame.info_pointer;
  task.regs.ecx = frame.context_pointer;
  return {};
}

}  // namespace

Status push_signal_frame(Kernel& kernel, Task& task, const SignalInfo& info, const SignalAction& action,
                         SignalSet old_mask) {
  return (action.flags & SaFlag::kSigInfo) != 0 ? push_rt(kernel, task, info, action, old_mask)
                                                : push_plain(kernel, task, info, action, old_mask);
}

SigInfo32 siginfo_to_user(const SignalInfo& info) {
  SigInfo32 user{.signal = info.signal, .error = info.error, .code = info.code, .fields = {}};
  auto& fields = user.fields;
  switch (signal_info_layout(info.signal, info.code)) {
    case SignalInfoLayout::kFault:
      fields[0] = info.addr.value();
      break;
    case SignalInfoLayout::kTimer:
      fields[0] = info.pid;
      fields[1] = std::bit_cast<uint32_t>(info.overrun);
      fields[2] = info.value;
      break;
    case SignalInfoLayout::kChild:
      fields[0] = info.pid;
      fields[1] = info.uid;
      fields[2] = std::bit_cast<uint32_t>(info.status);
      fields[3] = info.utime;
      break;
    case SignalInfoLayout::kQueued:
      fields[2] = info.value;
      [[fallthrough]];
    case SignalInfoLayout::kKill:
      fields[0] = info.pid;
      fields[1] = info.uid;
      break;
  }
  return user;
}

bool on_alt_stack(const AltStack& stack, uint32_t esp) {
  // An auto-disarmed stack is not in use while its handler runs: it was disarmed then.
  if ((stack.flags & AltStack::kAutoDisarm) != 0) {
    return false;
  }
  return esp > stack.sp && esp - stack.sp <= stack.size;
}

Status set_alt_stack(Task& task, const StackT32& stack) {
  if (on_alt_stack(task.alt_stack, task.regs.esp)) {
    return fail(Errno::kEPERM);
  }
  const uint32_t mode = stack.flags & ~AltStack::kAutoDisarm;
  if (mode != AltStack::kDisable && mode != AltStack::kOnStack && mode != 0) {
    return fail(Errno::kEINVAL);
  }
  if (task.alt_stack.sp == stack.sp && task.alt_stack.size == stack.size && task.alt_stack.flags == stack.flags) {
    return {};
  }
  if (mode == AltStack::kDisable) {
    task.alt_stack = {0, 0, stack.flags};
    return {};
  }
  if (stack.size < AltStack::kMinSize) {
    return fail(Errno::kENOMEM);
  }
  task.alt_stack = {stack.sp, stack.size, stack.flags};
  return {};
}

}  // namespace fl::guest
