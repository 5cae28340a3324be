// Sampler: how memory was used in the course of time, as CSV: a row at the first chance at or after each multiple of
// the interval. While nobody runs there are no rows: what time passed in a sleep shows in the next row's t.
//
//   t                                       virtual time, ns
//   free_dma, free_normal, free_highmem     free pages by zone, of all nodes
//   active_anon ... unevictable             pages on the LRU lists
//   swap_used, dirty                        pages in swap; of files, to be written back
//   minor, major, scanned, stolen,          since the row before: faults; pages that reclaim looked at and freed;
//   swapped_in, swapped_out                 pages from and to swap
// Linux counterparts: sar -B -r -S, /proc/vmstat.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "emu/base/host_error.hpp"
#include "emu/base/output_file.hpp"

namespace fl::vm {
class MemorySystem;
}

namespace fl::emu {

class Sampler {
 public:
  static HostResult<std::unique_ptr<Sampler>> create(const std::string& path, uint64_t interval_ns);

  bool due(uint64_t now_ns) const { return now_ns >= next_ns_; }
  void take(vm::MemorySystem& memory, uint64_t now_ns);

  // The program has started.
  void begin() { file_->begin(); }
  // The last row, unless one was just taken, and the end. The first error, if any write failed.
  HostStatus finish(vm::MemorySystem& memory, uint64_t now_ns);
  bool failed() const { return file_->failed(); }

 private:
  // Counted from the start.
  struct Counts {
    int64_t minor = 0, major = 0, scanned = 0, stolen = 0, swapped_in = 0, swapped_out = 0;
  };
  Sampler(std::unique_ptr<OutputFile> file, uint64_t interval_ns);
  static Counts counts_of(vm::MemorySystem& memory);

  std::unique_ptr<OutputFile> file_;
  const uint64_t interval_ns_;
  uint64_t next_ns_ = 0;
  uint64_t last_ns_ = UINT64_MAX;
  Counts before_;
};

}  // namespace fl::emu
