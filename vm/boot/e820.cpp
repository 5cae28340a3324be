// The map of a PC with a given amount of RAM, and cutting pieces out of it.
#include "vm/boot/e820.hpp"

#include <algorithm>

#include "mmu/base/addr.hpp"

namespace fl::vm {
namespace {

constexpr uint64_t kBiosDataStart = 639u << 10;
constexpr uint64_t kHoleStart = 640u << 10;
constexpr uint64_t kBiosRomStart = 960u << 10;
constexpr uint64_t kHoleEnd = 1024u << 10;

}  // namespace

std::string_view e820_type_name(E820Type type) { return type == E820Type::kUsable ? "usable" : "reserved"; }

E820Map E820Map::of_ram(uint64_t bytes) {
  E820Map map;
  if (bytes < kHoleStart) {
    map.entries_ = {{0, bytes, E820Type::kUsable}};
    return map;
  }
  map.entries_ = {{0, kBiosDataStart, E820Type::kUsable},
                  {kBiosDataStart, kHoleStart, E820Type::kReserved},
                  {kBiosRomStart, kHoleEnd, E820Type::kReserved}};
  if (bytes > kHoleEnd) {
    map.entries_.push_back({kHoleEnd, bytes, E820Type::kUsable});
  }
  return map;
}

void E820Map::reserve(uint64_t start, uint64_t end) {
  std::vector<E820Entry> result;
  for (const E820Entry& entry : entries_) {
    const uint64_t from = std::max(start, entry.start);
    const uint64_t to = std::min(end, entry.end);
    if (entry.type == E820Type::kReserved || from >= to) {
      result.push_back(entry);
      continue;
    }
    if (entry.start < from) {
      result.push_back({entry.start, from, E820Type::kUsable});
    }
    result.push_back({from, to, E820Type::kReserved});
    if (to < entry.end) {
      result.push_back({to, entry.end, E820Type::kUsable});
    }
  }
  entries_ = std::move(result);
}

uint32_t E820Map::end_of_ram_pfn() const {
  uint32_t end = 0;
  for (const E820Entry& entry : entries_) {
    if (entry.type == E820Type::kUsable) {
      end = std::max(end, static_cast<uint32_t>(entry.end >> kPageShift));
    }
  }
  return end;
}

void E820Map::print(BootLog& log) const {
  for (const E820Entry& entry : entries_) {
    log.add("BIOS-e820: [mem {:#018x}-{:#018x}] {}", entry.start, entry.end - 1, e820_type_name(entry.type));
  }
}

}  // namespace fl::vm
