/* I2: each call writes its small result to a page of its own that nothing has touched: one kernel write fault. Pointers
 * that a call only reads: one kernel read fault. */
#define _GNU_SOURCE
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>
#include "support/guest.h"

static char* p;
static void* next(void) { return p += 2 * PAGE; }

int main(void) {
  p = mmap(0, 128 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  raw3(265, CLOCK_MONOTONIC, (long)next(), 0); /* clock_gettime */
  raw3(78, (long)next(), (long)next(), 0);     /* gettimeofday */
  raw3(kSysGetrusage, 0, (long)next(), 0);
  raw3(122, (long)next(), 0, 0);                  /* newuname */
  raw3(195, (long)"/", (long)next(), 0);          /* stat64 */
  raw3(197, 1, (long)next(), 0);                  /* fstat64 */
  raw3(268, (long)"/", 84, (long)next());         /* statfs64 */
  raw3(116, (long)next(), 0, 0);                  /* sysinfo */
  raw3(43, (long)next(), 0, 0);                   /* times */
  raw3(76, 3, (long)next(), 0);                   /* getrlimit */
  raw6(340, 0, 3, 0, (long)next(), 0, 0);         /* prlimit64 */
  raw6(174, SIGUSR1, 0, (long)next(), 8, 0, 0);   /* rt_sigaction: old */
  raw6(174, SIGUSR1, (long)next(), 0, 8, 0, 0);   /* rt_sigaction: new, zeros */
  raw6(175, SIG_BLOCK, 0, (long)next(), 8, 0, 0); /* rt_sigprocmask: old */
  raw6(175, SIG_BLOCK, (long)next(), (long)next(), 8, 0, 0);
  raw6(176, (long)next(), 8, 0, 0, 0, 0);              /* rt_sigpending */
  raw3(186, 0, (long)next(), 0);                       /* sigaltstack: old */
  raw3(42, (long)next(), 0, 0);                        /* pipe */
  raw3(183, (long)next(), PAGE, 0);                    /* getcwd */
  raw3(168, (long)next(), 1, 0);                       /* poll one descriptor 0 */
  raw6(142, 1, (long)next(), 0, 0, (long)next(), 0);   /* select nothing, wait 0 s */
  raw3(162, (long)next(), (long)next(), 0);            /* nanosleep 0 s */
  raw3(105, 0, (long)next(), 0);                       /* getitimer */
  raw3(104, 0, (long)next(), (long)next());            /* setitimer */
  raw3(165, (long)next(), (long)next(), (long)next()); /* getresuid: 16 bits */
  raw3(242, 0, 4, (long)next());                       /* sched_getaffinity */
  raw3(155, 0, (long)next(), 0);                       /* sched_getparam */
  raw3(266, CLOCK_MONOTONIC, (long)next(), 0);         /* clock_getres */
  raw3(85, (long)"/proc/self/exe", (long)next(), 4);   /* readlink */
  raw3(355, (long)next(), 16, 0);                      /* getrandom */
  raw3(13, (long)next(), 0, 0);                        /* time */
  raw3(54, 0, 0x541b, (long)next());                   /* ioctl FIONREAD of /dev/null: ENOTTY */
  put("done\n");
  return 0;
}
