// What execve and execveat are given, still in the caller's memory. Linux counterpart: the arguments of
// do_execveat_common, struct user_arg_ptr.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "guest/fs/vfs.hpp"
#include "mmu/base/addr.hpp"
#include "mmu/base/result.hpp"

namespace fl::guest {

struct Task;

struct ExecCall {
  At at;                                     // where a relative path starts
  std::string path;                          // to be opened; empty: `file` is the program
  std::string name;                          // of the program for itself: AT_EXECFN, comm, what an interpreter is given
  std::shared_ptr<OpenFile> file = nullptr;  // of AT_EMPTY_PATH
  Follow follow = Follow::kYes;
  VirtAddr argv{}, envp{};  // arrays of pointers, 0: empty
};

// EBADF, ENOTDIR, EINVAL, ENOENT of the descriptor, the flags and an empty path. Linux: alloc_bprm.
Result<ExecCall> make_exec_call(const Task& task, int32_t dirfd, std::string path, VirtAddr argv, VirtAddr envp,
                                uint32_t flags);

}  // namespace fl::guest
