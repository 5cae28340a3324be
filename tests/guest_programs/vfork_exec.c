/* H5: vfork and clone(CLONE_VM) copy nothing and protect nothing; what the child faults in before its exec is there for the
 * parent and charged to the child. The program starts itself again with the argument "again". */
#define _GNU_SOURCE
#include <sched.h>
#include <sys/syscall.h>
#include "support/processes.h"

enum { kPages = 16 };
static char* area;
static char stack[64 * 1024] __attribute__((aligned(4096)));

static int shares_memory(void* argument) {
  (void)argument;
  nap();
  write_pages(area, 0, kPages / 2);
  raw3(kSysExit, 0, 0, 0);
  return 0;
}

int main(int argc, char** argv) {
  if (argc > 1) {
    put("again\n");
    return 0;
  }
  phases_begin();
  area = map_apart(kPages);
  char* const again[] = {argv[0], "again", 0};
  char* const environment[] = {"B=2", 0};

  phase_start();
  pid_t pid = vfork();
  if (pid == 0) {
    write_pages(area, 0, kPages / 2);
    execve(argv[0], again, environment);
    _exit(127);
  }
  phase_end("vfork");
  wait_for(pid);
  add_phase("child", wait_usage[8], wait_usage[9]);
  PHASE("childs_pages", write_pages(area, 0, kPages / 2));
  PHASE("other_pages", write_pages(area, kPages / 2, kPages));

  area = map_apart(kPages);
  PHASE("read", read_pages(area, 0, kPages));
  phase_start();
  pid = vfork();
  if (pid == 0) {
    write_pages(area, 0, kPages);
    execve("/nonexistent", again, environment);
    _exit(3);
  }
  phase_end("vfork_without_exec");
  wait_for(pid);
  add_phase("child", wait_usage[8], wait_usage[9]);
  PHASE("read_again", read_pages(area, 0, kPages));
  PHASE("write_again", write_pages(area, 0, kPages));

  area = map_apart(kPages);
  phase_start();
  pid = clone(shares_memory, stack + sizeof stack, CLONE_VM | SIGCHLD, 0);
  phase_end("clone_vm");
  wait_for(pid);
  add_phase("child", wait_usage[8], wait_usage[9]);
  PHASE("childs_pages", write_pages(area, 0, kPages / 2));
  PHASE("other_pages", write_pages(area, kPages / 2, kPages));

  /* A vfork child that forks: the copy is of the shared memory, which is protected on the parent's behalf too. */
  phase_start();
  pid = vfork();
  if (pid == 0) {
    const pid_t grandchild = (pid_t)raw3(2, 0, 0, 0);
    if (grandchild == 0) {
      nap();
      write_pages(area, 0, kPages);
      raw3(kSysExit, 0, 0, 0);
    }
    wait_for(grandchild);
    raw3(kSysExit, 0, 0, 0);
  }
  phase_end("vfork_and_fork");
  wait_for(pid);
  add_phase("child", wait_usage[8], wait_usage[9]);
  PHASE("after_the_grandchild", write_pages(area, 0, kPages));
  return phases_print();
}
