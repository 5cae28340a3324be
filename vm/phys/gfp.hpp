// Gfp: what an allocation of pages may use and do. Linux counterpart: include/linux/gfp_types.h (6.1), by its values.
//
// The zone bits name the highest zone that will do; the mobility bits say whether the page can be moved or reclaimed
// later, which decides the migrate type it is taken from; the others what the allocator may do when memory is short.
#pragma once

#include <cstdint>

namespace fl::vm {

struct Gfp {
  uint32_t bits = 0;

  constexpr bool has(Gfp other) const { return (bits & other.bits) != 0; }
  constexpr Gfp without(Gfp other) const { return Gfp{bits & ~other.bits}; }
  friend constexpr Gfp operator|(Gfp a, Gfp b) { return Gfp{a.bits | b.bits}; }
  friend constexpr bool operator==(Gfp, Gfp) = default;
};

// Zones. None of them: ZONE_NORMAL.
inline constexpr Gfp kGfpDma{0x01};      // below 16 MiB
inline constexpr Gfp kGfpHighmem{0x02};  // any frame: the kernel reaches it through kmap
// Mobility.
inline constexpr Gfp kGfpMovable{0x08};      // found through rmap: compaction may move it
inline constexpr Gfp kGfpReclaimable{0x10};  // freed by a shrinker
// How urgent.
inline constexpr Gfp kGfpHigh{0x20};            // may use a part of the reserve
inline constexpr Gfp kGfpIo{0x40};              // reclaim may write
inline constexpr Gfp kGfpFs{0x80};              // reclaim may call file systems
inline constexpr Gfp kGfpZero{0x100};           // comes filled with zeros
inline constexpr Gfp kGfpAtomicBit{0x200};      // cannot wait: may use more of the reserve. Linux: __GFP_ATOMIC
inline constexpr Gfp kGfpDirectReclaim{0x400};  // may reclaim itself
inline constexpr Gfp kGfpKswapdReclaim{0x800};  // wakes kswapd
inline constexpr Gfp kGfpWrite{0x1000};         // the page will be dirtied
inline constexpr Gfp kGfpNoWarn{0x2000};        // a failure is not reported
inline constexpr Gfp kGfpRetryMayFail{0x4000};
inline constexpr Gfp kGfpNoFail{0x8000};
inline constexpr Gfp kGfpNoRetry{0x10000};
inline constexpr Gfp kGfpMemalloc{0x20000};    // all of the reserve
inline constexpr Gfp kGfpComp{0x40000};        // a compound page: the tails name the head
inline constexpr Gfp kGfpNoMemalloc{0x80000};  // none of the reserve
inline constexpr Gfp kGfpHardwall{0x100000};   // the task's own nodes only
inline constexpr Gfp kGfpThisNode{0x200000};   // this node or none
inline constexpr Gfp kGfpAccount{0x400000};    // charged to the task's memory limit

// The usual combinations.
inline constexpr Gfp kGfpReclaim = kGfpDirectReclaim | kGfpKswapdReclaim;
inline constexpr Gfp kGfpAtomic = kGfpHigh | kGfpAtomicBit | kGfpKswapdReclaim;
inline constexpr Gfp kGfpNoWait = kGfpKswapdReclaim;
inline constexpr Gfp kGfpKernel = kGfpReclaim | kGfpIo | kGfpFs;
inline constexpr Gfp kGfpKernelAccount = kGfpKernel | kGfpAccount;
inline constexpr Gfp kGfpUser = kGfpKernel | kGfpHardwall;
inline constexpr Gfp kGfpHighUser = kGfpUser | kGfpHighmem;
inline constexpr Gfp kGfpHighUserMovable = kGfpHighUser | kGfpMovable;

}  // namespace fl::vm
