// See fifo.hpp.
#include "guest/fs/fifo.hpp"

namespace fl::guest {

FifoEnd::FifoEnd(uint32_t flags, std::shared_ptr<LivePath> path, uint64_t inode, std::shared_ptr<PipeBuffer> ring)
    : PipeEnd(flags, std::move(path), inode, std::move(ring)) {
  const bool partner = readable() ? buffer().writers > 0 : buffer().readers > 0;
  waits_ = !partner && !nonblocking();
  partners_before_ = partner_openings();
  if (!partner && nonblocking()) {
    miss_no_writers();
  }
}

Result<std::shared_ptr<PipeBuffer>> open_ring(vm::MemorySystem& memory, uint32_t flags,
                                              std::weak_ptr<PipeBuffer>& known) {
  std::shared_ptr<PipeBuffer> ring = known.lock();
  if (ring == nullptr) {
    FL_TRY_ASSIGN(ring, make_pipe_buffer(memory));
    known = ring;
  }
  const bool only_writes = (flags & OpenFlag::kAccessMode) == OpenFlag::kWriteOnly;
  if (only_writes && (flags & OpenFlag::kNonBlock) != 0 && ring->readers == 0) {
    return fail(Errno::kENXIO);
  }
  return ring;
}

}  // namespace fl::guest
