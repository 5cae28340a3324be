// Entries that are no slots: a page that could not be read back when its area went has one, and who touches the page
// gets SIGBUS. Linux counterpart: make_swapin_error_entry, SWP_SWAPIN_ERROR; in 6.18 a PTE marker,
// PTE_MARKER_POISONED.
#pragma once

#include "vm/swap/swap_entry.hpp"

namespace fl::vm {

inline constexpr uint32_t kSwapinErrorType = 31;

constexpr SwapEntry make_swapin_error_entry() { return {kSwapinErrorType, 1}; }
// Linux: non_swap_entry.
constexpr bool non_swap_entry(SwapEntry entry) { return entry.type >= kMaxSwapFiles; }

}  // namespace fl::vm
