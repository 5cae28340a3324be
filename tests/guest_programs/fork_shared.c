/* H1 and G through a fork: shared memory is copied without entries, so the child faults it in again, in windows where the
 * kind of memory has them; what one writes the other reads. Shared anonymous memory, a memory file, a file in /dev/shm, a
 * private mapping of shared pages. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/syscall.h>
#include "support/processes.h"

enum { kPages = 32, kMemfdCreate = 356 };

static char* map_file(int fd, int prot, int flags) {
  char* p = mmap(0, (kPages + 2) * PAGE, PROT_NONE, ANON, -1, 0);
  return mmap(p + PAGE, kPages * PAGE, prot, flags | MAP_FIXED, fd, 0);
}

static void see(const char* name, char* p) {
  put(name);
  put_line(" holds", p[3 * PAGE]);
}

int main(void) {
  phases_begin();
  const int memory = (int)raw3(kMemfdCreate, (long)"shared", 0, 0);
  char name[64] = "/dev/shm/faultline-";
  put_number(name + 19, (long)getpid());
  name[19] = 'f'; /* one name for every run: it is gone before the next */
  name[20] = 0;
  unlink(name);
  const int file = open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
  if (memory < 0 || ftruncate(memory, kPages * PAGE) != 0) put("no memory file\n");
  if (file < 0 || ftruncate(file, kPages * PAGE) != 0) put("no file in /dev/shm\n");
  char* anon = map_file(-1, RW, MAP_SHARED | MAP_ANONYMOUS);
  char* mem = map_file(memory, RW, MAP_SHARED);
  char* shm = map_file(file, RW, MAP_SHARED);
  char* priv = map_file(memory, RW, MAP_PRIVATE);
  write_pages(anon, 0, kPages / 2);
  write_pages(mem, 0, kPages / 2);
  write_pages(shm, 0, kPages / 2);
  read_pages(priv, 0, kPages / 2);

  if (child_does("child")) {
    PHASE("anon_read", read_pages(anon, 0, kPages / 2));
    PHASE("anon_write", write_pages(anon, 0, kPages));
    PHASE("mem_write", write_pages(mem, 0, kPages));
    PHASE("shm_read", read_pages(shm, 0, kPages));
    PHASE("shm_write", write_pages(shm, 0, kPages));
    PHASE("private_read", read_pages(priv, 0, kPages / 2));
    PHASE("private_write", write_pages(priv, 0, kPages));
    anon[3 * PAGE] = mem[3 * PAGE] = shm[3 * PAGE] = 77;
    CHILD("grandchild", PHASE("private_read", read_pages(priv, 0, kPages)); see("private", priv); see("anon", anon);
          PHASE("private_write", write_pages(priv, 0, kPages)));
    child_ends();
  }
  PHASE("anon_new_half", read_pages(anon, kPages / 2, kPages));
  PHASE("mem_new_half", read_pages(mem, kPages / 2, kPages));
  PHASE("shm_all", write_pages(shm, 0, kPages));
  see("anon", anon);
  see("mem", mem);
  see("private", priv);
  PHASE("private_read", read_pages(priv, 0, kPages));
  PHASE("private_write", write_pages(priv, 0, kPages));
  /* The child makes the file shorter: the parent's entries go. */
  CHILD("child truncates", if (ftruncate(memory, 8 * PAGE) != 0) put("no truncation\n"));
  if (ftruncate(memory, kPages * PAGE) != 0) put("no growth\n");
  PHASE("mem_after_truncation", read_pages(mem, 0, kPages));
  PHASE("private_after_truncation", read_pages(priv, 0, kPages));
  unlink(name);
  return phases_print();
}
