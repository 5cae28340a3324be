/* Thousands of random system calls, with arguments from nonsense to nearly valid, between random loads and stores.
 *
 *   fuzz_syscalls SEED COUNT [DIRECTORY]
 *
 * A guest can only hurt itself: whatever happens here, the emulator has to go on. The same seed makes the same calls.
 * Left out are calls that end the program or wait for ever; those that wait are cut short by a timer. Prints how far it
 * came; a call that took its code or its stack away may end it with a signal before that. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>
#include "support/guest.h"

enum { kArenaPages = 1024, kLastCall = 470 };

static unsigned state;
static char* arena;
static const char* directory = "/tmp";
static char alternate_stack[64 * 1024];

static unsigned next(void) {
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  return state;
}
static unsigned below(unsigned n) { return next() % n; }
static int one_in(unsigned n) { return below(n) == 0; }

/* ---- loads and stores that may fault: the handler goes on behind them ----------------------------------------- */

extern char touch_first[], touch_last[], touch_end[];
__asm__(
    ".text\n"
    "touch: movl 4(%esp), %eax\n\tmovl 8(%esp), %edx\n\ttestl %edx, %edx\n\tjz 1f\n"
    "touch_first: addl %edx, (%eax)\n\tjmp touch_end\n"
    "1:\n"
    "touch_last: movl (%eax), %eax\n"
    "touch_end: ret\n");
extern void touch(uintptr_t address, unsigned add);

static void on_signal(int sig, siginfo_t* info, void* context) {
  greg_t* eip = &((ucontext_t*)context)->uc_mcontext.gregs[REG_EIP];
  (void)info;
  if (*eip == (greg_t)touch_first || *eip == (greg_t)touch_last) {
    *eip = (greg_t)touch_end;
  } else if (sig == SIGSEGV || sig == SIGBUS || sig == SIGILL || sig == SIGFPE) {
    raw3(kSysExit, 99, 0, 0);
  }
}

/* Earlier calls may have changed handlers, mask, stack and timer. */
static void restore(void) {
  const sigset_t none = {{0}};
  const stack_t stack = {.ss_sp = alternate_stack, .ss_size = sizeof alternate_stack};
  const struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  /* Repeating, in case that the first one comes before the call begins to wait. */
  const struct itimerval soon = {{0, 500}, {0, 500}};
  for (int sig = 1; sig < 32; ++sig) {
    if (sig != SIGKILL && sig != SIGSTOP) sigaction(sig, &action, 0);
  }
  sigaltstack(&stack, 0);
  sigprocmask(SIG_SETMASK, &none, 0);
  setitimer(ITIMER_REAL, &soon, 0);
}

/* ---- arguments -------------------------------------------------------------------------------------------------- */

static uintptr_t in_arena(void) {
  const uintptr_t page = (uintptr_t)arena + below(kArenaPages) * PAGE;
  switch (below(4)) {
    case 0: return page;
    case 1: return page + PAGE - 1 - below(16);
    case 2: return page + below(PAGE);
    default: return page + 4 * below(PAGE / 4);
  }
}

static uintptr_t address(void) {
  static const uintptr_t edges[] = {0,          1,          4095,       4096,       0x10000,    0x08047fff, 0x3fffffff,
                                    0x7fffffff, 0x80000000, 0xbffff000, 0xbfffffff, 0xc0000000, 0xc0001000, 0xf0000000,
                                    0xffbff000, 0xffffe000, 0xfffff000, 0xfffffffc, 0xffffffff};
  switch (below(40)) {
    case 0: case 1: case 2: return edges[below(sizeof edges / sizeof *edges)];
    case 3: return next();
    case 4: return getauxval(AT_SYSINFO_EHDR) + below(2 * PAGE);
    case 5: return one_in(20) ? (uintptr_t)&on_signal : in_arena();
    case 6: return one_in(20) ? (uintptr_t)__builtin_frame_address(0) - below(4 * PAGE) : in_arena();
    default: return in_arena();
  }
}

static unsigned number(void) {
  switch (below(12)) {
    case 0: return 1u << below(32);
    case 1: return (1u << below(32)) - 1;
    case 2: return 0u - below(200);
    case 3: return next();
    case 4: return below(64) * PAGE;
    case 5: return 0;
    case 6: return 0x7ffff000 + below(0x2000);
    default: return below(64);
  }
}

/* Whole pages of the arena: address and length. A few odd ones among them would be the end of the program. */
static void range(uintptr_t* argument) {
  argument[0] = in_arena() & -PAGE;
  argument[1] = below(64) * PAGE;
}

