/* Kernel addresses (0xC0000000 and above) in every kind of access: always SIGSEGV with the exact address, and EFAULT
 * from system calls. Natively under a 64-bit kernel these addresses are user space without a mapping, which must look
 * the same; so none of them lies where such a kernel puts mappings (0xF7000000) or the stack.
 *
 * With the argument "all" (under faultline only): reads and writes each page from 0xC0000000 up and counts the signals.
 */
#include "support/trap.h"

static jmp_buf back;
static unsigned signals;
static void count_handler(int sig, siginfo_t* info, void* context) {
  (void)info;
  (void)context;
  (void)sig;
  ++signals;
  siglongjmp(back, 1);
}

/* Probes every `step` bytes in [from, to]; returns how many accesses did not end in a signal. */
static void scan(uintptr_t from, uintptr_t to, uintptr_t step) {
  volatile unsigned passed = 0, probes = 0;
  struct sigaction action = {.sa_sigaction = count_handler, .sa_flags = SA_SIGINFO | SA_NODEFER};
  sigaction(SIGSEGV, &action, 0);
  for (volatile uintptr_t at = from;; at += step) {
    probes += 2;
    if (!sigsetjmp(back, 0)) {
      (void)read_byte((void*)at);
      ++passed;
    }
    if (!sigsetjmp(back, 0)) {
      write_byte((void*)at, 1);
      ++passed;
    }
    if (to - at < step) break;
  }
  printf("%u probes, %u signals, %u passed\n", probes, signals, passed);
}

int main(int argc, char** argv) {
  if (argc > 1 && strcmp(argv[1], "all") == 0) {
    scan(0xc0000000u, 0xfffff000u, PAGE);
    return 0;
  }
  trap_setup();
  static const unsigned addresses[] = {0xc0000000, 0xc0000ffc, 0xc0001000, 0xc0100004, 0xc1000000,
                                       0xc8000008, 0xcfff0000, 0xd0000000, 0xe0000000, 0xefffffff,
                                       0xf0000000, 0xf6fff000, 0xfffff000, 0xfffffff0};
  static char mine[64];
  for (unsigned i = 0; i < sizeof addresses / sizeof *addresses; ++i) {
    const unsigned at = addresses[i];
#define AT(name, insn) TRAP_WITH(name, at, mine, insn)
    AT("read", "movb (%%eax), %%cl");
    AT("write", "movb %%cl, (%%eax)");
    AT("add", "addb $1, (%%eax)");
    AT("cmpxchg", "movl %%eax, %%esi\n\tlock cmpxchgb %%cl, (%%esi)");
    AT("xchg", "xchgb %%cl, (%%eax)");
    AT("call", "call *%%eax");
    AT("jump", "jmp *%%eax");
    AT("return", "pushl %%eax\n\tret");
    AT("call through", "call *(%%eax)");
    AT("push from", "pushw (%%eax)");
    AT("segment load", "movw (%%eax), %%fs");
    AT("movs from", "movl %%eax, %%esi\n\tmovl %%edx, %%edi\n\tmovsb");
    AT("movs to", "movl %%edx, %%esi\n\tmovl %%eax, %%edi\n\tmovsb");
    AT("rep stos", "movl %%eax, %%edi\n\tmovl $4, %%ecx\n\trep stosb");
    AT("bt", "btl $0, (%%eax)");
    AT("x87 store", "fnstcw (%%eax)");
    AT("prefetch", "prefetcht0 (%%eax)");
  }
  TRAP_WITH("far pointer", 0xc0000010, 0, "lfsl (%%eax), %%ecx");
  TRAP_WITH("double", 0xc0000010, 0, "fldl (%%eax)");
  TRAP_WITH("sse load", 0xc0000010, 0, "movups (%%eax), %%xmm0");
  TRAP_WITH("sse store", 0xd0000010, 0, "movups %%xmm0, (%%eax)");
  TRAP_WITH("stack: push", 0xc0001000, 0, "movl %%eax, %%esp\n\tpushl $1");
  TRAP_WITH("stack: pop", 0xc0001000, 0, "movl %%eax, %%esp\n\tpopl %%ecx");
  TRAP_WITH("stack: call", 0xe0001000, 0, "movl %%eax, %%esp\n\tcall 772f");
  TRAP_WITH("stack: return", 0xe0001000, 0, "movl %%eax, %%esp\n\tret");
  TRAP_WITH("stack: enter", 0xe0001000, 0, "movl %%eax, %%esp\n\tenter $8, $0");
  TRAP_WITH("pop a segment", 0xe0001000, 0, "movl %%eax, %%esp\n\tpopl %%fs");
  TRAP_WITH("indirect far jump", 0xc0002000, 0, "ljmp *(%%eax)");
  /* A good segment selector loaded while the next access goes to kernel memory. */
  TRAP_WITH("good selector, then a read", 0xc0000000, 0, "movw %%ds, %%cx\n\tmovw %%cx, %%es\n\tmovl (%%eax), %%ecx");
  TRAP_WITH("good selector, then es:", 0xc0000000, 0,
            "movw %%ds, %%cx\n\tmovw %%cx, %%es\n\tmovl %%es:4(%%eax), %%ecx");

  /* A segment whose base is in the kernel: user_desc {entry, base, limit, flags: 32-bit, limit in pages, usable}. */
  unsigned desc[4] = {-1u, 0xc0000000u, 0xfffff, 0x51};
  if (raw3(243, (long)desc, 0, 0) == 0) {
    TRAP_WITH("read through a TLS segment", desc[0] * 8 + 3, 0, "movw %%ax, %%fs\n\tmovl %%fs:0x20, %%ecx");
    TRAP_WITH("write through a TLS segment", desc[0] * 8 + 3, 0, "movw %%ax, %%fs\n\tmovl %%ecx, %%fs:0x24");
    __asm__ volatile("movw %%ax, %%fs" : : "a"(0));
  } else {
    printf("set_thread_area failed\n");
  }

  static const struct {
    const char* name;
    int number;
    long a, b, c;
  } calls[] = {
      {"write from", 4, 1, 0xc0000000, 4},      {"read to", 3, 0, 0xc0000000, 0},
      {"open path", 5, 0xc0000000, 0, 0},       {"getrusage to", 77, 0, 0xc0000000, 0},
      {"uname to", 122, 0xd0000000, 0, 0},      {"write across", 4, 1, 0xc0000000 - 2, 4},
      {"getrandom to", 355, 0xe0000000, 16, 0}, {"clock_gettime to", 265, 1, 0xf0000000, 0},
  };
  for (unsigned i = 0; i < sizeof calls / sizeof *calls; ++i) {
    fflush(stdout);
    printf("%s: %ld\n", calls[i].name, raw3(calls[i].number, calls[i].a, calls[i].b, calls[i].c));
  }
  scan(0xc0000000u, 0xf6ff0000u, 0x10000);
  return 0;
}
