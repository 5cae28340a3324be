// PipeBuffer: the ring of a pipe or FIFO. Linux counterparts: struct pipe_inode_info, pipe_write, pipe_read,
// pipe_set_size (fs/pipe.c).
//
// The pages are simulated memory, taken when they are written and given back when they are read; the ring itself is
// kmalloc'd. As on Linux a small write joins the last page only if it fits there whole, so a pipe can be full with less
// in it than it has bytes.
#pragma once

#include <cstdint>

#include "guest/fs/file_stat.hpp"
#include "guest/fs/io_buffer.hpp"
#include "guest/task/wait_queue.hpp"
#include "vm/memory_system.hpp"
#include "vm/slab/stl_allocator.hpp"

namespace fl::guest {

inline constexpr uint32_t kPipePages = 16;  // Linux: PIPE_DEF_BUFFERS

class PipeBuffer {
 public:
  // Throws std::bad_alloc, as allocate_shared's callers expect.
  explicit PipeBuffer(vm::MemorySystem& memory);
  PipeBuffer(const PipeBuffer&) = delete;
  PipeBuffer& operator=(const PipeBuffer&) = delete;
  ~PipeBuffer();

  uint32_t used() const { return used_; }
  uint32_t capacity_pages() const { return static_cast<uint32_t>(slots_.size()); }
  bool full() const { return count_ == slots_.size(); }
  // Whether some of a write of so many bytes goes in, if it is small all of it.
  bool accepts(uint32_t bytes) const { return !full() || merges(bytes & kPageOffsetMask); }

  // How much went in. ENOMEM only if nothing did.
  Result<uint32_t> fill(IoBuffer& from);
  uint32_t drain(IoBuffer& to);
  // From now on so many pages. EBUSY: there are more in it; ENOMEM. Linux: pipe_resize_ring.
  Status resize(uint32_t pages);

  uint32_t readers = 0, writers = 0;                  // open ends
  uint32_t reader_openings = 0, writer_openings = 0;  // ever. Linux: r_counter, w_counter
  WaitQueue waiting;
  uint32_t mode = FileMode::kFifo | 0600;

 private:
  // Linux: struct pipe_buffer.
  struct Slot {
    Pfn page{};
    uint32_t offset = 0;
    uint32_t length = 0;
  };
  Slot& slot(uint32_t index) { return slots_[(first_ + index) % slots_.size()]; }
  const Slot& slot(uint32_t index) const { return slots_[(first_ + index) % slots_.size()]; }
  Slot& last() { return slot(count_ - 1); }
  bool merges(uint32_t bytes) const;
  uint32_t append(Slot& slot, IoBuffer& from, uint32_t bytes);
  void release_first();

  vm::MemorySystem& memory_;
  vm::SlabVector<Slot> slots_;
  uint32_t first_ = 0, count_ = 0;
  uint32_t used_ = 0;
};

}  // namespace fl::guest
