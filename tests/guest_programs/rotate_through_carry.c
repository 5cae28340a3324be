/* rcl and rcr (byte, word, long; by 1, by an immediate, by cl) on memory whose first store faults: a fresh page, a page
 * that shows the zero page, a private file page not there, one that is there read-only, and across a boundary with an
 * absent second page. A store that faults and is tried again must not rotate the carry twice: result and CF are
 * printed. */
#include <stdio.h>
#include "support/data_file.h"

static char* place; /* where the operand is; fresh for each instruction */
static int fd, kind;
static char* base;

enum { kFresh, kZeroPage, kFileAbsent, kFilePresent, kCrossing, kKinds };
static const char* const kind_names[] = {"fresh", "zero page", "file absent", "file present", "crossing"};

static void prepare(void) {
  const int rw = PROT_READ | PROT_WRITE;
  const int anon = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
  if (kind == kFresh || kind == kZeroPage || kind == kCrossing)
    mmap(base, 2 * PAGE, rw, anon, -1, 0);
  else
    mmap(base, 2 * PAGE, rw, MAP_PRIVATE | MAP_FIXED, fd, 0x81 * PAGE);
  if (kind == kZeroPage || kind == kFilePresent) (void)read_byte(base);
  if (kind == kCrossing) *(volatile unsigned short*)(base + PAGE - 2) = 0xc3a5;
  place = base + (kind == kCrossing ? PAGE - 2 : 0);
}

static void report(const char* name, unsigned carry_in, unsigned char carry_out) {
  printf("%s, %s, carry %u: %08x carry %u\n", name, kind_names[kind], carry_in, *(unsigned*)place, carry_out);
}

#define ROTATE(name, insn)                                                \
  for (unsigned carry_in = 0; carry_in < 2; ++carry_in) {                 \
    unsigned char carry_out;                                              \
    prepare();                                                            \
    __asm__ volatile("movb $5, %%cl\n\tbtl $0, %2\n\t" insn "\n\tsetc %0" \
                     : "=&q"(carry_out)                                   \
                     : "S"(place), "d"(carry_in)                          \
                     : "ecx", "memory", "cc");                            \
    report(name, carry_in, carry_out);                                    \
  }

int main(int argc, char** argv) {
  fd = open_data_file(argc, argv, O_RDONLY);
  base = mmap(0, 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  setvbuf(stdout, 0, _IOFBF, 1 << 16);
  for (kind = 0; kind < kKinds; ++kind) {
    ROTATE("rclb 1", "rclb $1, (%1)")
    ROTATE("rclw 1", "rclw $1, (%1)")
    ROTATE("rcll 1", "rcll $1, (%1)")
    ROTATE("rcrb 1", "rcrb $1, (%1)")
    ROTATE("rcrw 1", "rcrw $1, (%1)")
    ROTATE("rcrl 1", "rcrl $1, (%1)")
    ROTATE("rclb 3", "rclb $3, (%1)")
    ROTATE("rclw 3", "rclw $3, (%1)")
    ROTATE("rcll 3", "rcll $3, (%1)")
    ROTATE("rcrb 3", "rcrb $3, (%1)")
    ROTATE("rcrw 3", "rcrw $3, (%1)")
    ROTATE("rcrl 3", "rcrl $3, (%1)")
    ROTATE("rclb cl", "rclb %%cl, (%1)")
    ROTATE("rclw cl", "rclw %%cl, (%1)")
    ROTATE("rcll cl", "rcll %%cl, (%1)")
    ROTATE("rcrb cl", "rcrb %%cl, (%1)")
    ROTATE("rcrw cl", "rcrw %%cl, (%1)")
    ROTATE("rcrl cl", "rcrl %%cl, (%1)")
    ROTATE("rcl twice", "rcll $1, (%1)\n\trcll $1, (%1)")
    ROTATE("adc", "adcl $0x7fffffff, (%1)")
    ROTATE("sbb", "sbbl $1, (%1)")
  }
  fflush(stdout);
  return 0;
}
