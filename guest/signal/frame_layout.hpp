// What the kernel writes on a user stack for a signal handler, byte for byte (the i386 ABI).
//
// Linux counterparts: struct sigframe_ia32, rt_sigframe_ia32 (asm/sigframe.h), sigcontext_32, _fpstate_32
// (uapi/asm/sigcontext.h), ucontext, siginfo (uapi/asm-generic/siginfo.h). The floating-point state stands above the
// frame: 112 bytes as FSAVE stores them, then 512 as FXSAVE does, or a longer image as XSAVE does (SignalState).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace fl::guest {

struct SigContext32 {
  // Selectors in the low halves; sigreturn reads only those.
  uint32_t gs, fs, es, ds;
  uint32_t edi, esi, ebp, esp, ebx, edx, ecx, eax;
  uint32_t trap_number, error_code;
  uint32_t eip, cs, eflags, esp_at_signal, ss;
  uint32_t fpstate;  // address of FpState32, 0: none
  uint32_t old_mask;
  uint32_t cr2;
};
static_assert(sizeof(SigContext32) == 88);

struct StackT32 {
  uint32_t sp;
  uint32_t flags;
  uint32_t size;
};
static_assert(sizeof(StackT32) == 12);

struct UContext32 {
  uint32_t flags, link;
  StackT32 stack;
  SigContext32 mcontext;
  std::array<uint32_t, 2> sigmask;
};
static_assert(sizeof(UContext32) == 116);

// siginfo_t: the union begins at byte 12 (no 64-bit fields on i386).
struct SigInfo32 {
  int32_t signal, error, code;
  std::array<uint32_t, 29> fields;
};
static_assert(sizeof(SigInfo32) == 128);

// FSAVE's image as Linux stores it (struct user_i387_ia32_struct) and the two fields that tell a handler what follows.
struct FsaveHeader {
  uint32_t control, status, tag;
  uint32_t ip_offset, cs_selector;  // the opcode in the upper half of cs_selector
  uint32_t data_offset, data_selector;
  std::array<std::byte, 80> registers;  // eight of 10 bytes
  uint16_t plain_status;
  uint16_t magic;  // kFxsaveFollows
};
static_assert(sizeof(FsaveHeader) == 112);
inline constexpr uint16_t kFxsaveFollows = 0x0000;  // Linux: X86_FXSR_MAGIC

// What Linux puts into the bytes of an FXSAVE image that are free for software (struct _fpx_sw_bytes).
struct FxSoftwareBytes {
  uint32_t magic1, extended_size;
  uint64_t features;
  uint32_t state_size;
  std::array<uint32_t, 7> padding;
};
static_assert(sizeof(FxSoftwareBytes) == 48);
inline constexpr uint32_t kFxSoftwareOffset = 464;
inline constexpr uint32_t kFxSoftwareMagic = 0x46505853;  // Linux: FP_XSTATE_MAGIC1

inline constexpr uint32_t kFxsaveBytes = 512;
inline constexpr uint32_t kFpState32Size = sizeof(FsaveHeader) + kFxsaveBytes;  // struct _fpstate_32
// With XSAVE a 64-byte header and the other components follow, and a mark behind the last.
inline constexpr uint32_t kXsaveHeaderBytes = 64;
inline constexpr uint32_t kXsaveEndMarkBytes = 4;
inline constexpr uint32_t kXsaveEndMark = 0x46505845;  // Linux: FP_XSTATE_MAGIC2

// For a handler without SA_SIGINFO.
struct SigFrame32 {
  uint32_t return_address;
  int32_t signal;
  SigContext32 context;
  std::array<std::byte, kFpState32Size> unused_fpstate;  // keeps the offset of extra_mask; never written
  uint32_t extra_mask;                                   // signals 33-64
  std::array<uint8_t, 8> return_code;
};
static_assert(sizeof(SigFrame32) == 732);

// For a handler with SA_SIGINFO.
struct RtSigFrame32 {
  uint32_t return_address;
  int32_t signal;
  uint32_t info_pointer;
  uint32_t context_pointer;
  SigInfo32 info;
  UContext32 context;
  std::array<uint8_t, 8> return_code;
};
static_assert(sizeof(RtSigFrame32) == 268);

// popl %eax; movl $119, %eax; int $0x80 and movl $173, %eax; int $0x80. Never run; debuggers know a frame by them.
inline constexpr std::array<uint8_t, 8> kReturnCode{0x58, 0xb8, 119, 0, 0, 0, 0xcd, 0x80};
inline constexpr std::array<uint8_t, 8> kRtReturnCode{0xb8, 173, 0, 0, 0, 0xcd, 0x80, 0};

}  // namespace fl::guest
