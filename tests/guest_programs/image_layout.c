/* C3, D, E: a program with large parts: initialised data (read, then written; written first), bss, constants, code on
 * pages far apart, thread-local variables, constructors. */
#include "support/guest.h"

enum { kPages = 40 };
static char data[kPages * PAGE] __attribute__((aligned(4096))) = {1, [kPages * PAGE - 1] = 2};
static char zeros[kPages * PAGE] __attribute__((aligned(4096)));
static const char constants[kPages * PAGE] __attribute__((aligned(4096))) = {3, [kPages * PAGE - 1] = 4};
static __thread int in_tls = 5;
static __thread char tls_zeros[3 * PAGE];
static int constructed;

__attribute__((constructor)) static void construct(void) { constructed = zeros[0] + 1; }
__attribute__((aligned(65536))) static NOINLINE int far_code(int x) { return x * 3 + constants[0]; }
__attribute__((aligned(65536))) static NOINLINE int farther_code(int x) { return far_code(x) + 1; }

int main(void) {
  int sum = constructed + in_tls;
  read_pages(data, 0, 10);
  write_pages(data, 5, 20);
  read_pages(data, 0, kPages);
  write_pages(zeros, 3, 9);
  read_pages(zeros, 0, 20);
  write_pages(zeros, 15, 25);
  read_pages(constants, 30, kPages);
  read_pages(constants, 0, kPages);
  tls_zeros[2 * PAGE] = 1;
  in_tls = farther_code(sum);
  put(in_tls == 22 ? "done\n" : "wrong\n");
  return 0;
}
