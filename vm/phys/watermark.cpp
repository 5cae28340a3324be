// See the header: each function is one of Linux's formulas.
#include "vm/phys/watermark.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

namespace fl::vm {
namespace {

constexpr uint32_t kPageKb = kPageSize >> 10;
constexpr uint32_t kMinFreeKbytesLow = 128;
constexpr uint32_t kMinFreeKbytesHigh = 262144;
constexpr uint32_t kSwapClusterMax = 32;
constexpr uint32_t kHighmemMinPages = 128;
constexpr uint64_t kHugePagesFrom = (512u << 20) >> kPageShift;  // smaller machines never start khugepaged

uint64_t int_sqrt(uint64_t value) {
  auto root = static_cast<uint64_t>(std::sqrt(static_cast<double>(value)));
  while (root * root > value) {
    --root;
  }
  while ((root + 1) * (root + 1) <= value) {
    ++root;
  }
  return root;
}

}  // namespace

uint32_t calculate_min_free_kbytes(uint64_t lowmem_pages) {
  const uint64_t root = int_sqrt(lowmem_pages * kPageKb * 16);
  return static_cast<uint32_t>(std::clamp<uint64_t>(root, kMinFreeKbytesLow, kMinFreeKbytesHigh));
}

uint32_t khugepaged_min_free_kbytes(uint32_t min_free_kbytes, uint32_t populated_zones, uint64_t lowmem_pages) {
  // Two blocks a zone so that one is free while the other is being filled, and one for each pair of migrate types.
  uint64_t recommended = uint64_t{kPageblockFrames} * populated_zones * 2;
  recommended += uint64_t{kPageblockFrames} * populated_zones * kPcpTypes * kPcpTypes;
  recommended = std::min(recommended, lowmem_pages / 20) * kPageKb;
  return static_cast<uint32_t>(std::max<uint64_t>(min_free_kbytes, recommended));
}

Watermarks zone_watermarks(uint32_t managed, bool highmem, uint64_t lowmem_managed, const WatermarkSettings& settings) {
  const uint64_t pages_min = settings.min_free_kbytes / kPageKb;
  const uint64_t share = lowmem_managed == 0 ? 0 : pages_min * managed / lowmem_managed;
  Watermarks marks;
  // High memory is never needed by the kernel itself, so it keeps only a little for reclaim to work with.
  marks.min = highmem ? std::clamp(managed / 1024, kSwapClusterMax, kHighmemMinPages) : static_cast<uint32_t>(share);
  const auto step =
      static_cast<uint32_t>(std::max(share / 4, uint64_t{managed} * settings.watermark_scale_factor / 10000));
  marks.low = marks.min + step;
  marks.high = marks.low + step;
  return marks;
}

uint32_t min_free_kbytes_at_boot(std::span<const ZoneCounts> nodes) {
  uint64_t lowmem = 0;
  uint64_t total = 0;
  for (const ZoneCounts& managed : nodes) {
    lowmem += uint64_t{managed[index_of(ZoneType::kDma)]} + managed[index_of(ZoneType::kNormal)];
    total += std::accumulate(managed.begin(), managed.end(), uint64_t{0});
  }
  WatermarkSettings settings;
  settings.min_free_kbytes = calculate_min_free_kbytes(lowmem);
  if (total < kHugePagesFrom) {
    return settings.min_free_kbytes;
  }
  uint64_t above_high = 0;
  for (const ZoneCounts& managed : nodes) {
    for (const ZoneType type : {ZoneType::kDma, ZoneType::kNormal}) {
      const uint32_t pages = managed[index_of(type)];
      above_high += pages - std::min(pages, zone_watermarks(pages, false, lowmem, settings).high);
    }
  }
  return calculate_min_free_kbytes(above_high);
}

ZoneCounts lowmem_reserve(ZoneType zone, const ZoneCounts& managed, const WatermarkSettings& settings) {
  ZoneCounts reserve{};
  const uint32_t at = index_of(zone);
  const uint32_t ratio = settings.lowmem_reserve_ratio[at];
  if (ratio == 0 || managed[at] == 0) {
    return reserve;
  }
  uint64_t higher = 0;
  for (uint32_t upper = at + 1; upper < kZoneTypes; ++upper) {
    higher += managed[upper];
    reserve[upper] = static_cast<uint32_t>(higher / ratio);
  }
  return reserve;
}

uint32_t zone_batchsize(uint32_t managed) {
  const uint32_t quarter = std::max(std::min(managed >> 10, (1u << 20) >> kPageShift) / 4, 1u);
  return std::max(std::bit_floor(quarter + quarter / 2) - 1, 1u);
}

uint32_t zone_highsize(uint32_t low_watermark, uint32_t batch, uint32_t cpus) {
  return std::max(low_watermark / std::max(cpus, 1u), batch * 4);
}

}  // namespace fl::vm
