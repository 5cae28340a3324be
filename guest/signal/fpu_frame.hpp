// Conversion between the processor's FXSAVE image and the FSAVE header of a signal frame.
// Linux counterparts: convert_from_fxsr, convert_to_fxsr (arch/x86/kernel/fpu/regset.c).
#pragma once

#include "guest/cpu/registers.hpp"
#include "guest/signal/signal_state.hpp"

namespace fl::guest {

// MXCSR of an FXSAVE image.
uint32_t fx_mxcsr(const FxState& state);
// x87 control and status word of an FXSAVE image.
uint16_t fx_control(const FxState& state);
uint16_t fx_status(const FxState& state);

FsaveHeader fsave_from_fx(const FxState& state);
// What a handler may have changed in the header goes into the image: it wins over the image's own x87 part.
void fsave_into_fx(const FsaveHeader& header, FxState& state);
// Fills the bytes that tell a handler which state follows.
void mark_fx_frame(FxState& state, const SignalState& signal_state);

}  // namespace fl::guest
