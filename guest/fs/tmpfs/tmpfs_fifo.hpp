// Opening a FIFO of a tmpfs. Linux counterpart: fifo_open (fs/pipe.c).
//
// The ring lives while somebody has the FIFO open. An open that waits for the other side counts as a reader or writer
// already: the open file exists, and open_waits() says so until a partner has come (and perhaps gone again).
#pragma once

#include <memory>

#include "guest/fs/pipe.hpp"
#include "guest/fs/tmpfs/tmpfs_inode.hpp"

namespace fl::guest {

// ENXIO: only to write, with O_NONBLOCK, and nobody reads; ENOMEM.
Result<std::shared_ptr<OpenFile>> open_fifo(vm::MemorySystem& memory, uint32_t flags, std::shared_ptr<LivePath> path,
                                            const std::shared_ptr<TmpfsInode>& inode);

}  // namespace fl::guest
