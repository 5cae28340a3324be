/* System V calls by number (int $0x80, no libc between), their structures in both versions, and a private corner to try
 * them in: an IPC namespace of its own where the kernel gives one, and an ordinary user, so that rights count. */
#pragma once
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include "say.h"

enum { kIpc = 117, kSemget = 393, kSemctl = 394, kShmget = 395, kShmctl = 396, kShmat = 397, kShmdt = 398,
       kMsgget = 399, kMsgsnd = 400, kMsgrcv = 401, kMsgctl = 402, kSemtimedop64 = 420 };
enum { kIpcSemop = 1, kIpcSemget, kIpcSemctl, kIpcSemtimedop, kIpcMsgsnd = 11, kIpcMsgrcv, kIpcMsgget, kIpcMsgctl,
       kIpcShmat = 21, kIpcShmdt, kIpcShmget, kIpcShmctl };
enum { kRmid, kSet, kStat, kInfo, k64 = 0x100 };
enum { kCreate = 01000, kExclusive = 02000, kNoWait = 04000 };

struct perm64 {
  int key;
  unsigned uid, gid, cuid, cgid;
  unsigned short mode, pad1, seq, pad2;
  unsigned unused[2];
};
struct perm_old {
  int key;
  unsigned short uid, gid, cuid, cgid, mode, seq;
};

/* The errno, negative, or the answer. */
static long answer(long r) { return r == -1 ? -errno : r; }
#define CALL(...) answer(syscall(__VA_ARGS__))
static const char* name_of(long r) {
  switch (r) {
    case -EFBIG: return "EFBIG";
    case -EIDRM: return "EIDRM";
    case -ENOMSG: return "ENOMSG";
    case -ENOSPC: return "ENOSPC";
    case -ERANGE: return "ERANGE";
    default: return r < 0 ? error_name((int)-r) : "ok";
  }
}

static void pause_ms(int ms) {
  struct timespec t = {ms / 1000, ms % 1000 * 1000000L};
  while (nanosleep(&t, &t) != 0) {}
}

static __attribute__((unused)) void be_nobody(void) {
  syscall(SYS_unshare, CLONE_NEWIPC);
  if (geteuid() == 0 && (setgroups(0, NULL) != 0 || setgid(4242) != 0 || setuid(4242) != 0)) say("cannot change user");
}

static __attribute__((unused)) void ends(pid_t child) {
  int status = 0;
  if (waitpid(child, &status, 0) != child || status != 0) say("child: status %x", status);
}

/* Until the process sleeps. */
static __attribute__((unused)) void until_asleep(pid_t pid) {
  char path[32], text[256];
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  for (;;) {
    const int fd = open(path, O_RDONLY);
    const long length = read(fd, text, sizeof text - 1);
    close(fd);
    text[length > 0 ? length : 0] = 0;
    const char* name_end = strrchr(text, ')');
    if (length <= 0 || !name_end || name_end[2] == 'S') return;
    pause_ms(1);
  }
}

/* Children that wait in a call and end with its errno. What became of them is said in the parent's order, as they are woken
 * by one call and run at the same time. */
static struct {
  pid_t pid;
  const char* name;
} waiter_names[16];
static __attribute__((unused)) void name_waiter(pid_t pid, const char* name) {
  for (int i = 0; i < 16; ++i) {
    if (waiter_names[i].pid == 0) {
      waiter_names[i].pid = pid;
      waiter_names[i].name = name;
      return;
    }
  }
}
static __attribute__((unused)) void waited(pid_t pid) {
  int status = 0;
  waitpid(pid, &status, 0);
  for (int i = 0; i < 16; ++i) {
    if (waiter_names[i].pid == pid) {
      say("    %s %s", waiter_names[i].name, WIFEXITED(status) ? name_of(-WEXITSTATUS(status)) : "killed");
      waiter_names[i].pid = 0;
    }
  }
}
