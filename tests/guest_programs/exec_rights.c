/* Rule C6 and no-execute of the 6.18-compat profile: which memory may be run, without a C library. Built three times:
 * with a plain PT_GNU_STACK, an executable one (changes only the stack), and none at all (READ_IMPLIES_EXEC: everything
 * readable runs, also memory mapped later). */
#include "support/guest.h"

enum { kSysMmap2 = 192, kSysMprotect = 125, kSysRtSigaction = 174, kSysBrk = 45 };

volatile uintptr_t resume_ip, resume_sp, resume_bp; /* named in the assembly */
static volatile int signal_code, signal_number, address_right;
static volatile uintptr_t target;

static void handler(int sig, const int* info, uint32_t* context) {
  signal_number = sig;
  signal_code = info[2];
  address_right = (uintptr_t)info[3] == target;
  context[5 + 14] = resume_ip;
  context[5 + 7] = resume_sp;
  context[5 + 6] = resume_bp;
}

static void try(const char* name, char* at, int prot) {
  static const unsigned char stub[] = {0xb8, 42, 0, 0, 0, 0xc3};
  for (unsigned i = 0; i < sizeof stub; ++i) at[i] = (char)stub[i];
  if (prot) raw3(kSysMprotect, (long)((uintptr_t)at & -PAGE), PAGE, prot);
  target = (uintptr_t)at;
  signal_number = 0;
  int value = 0;
  __asm__ volatile("movl $1f, resume_ip\n\tmovl %%esp, resume_sp\n\tmovl %%ebp, resume_bp\n\tcall *%1\n1:\tcld"
                   : "=a"(value)
                   : "r"(at)
                   : "ecx", "edx", "esi", "edi", "memory", "cc");
  put(name);
  if (!signal_number)
    put(value == 42 ? ": runs\n" : ": wrong value\n");
  else
    put(signal_number == 11 && signal_code == 2 && address_right ? ": SEGV_ACCERR\n" : ": another signal\n");
}

static char data_page[2 * PAGE] = {1};
static char bss_page[2 * PAGE];

static NOINLINE __attribute__((used)) int program(void) {
  struct {
    void* handler;
    unsigned long flags;
    void* restorer;
    unsigned mask[2];
  } action = {(void*)handler, 4 /* SA_SIGINFO */, 0, {0, 0}};
  raw6(kSysRtSigaction, 11, (long)&action, 0, 8, 0, 0);
  char on_stack[64];
  enum { kRead = 1, kWrite = 2, kExec = 4, kAnon = 0x22 };
  char* anon = (char*)raw6(kSysMmap2, 0, 4 * PAGE, kRead | kWrite, kAnon, -1, 0);
  char* heap = (char*)raw3(kSysBrk, 0, 0, 0);
  raw3(kSysBrk, (long)heap + 2 * PAGE, 0, 0);
  try("data", data_page + 100, 0);
  try("bss", bss_page + PAGE, 0);
  try("anonymous", anon, 0);
  try("heap", heap + PAGE, 0);
  try("stack", on_stack, 0);
  try("anonymous made read-only", anon + PAGE, kRead);
  try("anonymous made executable", anon + 2 * PAGE, kRead | kExec);
  raw3(kSysMprotect, (long)(anon + 2 * PAGE), PAGE, kRead | kWrite);
  try("anonymous made writable again", anon + 2 * PAGE, 0);
  try("anonymous made all three", anon + 3 * PAGE, kRead | kWrite | kExec);
  return 0;
}

__asm__(
    ".globl _start\n_start:\n\txorl %ebp, %ebp\n\tandl $-16, %esp\n\tcall program\n\t"
    "movl %eax, %ebx\n\tmovl $1, %eax\n\tint $0x80\n\thlt");
