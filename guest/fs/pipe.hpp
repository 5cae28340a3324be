// Pipes: up to 16 pages of bytes between the tasks of the guest. Linux counterpart: fs/pipe.c.
//
// A reader of an empty pipe with writers and a writer to a full one answer EAGAIN; the system call then sleeps on the
// wait queue. The pages are simulated memory. As on Linux a small write joins the last page only if it fits there
// whole, so a pipe can be full with less than 64 KiB in it. Simplified: no packets (O_DIRECT), no F_SETPIPE_SZ.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "guest/fs/open_file.hpp"
#include "guest/task/wait_queue.hpp"

namespace fl::guest {

inline constexpr uint32_t kPipePages = 16;  // Linux: PIPE_DEF_BUFFERS
inline constexpr uint32_t kPipeBytes = kPipePages << kPageShift;

struct PipeEnds {
  std::shared_ptr<OpenFile> reader;
  std::shared_ptr<OpenFile> writer;
};
// `flags`: O_NONBLOCK and O_DIRECT (answered, not obeyed). `inode` names it in /proc/PID/fd.
// ENFILE (as Linux says of the pipe itself), ENOMEM.
Result<PipeEnds> make_pipe(vm::MemorySystem& memory, uint32_t flags, uint64_t inode, std::shared_ptr<LivePath> path);

}  // namespace fl::guest
