// Signals: queues, frames, sigreturn, default actions.
#include <catch2/catch_test_macros.hpp>
#include <cstring>

#include "guest/signal/fpu_frame.hpp"
#include "guest/signal/frame.hpp"
#include "guest/signal/send.hpp"
#include "tests/unit/guest/kernel_machine.hpp"

using namespace fl;
using namespace fl::guest;
using namespace fl::guest::test;

namespace {

constexpr uint32_t kKill = 37, kPause = 29, kSigreturn = 119, kRtSigreturn = 173, kRtSigaction = 174,
                   kSigaltstack = 186, kRtSigprocmask = 175, kTgkill = 270;
constexpr uint32_t kHandler = kCode + 0x200;

void set_action(KernelMachine& machine, int signal, uint32_t handler, uint32_t flags, uint64_t mask = 0) {
  const std::array<uint32_t, 5> action{handler, flags, 0, static_cast<uint32_t>(mask),
                                       static_cast<uint32_t>(mask >> 32)};
  machine.poke_user(kData, action);
  REQUIRE(machine.call(kRtSigaction, {static_cast<uint32_t>(signal), kData, 0, 8}) == 0);
}
void kill_self(KernelMachine& machine, int signal) {
  machine.enter(kKill, {machine.task().tgid, static_cast<uint32_t>(signal)});
}

}  // namespace

TEST_CASE("signals: a handler without SA_SIGINFO starts as the i386 ABI says and sigreturn restores everything") {
  KernelMachine machine;
  machine.fpu.state.bytes[40] = std::byte{0x5a};
  machine.fpu.state.bytes[160] = std::byte{0xa5};
  set_action(machine, Signal::kUsr1, kHandler, 0, uint64_t{1} << (Signal::kUsr2 - 1));
  const FxState fpu_before = machine.fpu.state;
  kill_self(machine, Signal::kUsr1);
  const uint32_t frame = machine.regs().esp;
  CHECK(machine.regs().eip == kHandler);
  CHECK(machine.regs().eax == Signal::kUsr1);
  CHECK((frame + 4) % 16 == 0);
  CHECK(machine.peek_user<uint32_t>(frame + 4) == Signal::kUsr1);
  CHECK(machine.peek_user<uint32_t>(frame) == machine.task().program->vdso.sigreturn.value());
  CHECK(machine.peek_user<std::array<uint8_t, 8>>(frame + 724) == kReturnCode);
  CHECK(machine.task().blocked.has(Signal::kUsr1));
  CHECK(machine.task().blocked.has(Signal::kUsr2));
  CHECK(machine.fpu.state.bytes[160] == std::byte{0});

  // ret, popl %eax, and what the handler did to the registers
  machine.regs().esp = frame + 8;
  machine.regs().ebx = 0xdead;
  machine.regs().eflags |= Eflags::kCarry;
  machine.enter(kSigreturn);
  CHECK(machine.regs().eip == kCode + kInt80Offset + 2);
  CHECK(machine.regs().eax == 0);  // kill's answer
  CHECK(machine.regs().ebx == machine.task().tgid);
  CHECK((machine.regs().eflags & Eflags::kCarry) == 0);
  CHECK(machine.task().blocked.empty());
  CHECK(std::memcmp(machine.fpu.state.bytes.data(), fpu_before.bytes.data(), kFxSoftwareOffset) == 0);
}

TEST_CASE("signals: a fault's siginfo and ucontext tell address, code, trap, error and cr2") {
  KernelMachine machine;
  set_action(machine, Signal::kSegv, kHandler, SaFlag::kSigInfo);
  machine.regs().esi = 0x1234;
  machine.page_fault(0x1000, mmu::Access::kWrite, mmu::PageFaultError::kWrite | mmu::PageFaultError::kUser);
  const auto frame = machine.peek_user<RtSigFrame32>(machine.regs().esp);
  CHECK(frame.signal == Signal::kSegv);
  CHECK(frame.info.signal == Signal::kSegv);
  CHECK(frame.info.code == SiCode::kSegvMapErr);
  CHECK(frame.info.fields[0] == 0x1000);
  CHECK(frame.context.mcontext.trap_number == 14);
  CHECK(frame.context.mcontext.error_code == 6);
  CHECK(frame.context.mcontext.cr2 == 0x1000);
  CHECK(frame.context.mcontext.esi == 0x1234);
  CHECK(machine.regs().edx == frame.info_pointer);
  CHECK(machine.regs().ecx == frame.context_pointer);
  CHECK(frame.context.mcontext.fpstate == ((frame.context.mcontext.esp - 512) & ~63u) - 112);
}

TEST_CASE("signals: a kernel address is a mapping error with the protection bit") {
  KernelMachine machine;
  set_action(machine, Signal::kSegv, kHandler, SaFlag::kSigInfo);
  machine.page_fault(0xC0001234, mmu::Access::kRead, mmu::PageFaultError::kUser);
  const auto frame = machine.peek_user<RtSigFrame32>(machine.regs().esp);
  CHECK(frame.info.code == SiCode::kSegvMapErr);
  CHECK(frame.info.fields[0] == 0xC0001234);
  CHECK(frame.context.mcontext.error_code == 5);
}

