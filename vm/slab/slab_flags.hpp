// SlabFlags: what a cache is asked for, and the patterns its debugging writes. Linux counterparts: SLAB_* of
// include/linux/slab.h by value, CFLGS_* of mm/slab.c, include/linux/poison.h.
#pragma once

#include <cstdint>

namespace fl::vm {

struct SlabFlags {
  uint32_t bits = 0;

  constexpr bool has(SlabFlags other) const { return (bits & other.bits) != 0; }
  friend constexpr SlabFlags operator|(SlabFlags a, SlabFlags b) { return SlabFlags{a.bits | b.bits}; }
  constexpr SlabFlags without(SlabFlags other) const { return SlabFlags{bits & ~other.bits}; }
  friend constexpr bool operator==(SlabFlags, SlabFlags) = default;
};

inline constexpr SlabFlags kSlabRedZone{0x400};           // a word before and after each object is watched
inline constexpr SlabFlags kSlabPoison{0x800};            // free objects are filled with a pattern that is checked
inline constexpr SlabFlags kSlabHwcacheAlign{0x2000};     // objects begin at cache lines, or even parts of one
inline constexpr SlabFlags kSlabCacheDma{0x4000};         // slabs from ZONE_DMA
inline constexpr SlabFlags kSlabStoreUser{0x10000};       // remembers the last allocation or free of each object
inline constexpr SlabFlags kSlabReclaimAccount{0x20000};  // a shrinker frees the objects: reclaimable pages
inline constexpr SlabFlags kSlabTypesafe{0x80000};        // a free object keeps its type: no free list inside it
inline constexpr SlabFlags kSlabAccount{0x4000000};       // charged to a memory cgroup on Linux; only named here
// Where a slab's free list is: in its last free object, in a kmalloc object, or (neither) at the slab's end.
inline constexpr SlabFlags kSlabObjFreelist{0x40000000};
inline constexpr SlabFlags kSlabOffSlab{0x80000000};

inline constexpr SlabFlags kSlabDebugFlags = kSlabRedZone | kSlabPoison | kSlabStoreUser;

// The words around an object while it is free and while it is allocated.
inline constexpr uint64_t kRedInactive = 0x09F911029D74E35BULL;
inline constexpr uint64_t kRedActive = 0xD84156C5635688C0ULL;
// Bytes of an object that was allocated and not yet written, of a free one, and of a free one's last.
inline constexpr uint8_t kPoisonInUse = 0x5a;
inline constexpr uint8_t kPoisonFree = 0x6b;
inline constexpr uint8_t kPoisonEnd = 0xa5;

// Whether every cache is debugged. Linux: CONFIG_DEBUG_SLAB.
enum class SlabDebug : uint8_t { kOff, kOn };

}  // namespace fl::vm
