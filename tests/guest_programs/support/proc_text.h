/* Reading files of /proc into one static buffer. */
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char text[1 << 18];

static long result_of(long r) { return r < 0 ? -errno : r; }

/* All of a file, read in pieces of `step` bytes; its length or -errno. */
static long slurp_by(const char* path, size_t step) {
  const int fd = open(path, O_RDONLY);
  long length = 0, got;
  if (fd < 0) return -errno;
  while ((got = read(fd, text + length, step)) > 0) length += got;
  if (got < 0) length = -errno;
  close(fd);
  text[length < 0 ? 0 : length] = 0;
  return length;
}
static long slurp(const char* path) { return slurp_by(path, 65536); }

static char path_buffer[128];
static const char* task_path(int pid, int tid, const char* name) {
  if (tid == 0)
    snprintf(path_buffer, sizeof path_buffer, "/proc/%d/%s", pid, name);
  else
    snprintf(path_buffer, sizeof path_buffer, "/proc/%d/task/%d/%s", pid, tid, name);
  return path_buffer;
}