static unsigned descriptor(void) { return one_in(8) ? number() : 3 + below(24); }

/* Strings, vectors and small numbers, so that calls get past their first check. */
static void fill_arena(void) {
  static const char* const paths[] = {
      "/", ".", "..", "", "/etc/passwd", "/proc/self/maps", "/proc/self/exe", "/proc/self/fd/3", "/proc/self/fd",
      "/dev/null", "/dev/zero", "/dev/urandom", "/proc/meminfo", "/no/such/file", "x", "a/b", "../../..", "/proc/self/mem",
      "/proc", "/sys", "/dev/tty"};
  for (int i = 0; i < 600; ++i) {
    char* p = (char*)in_arena();
    if (p + 300 > arena + kArenaPages * PAGE) continue;
    switch (below(6)) {
      case 0:
        strcpy(p, paths[below(sizeof paths / sizeof *paths)]);
        break;
      case 1:
        strcpy(p, directory);
        strcat(p, one_in(2) ? "/" : "/file");
        if (one_in(2)) strcat(p, (const char[]){(char)('a' + below(8)), 0});
        break;
      case 2:
        for (int j = 0; j < 16; ++j) ((unsigned*)p)[j] = one_in(2) ? address() : number();
        break;
      case 3:
        for (int j = 0; j < 4; ++j) ((struct iovec*)p)[j] = (struct iovec){(void*)address(), number()};
        break;
      case 4:
        for (int j = 0; j < 4; ++j) ((struct pollfd*)p)[j] = (struct pollfd){(int)descriptor(), (short)next(), 0};
        break;
      default:
        memset(p, one_in(2) ? 'x' : 0, 300);
    }
  }
}

