// SignalState: how much floating-point state the kernel saves in a signal frame. It depends on the processor, and
// decides how many stack pages a signal takes. Linux: fpu_user_cfg (arch/x86/kernel/fpu/xstate.c), get_sigframe_size.
#pragma once

#include <cstdint>

#include "guest/signal/frame_layout.hpp"

namespace fl::guest {

// AT_MINSIGSTKSZ: the largest frame with its floating-point state and paddings. Linux: init_sigframe_size.
constexpr uint32_t min_signal_stack(uint32_t state_bytes) {
  constexpr uint32_t kFramePadding = 15, kStatePadding = 63;
  const uint32_t end_mark = state_bytes > kFxsaveBytes ? kXsaveEndMarkBytes : 0;
  const uint32_t bytes = static_cast<uint32_t>(sizeof(SigFrame32) + sizeof(FsaveHeader)) + kFramePadding + state_bytes +
                         end_mark + kStatePadding;
  return (bytes + 15) / 16 * 16;
}
static_assert(min_signal_stack(kFxsaveBytes) == 1440);

struct SignalState {
  uint32_t bytes = kFxsaveBytes;  // of the FXSAVE image, or of the XSAVE image with all its components
  uint64_t features = 3;          // the components: x87 and SSE
  uint32_t min_stack = min_signal_stack(kFxsaveBytes);

  bool xsave() const { return bytes > kFxsaveBytes; }
};

}  // namespace fl::guest
