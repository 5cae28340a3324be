// HostFifo: an open FIFO whose name is in a directory of the host. Nothing of the host is opened: its bytes stay inside
// the machine. Linux counterpart: a FIFO on a network file system.
#pragma once

#include <utility>

#include "guest/fs/fifo.hpp"
#include "guest/fs/unique_fd.hpp"

namespace fl::guest {

class HostFifo final : public FifoEnd {
 public:
  // `node`: an O_PATH descriptor.
  HostFifo(uint32_t flags, std::shared_ptr<LivePath> path, UniqueFd node, uint64_t inode,
           std::shared_ptr<PipeBuffer> ring)
      : FifoEnd(flags, std::move(path), inode, std::move(ring)), node_(std::move(node)) {}
  Result<FileStat> stat() override { return stat_host_fd(node_.get()); }
  // Its mode is the host's; chmod(2) by name changes it.
  Status chmod(const Caller&, uint32_t) override { return fail(Errno::kEROFS); }

 private:
  UniqueFd node_;
};

}  // namespace fl::guest
