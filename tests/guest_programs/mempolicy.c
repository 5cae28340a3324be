/* set_mempolicy, get_mempolicy and mbind on a machine with two nodes: what they answer, and where pages come from. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MBIND = 274, GET = 275, SET = 276 };
enum { DEFAULT, PREFERRED, BIND, INTERLEAVE, LOCAL };
enum { F_NODE = 1, F_ADDR = 2, F_MEMS_ALLOWED = 4, STRICT = 1 };
static int bad;

static void expect(const char* what, long got, long wanted) {
  if (got != wanted) {
    printf("%s: %ld, not %ld\n", what, got, wanted);
    bad = 1;
  }
}
static long result(long value) { return value < 0 ? -errno : value; }
static long set(int mode, unsigned long nodes) { return result(syscall(SET, mode, &nodes, 33)); }
static long bind(void* at, size_t length, int mode, unsigned long nodes, int flags) {
  return result(syscall(MBIND, at, length, mode, &nodes, 33, flags));
}
static int node_of(void* at) {
  int node = -1;
  expect("node of a page", result(syscall(GET, &node, NULL, 0, at, F_NODE | F_ADDR)), 0);
  return node;
}

int main(void) {
  const size_t page = 4096;
  unsigned long nodes[2] = {0, 0};
  int mode = -1;
  size_t i;
  if (result(syscall(GET, &mode, NULL, 0, NULL, 0)) == -ENOSYS) {
    puts("no NUMA");
    return 0;
  }
  char* area = mmap(NULL, 64 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  expect("default mode", mode, DEFAULT);
  expect("allowed", result(syscall(GET, &mode, nodes, 64, NULL, F_MEMS_ALLOWED)), 0);
  expect("allowed nodes", (long)nodes[0], 3);

  /* The task's policy. */
  area[0] = 1;
  expect("local", node_of(area), 0);
  expect("set", set(PREFERRED, 2), 0);
  expect("get", result(syscall(GET, &mode, nodes, 64, NULL, 0)), 0);
  expect("mode", mode, PREFERRED);
  expect("nodes", (long)nodes[0], 2);
  area[page] = 1;
  expect("preferred", node_of(area + page), 1);
  expect("interleave", set(INTERLEAVE, 3), 0);
  area[2 * page] = area[3 * page] = 1;
  expect("both nodes", node_of(area + 2 * page) + node_of(area + 3 * page), 1);
  expect("next", result(syscall(GET, &mode, NULL, 0, NULL, F_NODE)), 0);
  expect("back", set(DEFAULT, 0), 0);

  /* An area's. */
  expect("mbind", bind(area + 8 * page, 8 * page, BIND, 2, 0), 0);
  for (i = 8; i < 16; ++i) {
    area[i * page] = 1;
    expect("bound", node_of(area + i * page), 1);
  }
  area[16 * page] = 1;
  expect("beyond", node_of(area + 16 * page), 0);
  expect("get of an area", result(syscall(GET, &mode, nodes, 64, area + 9 * page, F_ADDR)), 0);
  expect("its mode", mode, BIND);
  expect("its nodes", (long)nodes[0], 2);
  expect("strict", bind(area + 16 * page, page, BIND, 2, STRICT), -EIO);
  expect("strict where it is", bind(area + 8 * page, page, BIND, 2, STRICT), 0);

  /* What is refused. */
  expect("no such mode", set(9, 1), -EINVAL);
  expect("no nodes", set(BIND, 0), -EINVAL);
  expect("nodes for default", set(DEFAULT, 1), -EINVAL);
  expect("no such node", set(BIND, 4), -EINVAL);
  expect("beyond all nodes", set(BIND, 1ul << 20), -EINVAL);
  expect("bad address", result(syscall(SET, BIND, (void*)16, 33)), -EFAULT);
  expect("not at a page", bind(area + 1, page, BIND, 1, 0), -EINVAL);
  expect("bad flags", bind(area, page, BIND, 1, 64), -EINVAL);
  expect("nothing", bind(area, 0, BIND, 1, 0), 0);
  munmap(area + 40 * page, page);
  expect("a hole", bind(area + 39 * page, 4 * page, BIND, 1, 0), -EFAULT);
  expect("address without a flag", result(syscall(GET, &mode, NULL, 0, area, 0)), -EINVAL);
  expect("a mask too small", result(syscall(GET, &mode, nodes, 1, NULL, 0)), -EINVAL);
  expect("nothing there", result(syscall(GET, &mode, NULL, 0, area + 40 * page, F_ADDR)), -EFAULT);
  puts(bad ? "not as expected" : "all as expected");
  return bad;
}
