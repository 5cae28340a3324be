// The steps of a program's first process from our memory to its execve.
//
// The child shares our memory (CLONE_VM, and we wait: CLONE_VFORK): a fork would be charged for copy-on-write faults,
// which execve does not reset. What little it does before execve is measured there, to be subtracted.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

namespace fl::emu {

// What the child needs; it also answers through this.
struct ChildStart {
  char* const* argv;
  char* const* envp;
  const char* cwd;   // null: ours
  const char* root;  // null: ours; else the working directory is its "/"
  int in, out, err;
  int processor;  // the one to run on
  // The child's answers.
  int error = 0;  // why there is no program; 0: there is one
  struct rusage before {};
};

// The last processor that we may use: the first one has most of the interrupts.
int choose_processor();

// Returns when the program has begun or could not (`start.error`; the child is to be waited for in both cases). -1:
// there is no child, errno says why.
pid_t start_child(ChildStart& start);

}  // namespace fl::emu
