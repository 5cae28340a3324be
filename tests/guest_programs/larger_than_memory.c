/* Programs that need more memory than the machine has. Arguments: what, how many MiB. Each checks every word it wrote.
 *   sort     a merge sort of records
 *   fork     a heap that four processes share by fork, each changing a quarter
 *   tmpfs    8 MiB of files in /tmp, which other memory pushes out, read and mapped
 *   shared   a mapping shared by two processes
 *   peer     the memory of another process, read and written by process_vm_readv and process_vm_writev
 *   file     a shared mapping of the file "data" in the working directory, which must be right afterwards */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "support/say.h"

static uint32_t state = 1;
static uint32_t next_random(void) { return state = state * 1664525 + 1013904223; }

static uint32_t* map_words(size_t bytes, int flags, int fd) {
  void* at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, fd, 0);
  MUST(at != MAP_FAILED);
  return at;
}

struct record {
  uint32_t key, payload[7];
};

static void merge_sort(struct record* from, struct record* to, size_t count) {
  for (size_t width = 1; width < count; width *= 2) {
    for (size_t start = 0; start < count; start += 2 * width) {
      const size_t middle = start + width < count ? start + width : count;
      const size_t end = start + 2 * width < count ? start + 2 * width : count;
      size_t a = start, b = middle, out = start;
      while (a < middle && b < end) to[out++] = from[a].key <= from[b].key ? from[a++] : from[b++];
      while (a < middle) to[out++] = from[a++];
      while (b < end) to[out++] = from[b++];
    }
    struct record* other = from;
    from = to, to = other;
  }
}

