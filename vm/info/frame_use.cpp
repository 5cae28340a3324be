// One walk over mem_map. A block that is free, a slab or a compound page is marked on its first page only.
#include "vm/info/frame_use.hpp"

#include "vm/memory_system.hpp"

namespace fl::vm {
namespace {

// Counts the frame's use; how many frames from here on are used alike.
uint32_t count(const Page& page, FrameUse& use) {
  if (page.has(PageFlag::kBuddy)) {
    use.free += uint64_t{1} << page.private_;
    return 1u << page.private_;
  }
  if (page.has(PageFlag::kPcp)) {
    use.pcp += uint64_t{1} << page.private_;
    return 1u << page.private_;
  }
  if (page.has(PageFlag::kReserved)) {
    ++use.reserved;
  } else if (page.has(PageFlag::kTable)) {
    ++use.table;
  } else if (page.has(PageFlag::kAnon)) {
    ++use.anon;
  } else if (page.has(PageFlag::kCache)) {
    const bool shmem = page.has(PageFlag::kShmem);
    ++use.file;
    use.mapped += page.mapcount > 0 ? 1 : 0;
    use.shmem += shmem ? 1 : 0;
    use.dirty += !shmem && page.has(PageFlag::kDirty) ? 1 : 0;
  } else if (page.has(PageFlag::kSwapCache)) {
    ++use.swap_cache;
  } else if (page.has(PageFlag::kSlab)) {
    ++use.slab;
  } else {
    ++use.kernel;
  }
  use.mlocked += page.has(PageFlag::kMlocked) ? 1 : 0;
  return 1;
}

}  // namespace

FrameUse& FrameUse::operator+=(const FrameUse& other) {
  free += other.free;
  pcp += other.pcp;
  anon += other.anon;
  file += other.file;
  table += other.table;
  slab += other.slab;
  kernel += other.kernel;
  reserved += other.reserved;
  mapped += other.mapped;
  shmem += other.shmem;
  dirty += other.dirty;
  swap_cache += other.swap_cache;
  mlocked += other.mlocked;
  return *this;
}

FrameUse NodeUse::total() const {
  FrameUse sum;
  for (const FrameUse& zone : zones) {
    sum += zone;
  }
  return sum;
}

std::vector<NodeUse> count_frames(MemorySystem& memory) {
  std::vector<NodeUse> nodes(memory.pages().nodes().size());
  const MemMap& map = memory.mem_map();
  for (uint32_t frame = 0; frame < map.size();) {
    const Page& page = map[Pfn(frame)];
    frame += count(page, nodes[page.node()].zones[page.zone()]);
  }
  return nodes;
}

}  // namespace fl::vm
