// The vDSO's time functions: clocks read from the vvar page and the TSC, without a system call.
//
// Linux counterpart: lib/vdso/gettimeofday.c and arch/x86/include/asm/vdso/gettimeofday.h. What is kept exactly is
// which pages a call touches, in which order: the function's page, the second page (fl_vdso_load_pc), then the vvar
// page, and that one only for a clock that is answered here; __kernel_vsyscall's page for the others. Therefore
// everything is inlined into the exported functions (vdso.lds.in places them). The stack is touched as deep as Linux's
// frames are, which may be a page more. Writes only to the stack and the caller's buffers.
#include "loaders/vdso/vvar.hpp"

typedef int32_t old_time32_t;
struct old_timespec32 {
  int32_t tv_sec;
  int32_t tv_nsec;
};
struct old_timeval32 {
  int32_t tv_sec;
  int32_t tv_usec;
};
struct kernel_timespec {
  int64_t tv_sec;
  int64_t tv_nsec;
};
struct kernel_timezone {
  int32_t tz_minuteswest;
  int32_t tz_dsttime;
};

enum {
  CLOCK_REALTIME = 0,
  CLOCK_MONOTONIC = 1,
  CLOCK_MONOTONIC_RAW = 4,
  CLOCK_REALTIME_COARSE = 5,
  CLOCK_MONOTONIC_COARSE = 6,
  CLOCK_BOOTTIME = 7,
  CLOCK_TAI = 11,
};

#define BIT(n) (1u << (n))
#define WALL_CLOCKS (BIT(CLOCK_REALTIME) | BIT(CLOCK_TAI))
#define FINE_CLOCKS (WALL_CLOCKS | BIT(CLOCK_MONOTONIC) | BIT(CLOCK_BOOTTIME) | BIT(CLOCK_MONOTONIC_RAW))
#define COARSE_CLOCKS (BIT(CLOCK_REALTIME_COARSE) | BIT(CLOCK_MONOTONIC_COARSE))

enum { NR_time = 13, NR_gettimeofday = 78, NR_clock_gettime = 265, NR_clock_getres = 266, NR_clock_gettime64 = 403 };
enum { NSEC_PER_SEC = 1000000000, NSEC_PER_USEC = 1000 };

#define ALWAYS_INLINE static inline __attribute__((always_inline))
#define EXPORT(name) __attribute__((visibility("default"), section(".text." #name)))

// The vvar page's address, from the program counter: the image is not relocated. `volatile` keeps the call, and with it
// the second page's fault, in front of everything else the function does.
ALWAYS_INLINE const volatile struct fl_vvar_page* vvar_page(void) {
  const volatile struct fl_vvar_page* page;
  __asm__ volatile(
      "call fl_vdso_load_pc\n"
      "1:\taddl $fl_vvar_start - 1b, %0"
      : "=a"(page)
      :
      : "cc", "memory");
  return page;
}

// Touches the stack so many bytes below the return address of the exported function, whose frame EBP points at; what is
// there stays.
#define TOUCH_STACK(bytes) __asm__ volatile("orl $0, %c0(%%ebp)" : : "i"(4 - (bytes)) : "cc", "memory")

// A system call with two arguments through the gate. EBX is saved by hand: it may not be clobbered in position-
// independent code of older compilers, and EDX survives the gate.
ALWAYS_INLINE int32_t vdso_syscall2(int32_t number, uint32_t first, const volatile void* second) {
  int32_t result;
  uint32_t scratch;
  __asm__ volatile(
      "movl %%ebx, %%edx\n\t"
      "movl %[first], %%ebx\n\t"
      "call __kernel_vsyscall\n\t"
      "movl %%edx, %%ebx"
      : "=a"(result), "=&d"(scratch)
      : "0"(number), [first] "g"(first), "c"(second)
      : "memory", "cc");
  return result;
}

ALWAYS_INLINE uint64_t read_tsc(void) {
  uint32_t low, high;
  __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
  return (uint64_t)high << 32 | low;
}

struct clock_value {
  int64_t sec;
  uint32_t nsec;
};

enum answer { ANSWERED, ASK_KERNEL };

// One of FINE_CLOCKS. ASK_KERNEL if the machine's TSC is not to be used.
ALWAYS_INLINE enum answer read_fine_clock(const volatile struct fl_vvar_page* vvar, uint32_t clock,
                                          struct clock_value* value) {
  uint32_t seq;
  do {
    while ((seq = vvar->seq) & 1) {
      __asm__ volatile("pause");
    }
    if (vvar->clock_mode != FL_VVAR_CLOCK_TSC) {
      return ASK_KERNEL;
    }
    const uint64_t elapsed = read_tsc() - vvar->tsc_base;
    const uint32_t high = (uint32_t)(elapsed >> 32);
    // More than 136 years, or a TSC behind its base: the quotient below would not fit, and div would raise #DE.
    if (high >= NSEC_PER_SEC) {
      return ASK_KERNEL;
    }
    uint32_t sec, nsec;
    __asm__("divl %4" : "=a"(sec), "=d"(nsec) : "0"((uint32_t)elapsed), "1"(high), "r"((uint32_t)NSEC_PER_SEC) : "cc");
    value->sec = sec;
    value->nsec = nsec;
    if (BIT(clock) & WALL_CLOCKS) {
      value->sec += vvar->wall_sec;
      value->nsec += vvar->wall_nsec;
      if (value->nsec >= NSEC_PER_SEC) {
        value->nsec -= NSEC_PER_SEC;
        value->sec += 1;
      }
      if (clock == CLOCK_TAI) {
        value->sec += vvar->tai_offset;
      }
    }
  } while (vvar->seq != seq);
  return ANSWERED;
}