static void sort(size_t bytes) {
  /* Half of the memory for the records, half to merge into. */
  const size_t count = bytes / 2 / sizeof(struct record);
  struct record* from = (struct record*)map_words(bytes / 2, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  struct record* to = (struct record*)map_words(bytes / 2, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  uint64_t sum = 0;
  for (size_t i = 0; i < count; ++i) {
    sum += from[i].key = next_random();
    for (int word = 0; word < 7; ++word) from[i].payload[word] = from[i].key ^ (uint32_t)word;
  }
  int passes = 0;
  for (size_t width = 1; width < count; width *= 2) ++passes;
  merge_sort(from, to, count);
  const struct record* sorted = passes % 2 ? to : from;
  size_t wrong = 0;
  for (size_t i = 0; i < count; ++i) {
    sum -= sorted[i].key;
    wrong += i && sorted[i - 1].key > sorted[i].key;
    for (int word = 0; word < 7; ++word) wrong += sorted[i].payload[word] != (sorted[i].key ^ (uint32_t)word);
  }
  say("sorted %zu records, %zu wrong, %s", count, wrong, sum == 0 ? "none lost" : "some lost");
}

static void forked(size_t bytes) {
  const size_t words = bytes / sizeof(uint32_t);
  uint32_t* heap = map_words(bytes, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  for (size_t i = 0; i < words; i += 256) heap[i] = (uint32_t)i;
  pid_t children[4];
  for (uint32_t child = 0; child < 4; ++child)
    if ((children[child] = must_fork()) == 0) {
      for (size_t i = child * words / 4; i < (child + 1) * words / 4; i += 256) heap[i] = ~(uint32_t)i;
      for (size_t i = 0; i < words; i += 256) {
        const int mine = i >= child * words / 4 && i < (child + 1) * words / 4;
        if (heap[i] != (mine ? ~(uint32_t)i : (uint32_t)i)) _exit(1);
      }
      _exit(0);
    }
  for (int child = 0; child < 4; ++child) say("child %d: %s", child, status_text(must_wait(children[child])));
  size_t wrong = 0;
  for (size_t i = 0; i < words; i += 256) wrong += heap[i] != (uint32_t)i;
  say("parent: %zu words wrong", wrong);
}

static void in_tmpfs(size_t bytes) {
  static uint32_t block[16384];
  int fds[4];
  const size_t blocks = (8 << 20) / sizeof block / 4;
  for (int file = 0; file < 4; ++file) {
    char name[] = "/tmp/larger.XXXXXX";
    MUST((fds[file] = mkstemp(name)) >= 0 && unlink(name) == 0);
    for (size_t b = 0; b < blocks; ++b) {
      for (size_t i = 0; i < 16384; ++i) block[i] = (uint32_t)(file << 28 | b << 14 | i);
      MUST(write(fds[file], block, sizeof block) == (ssize_t)sizeof block);
    }
  }
  uint32_t* other = map_words(bytes, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  for (size_t i = 0; i < bytes / sizeof(uint32_t); i += 1024) other[i] = (uint32_t)i;
  size_t wrong = 0;
  for (int file = 0; file < 4; ++file) {
    for (size_t b = 0; b < blocks; ++b) {
      MUST(pread(fds[file], block, sizeof block, (off_t)(b * sizeof block)) == (ssize_t)sizeof block);
      for (size_t i = 0; i < 16384; ++i) wrong += block[i] != (uint32_t)(file << 28 | b << 14 | i);
    }
    const uint32_t* words = map_words(blocks * sizeof block, MAP_SHARED, fds[file]);
    for (size_t i = 0; i < blocks * 16384; i += 64) wrong += words[i] != ((uint32_t)file << 28 | (uint32_t)i);
  }
  for (size_t i = 0; i < bytes / sizeof(uint32_t); i += 1024) wrong += other[i] != (uint32_t)i;
  say("four files of %zu blocks: %zu words wrong", blocks, wrong);
}

static void shared(size_t bytes, int fd) {
  const size_t words = bytes / sizeof(uint32_t);
  uint32_t* memory = map_words(bytes, fd < 0 ? MAP_SHARED | MAP_ANONYMOUS : MAP_SHARED, fd);
  for (size_t i = 0; i < words; i += 128) memory[i] = (uint32_t)i;
  const pid_t child = must_fork();
  if (child == 0) {
    for (size_t i = 0; i < words; i += 128) {
      if (memory[i] != (uint32_t)i) _exit(1);
      memory[i] = (uint32_t)i * 3 + 1;
    }
    _exit(0);
  }
  say("child: %s", status_text(must_wait(child)));
  size_t wrong = 0;
  for (size_t i = 0; i < words; i += 128) wrong += memory[i] != (uint32_t)i * 3 + 1;
  say("parent: %zu words wrong", wrong);
}

static void peer(size_t bytes) {
  const size_t words = bytes / sizeof(uint32_t), piece = 256 << 10;
  uint32_t* mine = map_words(bytes, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  const struct gate filled = new_gate(), changed = new_gate();
  const pid_t child = must_fork();
  if (child == 0) {
    for (size_t i = 0; i < words; i += 128) mine[i] = (uint32_t)i + 5;
    tell(filled);
    wait_for(changed);
    for (size_t i = 0; i < words; i += 128)
      if (mine[i] != ~((uint32_t)i + 5)) _exit(1);
    _exit(0);
  }
  wait_for(filled);
  size_t wrong = 0;
  for (size_t at = 0; at < bytes; at += piece) {
    const struct iovec here = {(char*)mine + at, piece}, there = here;
    MUST(process_vm_readv(child, &here, 1, &there, 1, 0) == (ssize_t)piece);
  }
  for (size_t i = 0; i < words; i += 128) {
    wrong += mine[i] != (uint32_t)i + 5;
    mine[i] = ~mine[i];
  }
  for (size_t at = 0; at < bytes; at += piece) {
    const struct iovec here = {(char*)mine + at, piece}, there = here;
    MUST(process_vm_writev(child, &here, 1, &there, 1, 0) == (ssize_t)piece);
  }
  tell(changed);
  say("child: %s", status_text(must_wait(child)));
  say("parent: %zu words wrong", wrong);
}

int main(int argc, char** argv) {
  MUST(argc == 3);
  const size_t bytes = (size_t)atoi(argv[2]) << 20;
  if (!strcmp(argv[1], "sort")) sort(bytes);
  if (!strcmp(argv[1], "fork")) forked(bytes);
  if (!strcmp(argv[1], "tmpfs")) in_tmpfs(bytes);
  if (!strcmp(argv[1], "shared")) shared(bytes, -1);
  if (!strcmp(argv[1], "peer")) peer(bytes);
  if (!strcmp(argv[1], "file")) {
    const int fd = open("data", O_RDWR | O_CREAT | O_TRUNC, 0600);
    MUST(fd >= 0 && ftruncate(fd, (off_t)bytes) == 0);
    shared(bytes, fd);
    MUST(close(fd) == 0);
  }
  return 0;
}