TEST_CASE("signals: exceptions become Linux's signals") {
  struct Case {
    Vector vector;
    int signal;
    int32_t code;
    bool has_address;
  };
  for (const Case& c : {Case{Vector::kDivideError, Signal::kFpe, SiCode::kFpeIntDiv, true},
                        Case{Vector::kInvalidOpcode, Signal::kIll, SiCode::kIllIllOpn, true},
                        Case{Vector::kGeneralProtection, Signal::kSegv, SiCode::kKernel, false},
                        Case{Vector::kBreakpoint, Signal::kTrap, SiCode::kKernel, false},
                        Case{Vector::kOverflow, Signal::kSegv, SiCode::kKernel, false},
                        Case{Vector::kStackSegment, Signal::kBus, SiCode::kKernel, false},
                        Case{Vector::kAlignmentCheck, Signal::kBus, SiCode::kBusAdrAln, false}}) {
    KernelMachine machine;
    set_action(machine, c.signal, kHandler, SaFlag::kSigInfo);
    machine.exception(c.vector);
    const auto frame = machine.peek_user<RtSigFrame32>(machine.regs().esp);
    INFO(static_cast<int>(c.vector));
    CHECK(frame.info.signal == c.signal);
    CHECK(frame.info.code == c.code);
    CHECK(frame.info.fields[0] == (c.has_address ? kCode + kInt80Offset + 2 : 0));
  }
}

TEST_CASE("signals: sigreturn lets no system flag and no foreign selector through") {
  KernelMachine machine;
  set_action(machine, Signal::kUsr1, kHandler, SaFlag::kSigInfo);
  kill_self(machine, Signal::kUsr1);
  const uint32_t esp = machine.regs().esp;
  auto frame = machine.peek_user<RtSigFrame32>(esp);
  frame.context.mcontext.eflags = 0xffffffff;
  frame.context.mcontext.ds = 0x10;
  frame.context.mcontext.es = 0x33;  // a TLS entry that is empty
  frame.context.mcontext.fs = 0x7b;
  machine.poke_user(esp, frame);
  machine.regs().esp = esp + 4;
  machine.enter(kRtSigreturn);
  CHECK((machine.regs().eflags & 0x3000) == 0);    // IOPL
  CHECK((machine.regs().eflags & 0x1a0000) == 0);  // VM, VIF, VIP
  CHECK((machine.regs().eflags & Eflags::kInterrupt) != 0);
  CHECK(machine.regs().ds == 0);
  CHECK(machine.regs().es == 0);
  CHECK(machine.regs().fs == 0x7b);
  CHECK(machine.task().alive());
}

TEST_CASE("signals: a bad frame kills with SIGSEGV") {
  for (const bool bad_stack : {true, false}) {
    KernelMachine machine;
    set_action(machine, Signal::kUsr1, kHandler, SaFlag::kSigInfo);
    kill_self(machine, Signal::kUsr1);
    const uint32_t esp = machine.regs().esp;
    if (!bad_stack) {
      auto frame = machine.peek_user<RtSigFrame32>(esp);
      frame.context.mcontext.cs = 0x60;
      machine.poke_user(esp, frame);
    }
    machine.regs().esp = bad_stack ? 0xfffffff0 : esp + 4;
    machine.enter(kRtSigreturn);
    CHECK_FALSE(machine.task().alive());
    CHECK(machine.kernel().schedule() == nullptr);
    CHECK(machine.kernel().outcome().exit_status() == 128 + Signal::kSegv);
  }
}

TEST_CASE("signals: without a stack for the frame SIGSEGV ends the task") {
  KernelMachine machine;
  set_action(machine, Signal::kUsr1, kHandler, 0);
  machine.regs().esp = 0x2000;
  kill_self(machine, Signal::kUsr1);
  CHECK(machine.task().exit_status == Signal::kSegv);
}

TEST_CASE("signals: SA_ONSTACK uses the alternate stack, and a nested signal stays on it") {
  KernelMachine machine;
  machine.poke_user(kData, StackT32{kData + 0x100, 0, 0xe00});
  REQUIRE(machine.call(kSigaltstack, {kData, 0}) == 0);
  set_action(machine, Signal::kUsr1, kHandler, SaFlag::kOnStack | SaFlag::kNoDefer);
  kill_self(machine, Signal::kUsr1);
  const uint32_t first = machine.regs().esp;
  CHECK(first > kData + 0x100);
  CHECK(first < kData + 0xf00);
  CHECK(machine.call(kSigaltstack, {kData, 0}) == -1);  // EPERM while on it
  CHECK(machine.call(kSigaltstack, {0, kData}) == 0);
  CHECK(machine.peek_user<StackT32>(kData).flags == AltStack::kOnStack);
  // The second frame fits, a third does not: that is SIGSEGV.
  kill_self(machine, Signal::kUsr1);
  CHECK(machine.regs().esp < first);
  kill_self(machine, Signal::kUsr1);
  CHECK(machine.task().exit_status == Signal::kSegv);
}