ALWAYS_INLINE void read_coarse_clock(const volatile struct fl_vvar_page* vvar, uint32_t clock,
                                     struct clock_value* value) {
  uint32_t seq;
  do {
    while ((seq = vvar->seq) & 1) {
      __asm__ volatile("pause");
    }
    if (clock == CLOCK_REALTIME_COARSE) {
      value->sec = vvar->coarse_real_sec;
      value->nsec = vvar->coarse_real_nsec;
    } else {
      value->sec = vvar->coarse_mono_sec;
      value->nsec = vvar->coarse_mono_nsec;
    }
  } while (vvar->seq != seq);
}

ALWAYS_INLINE enum answer read_clock(const volatile struct fl_vvar_page* vvar, uint32_t clock,
                                     struct clock_value* value) {
  TOUCH_STACK(FL_CLOCK_STACK_FIRST);
  if (clock < 32 && (BIT(clock) & FINE_CLOCKS)) {
    const enum answer answer = read_fine_clock(vvar, clock, value);
    if (answer == ANSWERED) {
      TOUCH_STACK(FL_CLOCK_STACK);
    }
    return answer;
  }
  if (clock < 32 && (BIT(clock) & COARSE_CLOCKS)) {
    read_coarse_clock(vvar, clock, value);
    return ANSWERED;
  }
  return ASK_KERNEL;
}

EXPORT(gettimeofday) int32_t __vdso_gettimeofday(struct old_timeval32* tv, struct kernel_timezone* tz) {
  const volatile struct fl_vvar_page* vvar = vvar_page();
  if (tv) {
    struct clock_value now;
    if (read_fine_clock(vvar, CLOCK_REALTIME, &now) != ANSWERED) {
      return vdso_syscall2(NR_gettimeofday, (uint32_t)tv, tz);
    }
    TOUCH_STACK(FL_GETTIMEOFDAY_STACK);
    tv->tv_sec = (int32_t)now.sec;
    tv->tv_usec = (int32_t)(now.nsec / NSEC_PER_USEC);
  }
  if (tz) {
    tz->tz_minuteswest = vvar->tz_minuteswest;
    tz->tz_dsttime = vvar->tz_dsttime;
  }
  return 0;
}

// Reads one word of a 64-bit value, so there is nothing to retry.
EXPORT(time) old_time32_t __vdso_time(old_time32_t* result) {
  const old_time32_t now = (old_time32_t)vvar_page()->coarse_real_sec;
  if (result) {
    *result = now;
  }
  return now;
}

EXPORT(clock_gettime) int32_t __vdso_clock_gettime(uint32_t clock, struct old_timespec32* ts) {
  struct clock_value now;
  if (read_clock(vvar_page(), clock, &now) != ANSWERED) {
    return vdso_syscall2(NR_clock_gettime, clock, ts);
  }
  ts->tv_sec = (int32_t)now.sec;
  ts->tv_nsec = (int32_t)now.nsec;
  return 0;
}

EXPORT(clock_gettime64) int32_t __vdso_clock_gettime64(uint32_t clock, struct kernel_timespec* ts) {
  struct clock_value now;
  if (read_clock(vvar_page(), clock, &now) != ANSWERED) {
    return vdso_syscall2(NR_clock_gettime64, clock, ts);
  }
  ts->tv_sec = now.sec;
  ts->tv_nsec = now.nsec;
  return 0;
}

EXPORT(clock_getres) int32_t __vdso_clock_getres(uint32_t clock, struct old_timespec32* res) {
  const volatile struct fl_vvar_page* vvar = vvar_page();
  if (clock < FL_MAX_CLOCKS) {
    // Linux looks at the page for every clock number it could know (time namespaces), before it knows whether it will
    // answer: the fault is the same.
    (void)vvar->clock_mode;
    const uint32_t bit = clock < 32 ? BIT(clock) : 0;
    if (bit & (FINE_CLOCKS | COARSE_CLOCKS)) {
      const uint32_t nsec = bit & FINE_CLOCKS ? vvar->fine_res_nsec : vvar->coarse_res_nsec;
      if (res) {
        res->tv_sec = 0;
        res->tv_nsec = (int32_t)nsec;
      }
      return 0;
    }
  }
  return vdso_syscall2(NR_clock_getres, clock, res);
}

#if FL_HAVE_GETCPU
// The machine has one CPU and one node, both number 0 (Linux reads them from TSC_AUX, which is 0 then).
EXPORT(getcpu) int32_t __vdso_getcpu(uint32_t* cpu, uint32_t* node, void* unused) {
  (void)unused;
  if (cpu) {
    *cpu = 0;
  }
  if (node) {
    *node = 0;
  }
  return 0;
}
#endif
