/* `sysenter` and `syscall` in a program, with the stack laid out as __kernel_vsyscall lays it out. Real CPUs differ:
 * Intel has only the former in 32-bit code, AMD only the latter under a 64-bit kernel. So each must either make the
 * system call and return through the vDSO, or raise SIGILL at the instruction; nothing else, and above all not go on.
 */
#include "support/trap.h"

static void judge(const char* name, long result, int came_back) {
  const int illegal = trap_signals && trap_info.si_signo == SIGILL && trap_info.si_code == ILL_ILLOPN &&
                      (uintptr_t)trap_info.si_addr == (uintptr_t)trap_regs[REG_EIP];
  const int works = !trap_signals && came_back && result == raw3(20, 0, 0, 0);
  printf("%s: %s\n", name, illegal || works ? "works or SIGILL" : "wrong");
}

#define FAST_CALL(name, insn)                                                                                         \
  do {                                                                                                                \
    trap_signals = 0;                                                                                                 \
    long result_ = 20, back_ = 0; /* getpid */                                                                        \
    __asm__ volatile(                                                                                                 \
        "movl $772f, %[resume]\n\tmovl %%ebp, %[bp]\n\tmovl %%esp, %[sp]\n\t"                                         \
        "call 770f\n\tmovl $1, %[back]\n\tjmp 772f\n"                                                                 \
        "770:\tpushl %%ecx\n\tpushl %%edx\n\tpushl %%ebp\n\t" insn                                                    \
        "\n\tud2\n"                                                                                                   \
        "772:\tmovl %[sp], %%esp\n\tmovl %[bp], %%ebp\n\tmovl $0, %[resume]"                                          \
        : [resume] "=m"(trap_resume), [sp] "=m"(trap_sp), [bp] "=m"(trap_bp), [back] "=m"(back_static), "+a"(result_) \
        :                                                                                                             \
        : "ebx", "ecx", "edx", "esi", "edi", "memory", "cc");                                                         \
    back_ = back_static;                                                                                              \
    back_static = 0;                                                                                                  \
    judge(name, result_, (int)back_);                                                                                 \
  } while (0)

int main(void) {
  static volatile long back_static;
  trap_setup();
  /* sysenter wants the user stack in ebp; syscall takes the second argument there, its own ecx being lost. */
  FAST_CALL("sysenter", "movl %%esp, %%ebp\n\tsysenter");
  FAST_CALL("syscall", "movl %%ecx, %%ebp\n\tsyscall");
  fflush(stdout);
  return 0;
}
