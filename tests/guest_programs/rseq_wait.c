/* H6: a task that was scheduled out and has registered rseq (glibc does, musl does not) has the processor's number written
 * into its thread's data before it goes on in user mode. After a fork that page is read-only: one fault in kernel mode, in
 * the call that slept, also if the program never writes there. */
#include <poll.h>
#include "support/processes.h"

static void pause_ms(long ms) {
  const long time[2] = {0, ms * 1000000};
  raw3(kSysNanosleep, (long)time, 0, 0);
}

int main(void) {
  phases_begin();
  struct turn turns[3];
  pid_t pids[3];
  for (int i = 0; i < 3; ++i) make_turn(&turns[i]);
  /* Without a fork the page stays writable. */
  PHASE("sleep", pause_ms(1));
  for (int i = 0; i < 3; ++i) {
    phase_start();
    pids[i] = (pid_t)raw3(2, 0, 0, 0);
    if (pids[i] == 0) {
      await_turn(&turns[i]);
      nap();
      raw3(kSysExit, 0, 0, 0);
    }
    phase_end("fork");
    if (i == 1) PHASE("no_sleep", for (int n = 0; n < 100; ++n) raw3(20, 0, 0, 0));
    PHASE("sleep_after_fork", pause_ms(20));
    PHASE("sleep_again", pause_ms(1));
  }
  for (int i = 0; i < 3; ++i) {
    give_turn(&turns[i]);
    PHASE("wait", wait_for(pids[i]));
  }
  return phases_print();
}
