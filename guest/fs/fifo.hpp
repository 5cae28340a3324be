// FIFOs: pipes with a name in the tree. Linux counterpart: fifo_open (fs/pipe.c).
//
// The name belongs to a file system, of the host too (as on a network file system: the node is there, the pipe is
// here); the ring is the machine's and lives while somebody has the FIFO open. An open that waits for the other side
// counts as a reader or writer already: the open file exists, and open_waits() says so until a partner has come (and
// perhaps gone again).
#pragma once

#include <cstdint>
#include <memory>

#include "guest/fs/pipe.hpp"

namespace fl::guest {

class FifoEnd : public PipeEnd {
 public:
  FifoEnd(uint32_t flags, std::shared_ptr<LivePath> path, uint64_t inode, std::shared_ptr<PipeBuffer> ring);
  bool open_waits() const override { return waits_ && partner_openings() == partners_before_; }

 private:
  uint32_t partner_openings() const { return readable() ? buffer().writer_openings : buffer().reader_openings; }
  bool waits_;
  uint32_t partners_before_;
};

// The ring for an open with these flags, that of `known` if somebody has it. ENXIO: only to write, with O_NONBLOCK, and
// nobody reads; ENOMEM.
Result<std::shared_ptr<PipeBuffer>> open_ring(vm::MemorySystem& memory, uint32_t flags,
                                              std::weak_ptr<PipeBuffer>& known);

}  // namespace fl::guest