static void make_arena(void) {
  mmap(arena, kArenaPages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  fill_arena();
  /* Some of it read-only, inaccessible, shared, or absent. */
  for (int i = 0; i < 24; ++i) {
    char* p = arena + below(kArenaPages - 8) * PAGE;
    const unsigned size = (1 + below(8)) * PAGE;
    switch (below(5)) {
      case 0: mprotect(p, size, PROT_READ); break;
      case 1: mprotect(p, size, PROT_NONE); break;
      case 2: munmap(p, size); break;
      case 3: mmap(p, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0); break;
      default: mmap(p, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, 3 + (int)below(8), 0);
    }
  }
}

static void open_files(void) {
  char path[256];
  for (int fd = 3; fd < 64; ++fd) close(fd);
  int ends[2];
  open("/proc/self/exe", O_RDONLY);
  open("/etc/passwd", O_RDONLY);
  open("/", O_RDONLY | O_DIRECTORY);
  open("/proc/self", O_RDONLY | O_DIRECTORY);
  open("/proc/self/maps", O_RDONLY);
  open("/dev/zero", O_RDWR);
  snprintf(path, sizeof path, "%s/file", directory);
  open(path, O_RDWR | O_CREAT, 0600);
  open(directory, O_RDONLY | O_DIRECTORY);
  if (memfd_create("memory", 0) >= 0 && pipe(ends) == 0) fcntl(ends[0], F_SETFL, O_NONBLOCK);
}

/* ---- calls ------------------------------------------------------------------------------------------------------ */

static int left_out(unsigned nr) {
  switch (nr) {
    case 1: case 252:            /* exit, exit_group */
    case 29: case 72: case 179:  /* pause, sigsuspend, rt_sigsuspend */
    case 119: case 173:          /* sigreturn, rt_sigreturn: end it at once */
    case 37: case 238: case 270: case 178: case 335: /* kill and its like: only with signal 0 and handled ones, below */
      return 1;
  }
  return 0;
}

/* fork, execve, clone, vfork, execveat, clone3: a child makes them, for who comes back from them is nobody's guess. */
static int makes_programs(unsigned nr) {
  return nr == 2 || nr == 11 || nr == 120 || nr == 190 || nr == 358 || nr == 435;
}

static void call_in_child(unsigned nr, const uintptr_t* a) {
  const pid_t child = fork();
  if (child == 0) {
    const struct rlimit second = {1, 1};
    setrlimit(RLIMIT_CPU, &second);
    raw6((long)nr, (long)a[0], (long)a[1], (long)a[2], (long)a[3], (long)a[4], (long)a[5]);
    raw3(kSysExit, 0, 0, 0);
  }
  /* The timer interrupts; whoever is left becomes an orphan and ends by itself. */
  for (int i = 0; i < 20 && waitpid(child, 0, 0) == -1; ++i) {}
  kill(child, SIGKILL);
  while (waitpid(-1, 0, WNOHANG) > 0) {}
}

/* Those that work most on memory and files, called more often than the others. */
static const unsigned short kFavourites[] = {
    3, 4, 45, 91, 125, 144, 145, 146, 150, 151, 163, 180, 181, 192, 192, 192, 218, 219, 219, 163, 125, 91,
    5, 6, 33, 41, 54, 55, 63, 85, 89, 93, 106, 140, 141, 142, 168, 174, 175, 183, 186, 187, 195, 197, 220, 221, 239,
    240, 243, 244, 250, 265, 295, 300, 305, 311, 324, 331, 333, 334, 340, 355, 356, 376, 377, 383, 386, 422, 436};

static void call(void) {
  unsigned nr = one_in(2) ? below(kLastCall) : kFavourites[below(sizeof kFavourites / sizeof *kFavourites)];
  if (one_in(500)) nr = number();
  if (left_out(nr)) return;
  uintptr_t a[6];
  for (int i = 0; i < 6; ++i) {
    switch (below(4)) {
      case 0: a[i] = number(); break;
      case 1: a[i] = i ? number() : descriptor(); break;
      default: a[i] = address();
    }
  }
  switch (nr) {
    case 91: case 125: case 144: case 163: case 219: case 218: case 150: case 151: case 376: /* munmap, mprotect, ... */
      if (!one_in(200)) range(a);
      if (nr == 163) {
        if (!one_in(10)) a[2] = below(64) * PAGE;
        a[3] = below(8);
        if (!one_in(100)) a[4] = in_arena() & -PAGE;
      } else if (!one_in(4)) {
        a[2] = nr == 219 ? below(26) : below(8);
      }
      break;
    case 192: /* mmap2 */
      if (!one_in(200)) range(a);
      if (!one_in(4)) {
        a[2] = below(8);
        a[3] = (1 + below(2)) | (one_in(2) ? MAP_ANONYMOUS : 0) | (one_in(2) ? MAP_FIXED : 0) | (one_in(4) ? next() : 0);
        a[4] = descriptor();
        a[5] = below(32);
      }
      break;
    case 324: case 187: case 239: case 313: case 315: case 377: /* would fill the host's disk */
      for (int i = 2; i < 6; ++i) a[i] &= nr == 324 || i > 2 ? 0x3ffff : ~0u;
      if (nr == 324) a[3] = a[5] = 0;
      break;
    case 45: /* brk */
      if (!one_in(10)) a[0] = (uintptr_t)sbrk(0) + below(64) * PAGE - 32 * PAGE;
      break;
    case 75: case 340: /* setrlimit, prlimit64: not to lose the program */
      if (one_in(10)) break;
      a[1] = 16 + below(4);
      break;
  }
  if (makes_programs(nr)) {
    call_in_child(nr, a);
    return;
  }
  const long result = raw6((long)nr, (long)a[0], (long)a[1], (long)a[2], (long)a[3], (long)a[4], (long)a[5]);
  if (getenv("FUZZ_LOG")) { /* for whoever hunts a failure */
    char line[160];
    raw3(kSysWrite, 2, (long)line, snprintf(line, sizeof line, "%u(%x %x %x %x %x %x) = %lx\n", nr, (unsigned)a[0],
         (unsigned)a[1], (unsigned)a[2], (unsigned)a[3], (unsigned)a[4], (unsigned)a[5], (unsigned long)result));
  }
}

int main(int argc, char** argv) {
  state = (argc > 1 ? (unsigned)strtoul(argv[1], 0, 10) : 1) * 2654435761u | 1;
  const unsigned long count = argc > 2 ? strtoul(argv[2], 0, 10) : 1000;
  if (argc > 3) directory = argv[3];
  /* Ranges that begin in it may end 64 pages above. */
  arena = mmap(0, (kArenaPages + 64) * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  unsigned long done = 0;
  for (; done < count; ++done) {
    if (done % 256 == 0) open_files();
    if (done % 64 == 0) make_arena();
    restore();
    call();
    for (unsigned n = below(4); n > 0; --n) {
      const uintptr_t place = address();
      touch(place, one_in(2) && place - (uintptr_t)arena < kArenaPages * PAGE ? next() : 0);
    }
  }
  char text[64];
  raw3(kSysWrite, 2, (long)text, snprintf(text, sizeof text, "\nfuzz_syscalls: %lu calls\n", done));
  return 0;
}
