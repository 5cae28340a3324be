/* What a call answered as one number, what a descriptor is ready for, and a pause that no signal shortens. */
#pragma once
#include <errno.h>
#include <poll.h>
#include <time.h>

/* Of libc's answer: the value, or -errno. */
static __attribute__((unused)) long result_of(long r) { return r < 0 ? -errno : r; }
static __attribute__((unused)) void pause_ms(int n) {
  struct timespec t = {n / 1000, n % 1000 * 1000000L};
  while (nanosleep(&t, &t) != 0) {}
}
static __attribute__((unused)) short ready(int fd, short events) {
  struct pollfd p = {fd, events, 0};
  poll(&p, 1, 0);
  return p.revents;
}
