// Rows of a time series. See sampler.hpp.
#include "emu/sample/sampler.hpp"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "vm/info/totals.hpp"
#include "vm/memory_system.hpp"
#include "vm/swap/swap_space.hpp"

namespace fl::emu {

using vm::LruList;
using vm::VmEvent;

HostResult<std::unique_ptr<Sampler>> Sampler::create(const std::string& path, uint64_t interval_ns) {
  auto file = OutputFile::create(path, "sample file");
  if (!file) {
    return tl::unexpected<HostError>(std::move(file).error());
  }
  return std::unique_ptr<Sampler>(new Sampler(std::move(*file), interval_ns));
}

Sampler::Sampler(std::unique_ptr<OutputFile> file, uint64_t interval_ns)
    : file_(std::move(file)), interval_ns_(interval_ns) {
  file_->append(
      "t,free_dma,free_normal,free_highmem,active_anon,inactive_anon,active_file,inactive_file,unevictable,swap_used,"
      "dirty,minor,major,scanned,stolen,swapped_in,swapped_out\n");
}

Sampler::Counts Sampler::counts_of(vm::MemorySystem& memory) {
  const auto& events = memory.pages().events();
  return {.minor = static_cast<int64_t>(memory.faults().minor),
          .major = static_cast<int64_t>(memory.faults().major),
          .scanned = events[VmEvent::kPgscanKswapd] + events[VmEvent::kPgscanDirect],
          .stolen = events[VmEvent::kPgstealKswapd] + events[VmEvent::kPgstealDirect],
          .swapped_in = events[VmEvent::kPswpin],
          .swapped_out = events[VmEvent::kPswpout]};
}

void Sampler::take(vm::MemorySystem& memory, uint64_t now_ns) {
  next_ns_ = (now_ns / interval_ns_ + 1) * interval_ns_;
  last_ns_ = now_ns;
  std::array<uint64_t, 3> free{};
  memory.pages().for_each_zone([&free](const vm::Zone& zone) {
    if (const size_t type = index_of(zone.type); type < free.size()) {
      free[type] += zone.free_pages();
    }
  });
  const auto lru = [&memory](LruList list) { return vm::lru_pages(memory, list); };
  const Counts now = counts_of(memory);
  const Counts before = std::exchange(before_, now);
  file_->append(fmt::format(
      "{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}\n", now_ns, free[0], free[1], free[2],
      lru(LruList::kActiveAnon), lru(LruList::kInactiveAnon), lru(LruList::kActiveFile), lru(LruList::kInactiveFile),
      lru(LruList::kUnevictable), memory.swap().total_swap_pages() - memory.swap().free_swap_pages(),
      memory.cache().dirty_pages(), now.minor - before.minor, now.major - before.major, now.scanned - before.scanned,
      now.stolen - before.stolen, now.swapped_in - before.swapped_in, now.swapped_out - before.swapped_out));
}

HostStatus Sampler::finish(vm::MemorySystem& memory, uint64_t now_ns) {
  if (now_ns != last_ns_) {
    take(memory, now_ns);
  }
  return file_->close();
}

}  // namespace fl::emu
