// Writing back above the limits. See writeback.hpp.
#include "vm/cache/writeback.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "vm/memory_system.hpp"
#include "vm/reclaim/lru.hpp"

namespace fl::vm {
namespace {

constexpr uint64_t kLeast = 32;
// Linux: MAX_PAUSE.
constexpr uint64_t kMaxPauseNs = 200'000'000;

// Linux: global_dirtyable_memory, less what high memory and reserves keep out.
uint64_t dirtyable_pages(MemorySystem& memory) {
  uint64_t pages = memory.pages().nr_free_pages();
  for (const Node& node : memory.pages().nodes()) {
    pages += Lru::size(node, LruList::kInactiveFile) + Lru::size(node, LruList::kActiveFile);
  }
  return pages;
}

// Linux: wb_writeback.
void write_back_files(MemorySystem& memory, uint64_t until) {
  for (Mapping& mapping : memory.cache().mappings()) {
    if (memory.cache().dirty_pages() <= until) {
      return;
    }
    if (mapping.dirty_pages() == 0) {
      continue;
    }
    if (const auto written = mapping.write_back(0, UINT64_MAX); !written) {
      spdlog::warn("page cache: cannot write a file's pages back: {}", errno_name(written.error()));
    }
  }
}

}  // namespace

void balance_dirty_pages(MemorySystem& memory) {
  const uint64_t dirty = memory.cache().dirty_pages();
  const DirtyLimits& limits = memory.cache().dirty_limits;
  const uint64_t dirtyable = dirtyable_pages(memory);
  // Never so few that one instruction could not have what it stores to.
  const uint64_t background = std::max<uint64_t>(dirtyable * limits.background_ratio / 100, kLeast);
  if (dirty <= background) {
    return;
  }
  const uint64_t most = std::max(dirtyable * limits.ratio / 100, background);
  write_back_files(memory, background);
  // What the disk has not written yet counts as before.
  const uint64_t unwritten = memory.disk().backlog_pages();
  const uint64_t free_run = (background + most) / 2;
  if (const uint64_t all = memory.cache().dirty_pages() + unwritten; unwritten != 0 && all > free_run) {
    const uint64_t wait = memory.disk().backlog_ns() * std::min(all - free_run, unwritten) / unwritten;
    memory.disk().wait_until(memory.disk().now() + std::min(wait, kMaxPauseNs));
  }
}

}  // namespace fl::vm
