// From the firmware's map to allocated tables, and handing free memory over.
#include "vm/boot/boot_memory.hpp"

#include <algorithm>
#include <memory>
#include <new>
#include <vector>

#include "mmu/layout.hpp"
#include "vm/phys/page_allocator.hpp"

namespace fl::vm {
namespace {

// A machine that cannot hold its tables and a small program is refused.
constexpr uint32_t kMinFrames = 64;
constexpr uint64_t kImageAt = 1u << 20;
constexpr uint64_t kIsaHoleStart = 640u << 10;

constexpr uint64_t address_of(uint64_t pfn) { return pfn << kPageShift; }
constexpr uint64_t mib_of(uint64_t frames) { return address_of(frames) >> 20; }

// First frame of each kind of zone, and one past the last of the machine.
struct ZoneLimits {
  std::array<uint32_t, kZoneTypes + 1> at;
  ZoneLimits(uint32_t max_low_pfn, uint32_t max_pfn)
      : at{0, std::min(kMaxDmaPfn, max_low_pfn), max_low_pfn, max_pfn, max_pfn} {}
};

}  // namespace

Result<std::unique_ptr<BootMemory>> BootMemory::start(const mmu::Ram& ram, const BootOptions& options) {
  if (ram.frames() < kMinFrames || options.nodes == 0 || options.nodes > kMaxNodes) {
    return fail(Errno::kEINVAL);
  }
  auto boot = std::unique_ptr<BootMemory>(new BootMemory(ram, options));
  if (!boot->setup_memory() || !boot->setup_nodes() || !boot->setup_zones()) {
    return fail(Errno::kEINVAL);
  }
  return boot;
}

Status BootMemory::setup_memory() {
  e820_ = E820Map::of_ram(ram_.bytes());
  log_.add("BIOS-provided physical RAM map:");
  e820_.print(log_);
  // A frame number of 0 must never mean memory.
  e820_.reserve(0, kPageSize);
  log_.add("e820: update [mem 0x00000000-0x00000fff] usable ==> reserved");
  if (ram_.bytes() > kIsaHoleStart) {
    log_.add("e820: remove [mem 0x000a0000-0x000fffff] usable");
  }
  for (const E820Entry& entry : e820_.entries()) {
    const uint64_t start = page_align_up(entry.start);
    const uint64_t end = entry.end & ~uint64_t{kPageOffsetMask};
    if (entry.type == E820Type::kUsable && start < end) {
      FL_TRY(memblock_.add(start, end - start));
    }
  }
  max_pfn_ = e820_.end_of_ram_pfn();
  max_low_pfn_ = std::min(max_pfn_, ram_.low_frames());
  memblock_.set_current_limit(address_of(max_low_pfn_));
  memblock_.allow_resize();
  log_.add("last_pfn = {:#x} max_arch_pfn = 0x100000", max_pfn_);

  const bool above_hole = address_of(max_low_pfn_) >= kImageAt + address_of(KernelImage::kFrames);
  const Pfn image = above_hole ? PhysAddr(kImageAt).pfn() : Pfn(1);
  image_ = {.directory = image, .zero_page = image + 1};
  FL_TRY(memblock_.reserve(address_of(image.value()), address_of(KernelImage::kFrames)));

  log_.add("{}MB HIGHMEM available.", mib_of(max_pfn_ - max_low_pfn_));
  log_.add("{}MB LOWMEM available.", mib_of(max_low_pfn_));
  log_.add("  mapped low ram: 0 - {:08x}", address_of(max_low_pfn_));
  log_.add("  low ram: 0 - {:08x}", address_of(max_low_pfn_));
  return {};
}

Status BootMemory::setup_nodes() {
  // Whole page blocks each, if there are enough of them; the last node has the rest.
  const uint32_t share = max_pfn_ / options_.nodes;
  const uint32_t aligned = share >= kPageblockFrames ? share & ~(kPageblockFrames - 1) : share;
  for (uint32_t node = 1; node < options_.nodes; ++node) {
    const uint64_t start = address_of(uint64_t{node} * aligned);
    FL_TRY(memblock_.set_node(start, address_of(max_pfn_) - start, node));
  }
  FL_TRY_ASSIGN(const uint64_t map_at, memblock_.alloc(uint64_t{ram_.frames()} * sizeof(Page), kPageSize));
  mem_map_ = PhysAddr(static_cast<uint32_t>(map_at)).pfn();
  // No page of mem_map is shared with anything else.
  FL_TRY(memblock_.reserve(map_at, address_of(MemMap::frames_needed(ram_.frames()))));

  FL_TRY_ASSIGN(const uint64_t nodes_at, memblock_.alloc(options_.nodes * sizeof(Node)));
  auto* nodes = reinterpret_cast<Node*>(ram_.at(PhysAddr(static_cast<uint32_t>(nodes_at))));
  std::uninitialized_value_construct_n(nodes, options_.nodes);
  nodes_ = {nodes, options_.nodes};
  for (uint32_t id = 0; id < options_.nodes; ++id) {
    nodes_[id].id = id;
  }
  for_each_range([&](uint32_t first, uint32_t frames, uint32_t id) {
    Node& node = nodes_[id];
    node.start_pfn = node.present == 0 ? first : node.start_pfn;
    node.spanned = first + frames - node.start_pfn;
    node.present += frames;
  });
  // A node without memory is of no use here: the machine is too small to be split so often.
  const bool all_have_memory = std::all_of(nodes_.begin(), nodes_.end(), [](const Node& n) { return n.present != 0; });
  return all_have_memory ? Status() : fail(Errno::kEINVAL);
}

Status BootMemory::setup_zones() {
  const ZoneLimits limits(max_low_pfn_, max_pfn_);
  for (Node& node : nodes_) {
    for (uint32_t type = 0; type < kZoneTypes; ++type) {
      Zone& zone = node.zones[type];
      zone.type = static_cast<ZoneType>(type);
      zone.node = node.id;
      const uint32_t end = node.start_pfn + node.spanned;
      const uint32_t first = std::clamp(limits.at[type], node.start_pfn, end);
      const uint32_t last = std::clamp(limits.at[type + 1], node.start_pfn, end);
      for_each_range([&](uint32_t range, uint32_t frames, uint32_t id) {
        if (id == node.id) {
          const uint32_t from = std::clamp(range, first, last);
          zone.present += std::clamp(range + frames, first, last) - from;
        }
      });
      zone.start_pfn = zone.present != 0 ? first : 0;
      zone.spanned = zone.present != 0 ? last - first : 0;
      if (const uint32_t blocks = Zone::pageblocks_of(zone.start_pfn, zone.spanned); blocks != 0) {
        FL_TRY_ASSIGN(const uint64_t at, memblock_.alloc(blocks * sizeof(MigrateType)));
        auto* types = reinterpret_cast<MigrateType*>(ram_.at(PhysAddr(static_cast<uint32_t>(at))));
        std::uninitialized_fill_n(types, blocks, MigrateType::kMovable);
        zone.pageblocks = {types, blocks};
      }
    }
  }
  print_zones();
  return {};
}

void BootMemory::print_zones() {
  const ZoneLimits limits(max_low_pfn_, max_pfn_);
  log_.add("Zone ranges:");
  for (uint32_t type = 0; type <= index_of(ZoneType::kHighmem); ++type) {
    const uint64_t from = address_of(std::max(limits.at[type], 1u));
    const uint64_t to = address_of(limits.at[type + 1]);
    if (from < to) {
      log_.add("  {:<8} [mem {:#018x}-{:#018x}]", kZoneNames[type], from, to - 1);
    } else {
      log_.add("  {:<8} empty", kZoneNames[type]);
    }
  }
  log_.add("Movable zone start for each node");
  log_.add("Early memory node ranges");
  for_each_range([&](uint32_t first, uint32_t frames, uint32_t node) {
    log_.add("  node {:3}: [mem {:#018x}-{:#018x}]", node, address_of(first), address_of(first + frames) - 1);
  });
  for (const Node& node : nodes_) {
    log_.add("Initmem setup node {} [mem {:#018x}-{:#018x}]", node.id, address_of(node.start_pfn),
             address_of(node.start_pfn + node.spanned) - 1);
  }
}

Pfn BootMemory::early_table() {
  const Result<uint64_t> at = memblock_.alloc(kPageSize, kPageSize);
  FL_CHECK(at.has_value(), "no low memory for the kernel's page tables");
  return PhysAddr(static_cast<uint32_t>(*at)).pfn();
}

void BootMemory::init_mem_map(MemMap& map) {
  const ZoneLimits limits(max_low_pfn_, max_pfn_);
  uint32_t hole = 0;  // where the last range ended
  const auto place = [&](uint32_t first, uint32_t end, uint32_t node) {
    for (uint32_t pfn = first; pfn < end; ++pfn) {
      uint32_t zone = index_of(ZoneType::kHighmem);
      while (zone > 0 && pfn < limits.at[zone]) {
        --zone;
      }
      Page& page = map[Pfn(pfn)];
      page.set_place(node, zone);
      page.set(PageFlag::kReserved);
      page.refcount = 1;
      page.lru_next = kNoPage;
      page.lru_prev = kNoPage;
    }
  };
  for_each_range([&](uint32_t first, uint32_t frames, uint32_t node) {
    place(hole, first + frames, node);
    if (first > hole) {
      log_.add("On node {}, zone {}: {} pages in unavailable ranges", node, kZoneNames[map[Pfn(first)].zone()],
               first - hole);
    }
    hole = first + frames;
  });
  place(hole, map.size(), options_.nodes - 1);
}

void BootMemory::hand_over(MemMap& map, PageAllocator& pages) {
  struct Range {
    uint32_t first;
    uint32_t frames;
  };
  std::vector<Range> ranges;
  uint32_t total = 0;
  memblock_.for_each_free(kAnyNode, [&](uint64_t start, uint64_t end) {
    const auto first = static_cast<uint32_t>(pages_for(start));
    const auto last = static_cast<uint32_t>(end >> kPageShift);
    if (first < last) {
      ranges.push_back({first, last - first});
      total += last - first;
    }
  });
  pages.start_boot(total);
  for (const Range& range : ranges) {
    for (uint32_t pfn = range.first; pfn < range.first + range.frames; ++pfn) {
      map[Pfn(pfn)].clear(PageFlag::kReserved);
      map[Pfn(pfn)].refcount = 0;
    }
    pages.add_free_range(Pfn(range.first), range.frames);
  }
  pages.finish_boot(options_.min_free_kbytes);
  print_handed_over(pages);
}

void BootMemory::print_handed_over(const PageAllocator& pages) {
  constexpr uint32_t kPageKb = kPageSize >> 10;
  uint32_t present = 0;
  uint32_t highmem = 0;
  pages.for_each_zone([&](const Zone& zone) {
    present += zone.present;
    highmem += zone.type == ZoneType::kHighmem ? zone.managed : 0;
  });
  log_.add("Built {} zonelists, mobility grouping {}.  Total pages: {}", nodes_.size(),
           pages.buddy().mobility_grouping() ? "on" : "off", pages.managed_frames());
  if (nodes_.size() > 1) {
    log_.add("Policy zone: {}", kZoneNames[index_of(highmem != 0 ? ZoneType::kHighmem : ZoneType::kNormal)]);
  }
  log_.add("Memory: {}K/{}K available ({}K kernel data, {}K reserved, 0K cma-reserved, {}K highmem)",
           pages.free_frames() * kPageKb, present * kPageKb, KernelImage::kFrames * kPageKb,
           (present - pages.managed_frames()) * kPageKb, highmem * kPageKb);
  pages.for_each_zone([&](const Zone& zone) {
    if (zone.managed == 0) {
      return;
    }
    log_.add("Node {} {} free:{}kB boost:0kB min:{}kB low:{}kB high:{}kB present:{}kB managed:{}kB", zone.node,
             zone.name(), zone.free_pages() * kPageKb, zone.watermark.min * kPageKb, zone.watermark.low * kPageKb,
             zone.watermark.high * kPageKb, zone.present * kPageKb, zone.managed * kPageKb);
    log_.add("lowmem_reserve[]: {} {} {} {}", zone.lowmem_reserve[0], zone.lowmem_reserve[1], zone.lowmem_reserve[2],
             zone.lowmem_reserve[3]);
  });
}

}  // namespace fl::vm