TEST_CASE("signals: an ignored signal is dropped, a blocked one waits, a fatal one ends the program") {
  KernelMachine machine;
  set_action(machine, Signal::kUsr1, kSigIgn, 0);
  kill_self(machine, Signal::kUsr1);
  CHECK(pending_set(machine.task()).empty());
  machine.poke_user(kData, std::array<uint32_t, 2>{1u << (Signal::kTerm - 1), 0});
  REQUIRE(machine.call(kRtSigprocmask, {0, kData, 0, 8}) == 0);
  kill_self(machine, Signal::kTerm);
  CHECK(machine.task().alive());
  CHECK(pending_set(machine.task()).has(Signal::kTerm));
  REQUIRE(machine.task().alive());
  machine.enter(kRtSigprocmask, {1, kData, 0, 8});
  CHECK(machine.task().exit_status == Signal::kTerm);
  CHECK(machine.kernel().schedule() == nullptr);
  CHECK(machine.kernel().outcome().exit_status() == 143);
}

TEST_CASE("signals: a forced signal that is blocked kills") {
  KernelMachine machine;
  set_action(machine, Signal::kSegv, kHandler, 0);
  machine.poke_user(kData, std::array<uint32_t, 2>{1u << (Signal::kSegv - 1), 0});
  REQUIRE(machine.call(kRtSigprocmask, {0, kData, 0, 8}) == 0);
  machine.page_fault(0, mmu::Access::kRead, mmu::PageFaultError::kUser);
  CHECK(machine.task().exit_status == Signal::kSegv);
}

TEST_CASE("signals: a fault's signal is delivered before one that was sent earlier") {
  KernelMachine machine;
  Task& task = machine.task();
  send_signal(machine.kernel(), task, {.signal = Signal::kHup}, SignalTarget::kTask);
  force_signal(machine.kernel(), task, {.signal = Signal::kSegv, .code = SiCode::kSegvMapErr});
  CHECK(dequeue_signal(task, {}).signal == Signal::kSegv);
  CHECK(dequeue_signal(task, {}).signal == Signal::kHup);
  CHECK(dequeue_signal(task, {}).signal == 0);
}

TEST_CASE("signals: classic signals are queued once, real-time signals each time") {
  KernelMachine machine;
  Task& task = machine.task();
  for (int i = 0; i < 3; ++i) {
    send_signal(machine.kernel(), task, {.signal = Signal::kUsr1}, SignalTarget::kTask);
    send_signal(machine.kernel(), task, {.signal = 40, .value = static_cast<uint32_t>(i)}, SignalTarget::kTask);
  }
  CHECK(dequeue_signal(task, {}).signal == Signal::kUsr1);
  for (uint32_t i = 0; i < 3; ++i) {
    CHECK(dequeue_signal(task, {}).value == i);
  }
  CHECK(dequeue_signal(task, {}).signal == 0);
}

TEST_CASE("signals: pause alone is a deadlock that is reported") {
  KernelMachine machine;
  machine.enter(kPause);
  CHECK(machine.kernel().schedule() == nullptr);
  CHECK(machine.kernel().outcome().kind == Outcome::Kind::kDeadlock);
  CHECK(machine.kernel().outcome().exit_status() == 125);
  CHECK(machine.kernel().outcome().report.find("pause") != std::string::npos);
}

TEST_CASE("signals: an interrupted call is done again only without a handler, and only if it was int 0x80") {
  KernelMachine machine;
  set_action(machine, Signal::kAlrm, kHandler, 0);
  REQUIRE(machine.call(27, {1}) == 0);  // alarm(1)
  machine.enter(kPause);
  REQUIRE(machine.kernel().schedule() == &machine.task());
  CHECK(machine.regs().eip == kHandler);
  CHECK(machine.peek_user<SigFrame32>(machine.regs().esp).context.eax == static_cast<uint32_t>(-4));  // EINTR
}

TEST_CASE("fpu frame: the tag word of FSAVE follows from the registers' contents") {
  FxState state{};
  state.bytes[0] = std::byte{0x7f};
  state.bytes[1] = std::byte{0x03};
  // TOP = 6, physical registers 6 and 7 in use: ST0 = 1.0, ST1 = 0.
  state.bytes[3] = std::byte{0x30};
  state.bytes[4] = std::byte{0xc0};
  state.bytes[32 + 7] = std::byte{0x80};
  state.bytes[32 + 8] = std::byte{0xff};
  state.bytes[32 + 9] = std::byte{0x3f};
  const FsaveHeader header = fsave_from_fx(state);
  CHECK(header.tag == (0xffff0000u | 0x4fff));  // physical 7 zero (01), 6 valid (00), others empty (11)
  CHECK(header.control == 0xffff037f);
  FxState back{};
  fsave_into_fx(header, back);
  CHECK(back.bytes[4] == std::byte{0xc0});
  CHECK(std::memcmp(back.bytes.data() + 32, state.bytes.data() + 32, 10) == 0);
}
