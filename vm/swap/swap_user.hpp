// SwapUser: whoever brings pages out to swap areas and in again: the swap cache. SwapSpace asks it for what only it can
// do; without one no slot is ever in the swap cache but by the caller of get_swap_page.
#pragma once

#include <cstdint>

#include "mmu/base/result.hpp"
#include "vm/swap/swap_entry.hpp"

namespace fl::vm {

// When a slot that only the swap cache holds is to be given back. Linux: TTRS_*.
enum class SwapReclaim : uint8_t {
  kAnyway,          // whatever the page is used for
  kUnmappedOrFull,  // if nobody maps the page, or swap is half full
};

class SwapUser {
 public:
  virtual ~SwapUser() = default;
  // Brings in all pages of an area that gives out no more slots, so that none is in use. ENOMEM; EINTR: a signal came.
  // Linux: try_to_unuse.
  virtual Status try_to_unuse(uint32_t type) = 0;
  // Takes the page out of the swap cache and clears SWAP_HAS_CACHE (SwapSpace::swapcache_free), if that can be. True:
  // it has. Linux: __try_to_reclaim_swap.
  virtual bool try_to_reclaim_swap(SwapEntry entry, SwapReclaim when) = 0;
  // An area of so many pages comes into use, or went. ENOMEM. Linux: init_swap_address_space,
  // exit_swap_address_space.
  virtual Status init_swap_address_space(uint32_t, uint32_t) { return {}; }
  virtual void exit_swap_address_space(uint32_t) {}
  // A slot is free: what is remembered of the page that was there goes. Linux: clear_shadow_from_swap_cache.
  virtual void clear_shadow(SwapEntry) {}
};

}  // namespace fl::vm
