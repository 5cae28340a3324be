// Pipes: 64 KiB of bytes between the tasks of the guest. Linux counterpart: fs/pipe.c.
//
// A reader of an empty pipe with writers and a writer to a full one answer EAGAIN; the system call then sleeps on the
// wait queue. Simplified: the buffer counts bytes, not pages, so many small writes fit into a pipe where Linux's would
// be full.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "guest/fs/open_file.hpp"
#include "guest/fs/wait_queue.hpp"

namespace fl::guest {

inline constexpr uint32_t kPipeBytes = 64 << 10;
inline constexpr uint32_t kPipeAtomicBytes = kPageSize;  // PIPE_BUF

class PipeBuffer;

struct PipeEnds {
  std::shared_ptr<OpenFile> reader;
  std::shared_ptr<OpenFile> writer;
};
// `flags`: O_NONBLOCK and O_DIRECT (answered, not obeyed). `inode` names it in /proc/PID/fd.
PipeEnds make_pipe(uint32_t flags, uint64_t inode, std::shared_ptr<LivePath> path);

}  // namespace fl::guest
