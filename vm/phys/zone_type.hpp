// The kinds of zones and of mobility, and their names in /proc. Linux counterpart: enum zone_type, enum migratetype.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "mmu/base/addr.hpp"
#include "mmu/layout.hpp"
#include "vm/phys/gfp.hpp"

namespace fl::vm {

// From the lowest addresses up. An allocation names the highest that will do and may fall back to the lower ones.
// Movable has no memory here, as on any Linux without kernelcore=; GFP_HIGHUSER_MOVABLE starts from it.
enum class ZoneType : uint8_t { kDma, kNormal, kHighmem, kMovable };
inline constexpr uint32_t kZoneTypes = 4;
inline constexpr std::array<std::string_view, kZoneTypes> kZoneNames = {"DMA", "Normal", "HighMem", "Movable"};
// First frame above the zone DMA, and above low memory.
inline constexpr uint32_t kMaxDmaPfn = (16u << 20) >> kPageShift;
inline constexpr uint32_t kMaxLowPfn = mmu::kLowMemoryLimit >> kPageShift;

constexpr uint32_t index_of(ZoneType type) { return static_cast<uint32_t>(type); }

// The highest zone an allocation may use. Linux: gfp_zone.
constexpr ZoneType gfp_zone(Gfp gfp) {
  if (gfp.has(kGfpDma)) {
    return ZoneType::kDma;
  }
  if (!gfp.has(kGfpHighmem)) {
    return ZoneType::kNormal;
  }
  return gfp.has(kGfpMovable) ? ZoneType::kMovable : ZoneType::kHighmem;
}

// What may become of a page: nothing, being moved, being freed by a shrinker. The first three have per-CPU lists.
enum class MigrateType : uint8_t { kUnmovable, kMovable, kReclaimable, kHighAtomic, kIsolate };
inline constexpr uint32_t kMigrateTypes = 5;
inline constexpr uint32_t kPcpTypes = 3;
inline constexpr std::array<std::string_view, kMigrateTypes> kMigrateTypeNames = {"Unmovable", "Movable", "Reclaimable",
                                                                                  "HighAtomic", "Isolate"};
constexpr uint32_t index_of(MigrateType type) { return static_cast<uint32_t>(type); }

// Linux: gfp_migratetype, with grouping by mobility on.
constexpr MigrateType gfp_migratetype(Gfp gfp) {
  return gfp.has(kGfpMovable)       ? MigrateType::kMovable
         : gfp.has(kGfpReclaimable) ? MigrateType::kReclaimable
                                    : MigrateType::kUnmovable;
}

inline constexpr uint32_t kMaxOrder = 10;  // largest block: 2^10 frames, 4 MiB. Linux: MAX_ORDER - 1
// Frames are grouped by mobility in blocks of this order: the size of a large page without PAE.
inline constexpr uint32_t kPageblockOrder = 10;
inline constexpr uint32_t kPageblockFrames = 1u << kPageblockOrder;
// Orders above this are "costly": tried less hard, and not kept on per-CPU lists.
inline constexpr uint32_t kCostlyOrder = 3;

}  // namespace fl::vm
