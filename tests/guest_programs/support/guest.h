/* Support for the guest programs: raw system calls, single memory accesses, and counting of page faults by phase.
 *
 * A phase is a piece of work between phase_start() and phase_end(name); the difference of getrusage's fault counts is
 * kept in a table and printed last, because printing itself faults. phases_begin() first touches every page of the
 * program's own image and 64 KiB of stack, so that the numbers depend only on what the phase does and not on where the
 * toolchain put the code: they are the same for glibc, musl and every compiler version.
 *
 * Output, one line a phase: NAME MINOR MAJOR. Everything is static inline or static: each program is one file.
 */
#pragma once
#include <elf.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE 4096u
#define NOINLINE __attribute__((noinline))

/* ---- raw system calls: int $0x80, never through the vDSO, no errno ------------------------------------------- */

static inline long raw6(long nr, long a, long b, long c, long d, long e, long f) {
  long result;
  /* ebp and ebx by hand: the compiler may use either as a base register. */
  long args[7] = {nr, a, b, c, d, e, f};
  __asm__ volatile(
      "pushl %%ebp\n\tpushl %%ebx\n\t"
      "movl %1, %%eax\n\t"
      "movl 4(%%eax), %%ebx\n\tmovl 8(%%eax), %%ecx\n\tmovl 12(%%eax), %%edx\n\t"
      "movl 16(%%eax), %%esi\n\tmovl 20(%%eax), %%edi\n\tmovl 24(%%eax), %%ebp\n\t"
      "movl (%%eax), %%eax\n\tint $0x80\n\t"
      "popl %%ebx\n\tpopl %%ebp"
      : "=a"(result)
      : "a"(args)
      : "ecx", "edx", "esi", "edi", "memory", "cc");
  return result;
}
static inline long raw3(long nr, long a, long b, long c) { return raw6(nr, a, b, c, 0, 0, 0); }

enum { kSysExit = 1, kSysRead = 3, kSysWrite = 4, kSysGetrusage = 77 };

/* ---- single accesses that the compiler neither drops nor merges ---------------------------------------------- */

static inline unsigned char read_byte(const void* p) {
  unsigned char v;
  __asm__ volatile("movb (%1), %0" : "=q"(v) : "r"(p) : "memory");
  return v;
}
static inline void write_byte(void* p, unsigned char v) {
  __asm__ volatile("movb %0, (%1)" : : "q"(v), "r"(p) : "memory");
}
static inline void read_pages(const void* p, unsigned from, unsigned to) {
  for (unsigned i = from; i < to; ++i) (void)read_byte((const char*)p + i * PAGE);
}
static inline void write_pages(void* p, unsigned from, unsigned to) {
  for (unsigned i = from; i < to; ++i) write_byte((char*)p + i * PAGE, (unsigned char)(i + 1));
}

/* ---- counting by phase ---------------------------------------------------------------------------------------- */

struct phase {
  const char* name;
  long minor, major;
};
static struct phase phase_table[160];
static int phase_count;
static long phase_rusage[18]; /* struct rusage of i386: ru_minflt and ru_majflt are words 8 and 9 */
static long phase_minor, phase_major;

static inline void phase_start(void) {
  raw3(kSysGetrusage, 0, (long)phase_rusage, 0);
  phase_minor = phase_rusage[8];
  phase_major = phase_rusage[9];
}

static inline void phase_end(const char* name) {
  raw3(kSysGetrusage, 0, (long)phase_rusage, 0);
  if (phase_count == (int)(sizeof phase_table / sizeof phase_table[0])) __builtin_trap();
  struct phase* p = &phase_table[phase_count++];
  p->name = name;
  p->minor = phase_rusage[8] - phase_minor;
  p->major = phase_rusage[9] - phase_major;
}

extern const Elf32_Ehdr __ehdr_start __attribute__((weak, visibility("hidden")));

extern unsigned long getauxval(unsigned long);

/* Reads every page of every segment, writes every page of writable ones except RELRO, and 16 pages of stack; reads the
 * first page of the vDSO, through which libc makes its system calls. */
static NOINLINE __attribute__((unused)) void phases_begin(void) {
  const char* image = (const char*)&__ehdr_start;
  const Elf32_Phdr* ph = (const Elf32_Phdr*)(image + __ehdr_start.e_phoff);
  const uintptr_t bias = __ehdr_start.e_type == ET_DYN ? (uintptr_t)image : 0;
  uintptr_t relro_from = 1, relro_to = 0;
  for (int i = 0; i < __ehdr_start.e_phnum; ++i) {
    if (ph[i].p_type == PT_GNU_RELRO) {
      relro_from = (bias + ph[i].p_vaddr) & -PAGE;
      relro_to = (bias + ph[i].p_vaddr + ph[i].p_memsz) & -PAGE;
    }
  }
  for (int i = 0; i < __ehdr_start.e_phnum; ++i) {
    if (ph[i].p_type != PT_LOAD) continue;
    const uintptr_t from = (bias + ph[i].p_vaddr) & -PAGE, to = bias + ph[i].p_vaddr + ph[i].p_memsz;
    for (uintptr_t page = from; page < to; page += PAGE) {
      const unsigned char v = read_byte((const void*)page);
      if ((ph[i].p_flags & PF_W) && !(page >= relro_from && page < relro_to)) write_byte((void*)page, v);
    }
  }
  if (getauxval(AT_SYSINFO_EHDR)) (void)read_byte((const void*)getauxval(AT_SYSINFO_EHDR));
  char stack[16 * PAGE];
  write_pages(stack, 0, 16);
  phase_start();
  phase_end("warm");
  phase_count = 0;
}

static inline void put(const char* text) {
  size_t n = 0;
  while (text[n]) ++n;
  raw3(kSysWrite, 1, (long)text, (long)n);
}

static char* put_number(char* out, long value) {
  char digits[12];
  int n = 0;
  unsigned long u = value < 0 ? -(unsigned long)value : (unsigned long)value;
  if (value < 0) *out++ = '-';
  do digits[n++] = (char)('0' + u % 10);
  while (u /= 10);
  while (n) *out++ = digits[--n];
  return out;
}

static NOINLINE __attribute__((unused)) int phases_print(void) {
  for (int i = 0; i < phase_count; ++i) {
    char line[128], *out = line;
    for (const char* s = phase_table[i].name; *s; ++s) *out++ = *s;
    *out++ = ' ';
    out = put_number(out, phase_table[i].minor);
    *out++ = ' ';
    out = put_number(out, phase_table[i].major);
    *out++ = '\n';
    *out = 0;
    put(line);
  }
  return 0;
}

#define PHASE(name, ...) \
  do {                   \
    phase_start();       \
    __VA_ARGS__;         \
    phase_end(name);     \
  } while (0)
