/* Attempts to get out of a root directory. Outside of it there is a file "outside/secret" that says CANARY; whatever
 * reads that prints ESCAPED.
 *   escape look ABSOLUTE    by paths; changes nothing
 *   escape walk ABSOLUTE    by paths, links and moved directories; the answers are those of a chroot
 *   escape proc ABSOLUTE    through /proc and /dev
 *   escape race BASE N      BASE/rw/dir is swapped for a link out meanwhile, by somebody on the host
 * ABSOLUTE is the path of "outside" as the host names it. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int escaped;

static void judge(const char* label, int fd) {
  char text[64] = "";
  if (fd < 0) {
    printf("%s: error %d\n", label, errno);
    return;
  }
  ssize_t got = read(fd, text, sizeof text - 1);
  printf("%s: opened, error %d\n", label, got < 0 ? errno : 0);
  if (strstr(text, "CANARY") != NULL) {
    printf("ESCAPED: %s\n", label);
    escaped = 1;
  }
  close(fd);
}

static void try_open(const char* path) { judge(path, open(path, O_RDONLY)); }

static void answer(const char* label, int result) {
  printf("%s: error %d\n", label, result < 0 ? errno : 0);
}

static char* join(const char* a, const char* b) {
  char* path;
  if (asprintf(&path, "%s%s", a, b) < 0) abort();
  return path;
}

/* Labels must not hold the absolute path: it is another one natively and here. */
static void try_named(const char* label, const char* path) { judge(label, open(path, O_RDONLY)); }

static void look(const char* outside) {
  try_open("../outside/secret");
  try_open("/../outside/secret");
  try_open("/../../../../../../../../outside/secret");
  try_open("rw/../../outside/secret");
  try_open("/ro/./../rw/..//../outside/secret");
  try_named("absolute", join(outside, "/secret"));
  try_open("/rw/abs");
  try_open("/rw/up");
  try_open("/rw/dir_out/secret");
  try_open("/rw/deep/secret");
  try_open("/rw/chain");
  try_open("/rw/loop");
}

static void walk(const char* outside) {
  look(outside);
  answer("chdir rw", chdir("/rw"));
  for (int i = 0; i < 8; ++i) answer("chdir ..", chdir(".."));
  try_open("outside/secret");
  int root = open("/", O_RDONLY | O_DIRECTORY);
  judge("openat ..", openat(root, "../outside/secret", O_RDONLY));
  int rw = open("/rw", O_PATH | O_DIRECTORY);
  judge("openat ../..", openat(rw, "../../outside/secret", O_RDONLY));
  judge("openat link", openat(rw, "up", O_RDONLY));
  answer("fchdir", fchdir(root));
  answer("chdir ..", chdir(".."));
  try_open("outside/secret");

  /* A directory that is moved and removed under us. */
  answer("mkdir", mkdir("/rw/d", 0755));
  answer("mkdir", mkdir("/rw/d/e", 0755));
  answer("chdir", chdir("/rw/d/e"));
  answer("rename", rename("/rw/d/e", "/rw/f"));
  try_open("../../outside/secret");
  try_open("../../../outside/secret");
  answer("rmdir", rmdir("/rw/f"));
  try_open("../outside/secret");
  try_open("../../outside/secret");
  answer("chdir", chdir("/"));

  /* Links made and moved here. */
  answer("symlink", symlink("../../outside/secret", "/rw/mine"));
  try_open("/rw/mine");
  answer("link", linkat(AT_FDCWD, "/rw/mine", AT_FDCWD, "/rw/hard", 0));
  try_open("/rw/hard");
  answer("link followed", linkat(AT_FDCWD, "/rw/mine", AT_FDCWD, "/rw/hard2", AT_SYMLINK_FOLLOW));
  answer("rename", rename("/rw/mine", "/rw/sub/mine"));
  try_open("/rw/sub/mine");
  answer("link out", link("/rw/file", "/../outside/linked"));
  answer("rename out", rename("/rw/file", "/rw/dir_out/moved"));
  answer("symlink out", symlink("x", "/rw/dir_out/link"));
  answer("mkdir out", mkdir("/rw/dir_out/made", 0755));
  answer("create out", open("/rw/dangling", O_WRONLY | O_CREAT, 0644));
  answer("truncate out", truncate("/rw/up", 0));
  answer("unlink out", unlink("/rw/dir_out/secret"));
  answer("chmod out", chmod("/rw/up", 0777));
}

static void proc(const char* outside) {
  char path[64];
  int root = open("/", O_RDONLY | O_DIRECTORY), rw = open("/rw", O_PATH | O_DIRECTORY);
  static const char* const places[] = {"/proc/self/root",     "/proc/self/cwd", "/proc/1/root", "/proc/1/cwd",
                                       "/proc/thread-self/root", "/proc/self/exe"};
  for (size_t i = 0; i < sizeof places / sizeof *places; ++i) {
    try_named(places[i], join(join(places[i], outside), "/secret"));
    try_named(places[i], join(places[i], "/../outside/secret"));
    try_named(places[i], join(places[i], "/../../outside/secret"));
    try_named(places[i], join(places[i], "/outside/secret"));
  }
  for (int i = 0; i < 2; ++i) {
    snprintf(path, sizeof path, i == 0 ? "/proc/self/fd/%d" : "/dev/fd/%d", root);
    try_named(path, join(path, "/../outside/secret"));
    try_named(path, join(join(path, outside), "/secret"));
    snprintf(path, sizeof path, "/proc/self/fd/%d", rw);
    try_named(path, join(path, "/up"));
    try_named(path, join(path, "/../../outside/secret"));
  }
  snprintf(path, sizeof path, "/proc/%d/cwd", (int)getppid());
  try_named("parent", join(path, "/../outside/secret"));
  try_named("host processes", "/proc/2/status");
  try_named("memory", "/dev/mem");
  try_named("memory", "/proc/kcore");
  answer("device", mknod("/rw/device", S_IFBLK | 0600, 0x0800));
  try_named("device", "/rw/device");
}

static void race(const char* base, int rounds) {
  const char* const secret = join(base, "/rw/dir/secret");
  const char* const planted = join(base, "/rw/dir/planted");
  const char* const victim = join(base, "/rw/dir/victim");
  const char* const made = join(base, "/rw/dir/made");
  const char* const dir = join(base, "/rw/dir");
  const char* const moved = join(base, "/rw/moved");
  for (int i = 0; i < rounds; ++i) {
    char text[16] = "";
    int fd = open(secret, O_RDONLY);
    if (fd >= 0) {
      if (read(fd, text, sizeof text - 1) > 0 && strstr(text, "CANARY") != NULL) escaped = 1;
      close(fd);
    }
    fd = open(planted, O_WRONLY | O_CREAT, 0644);
    if (fd >= 0) {
      if (write(fd, "planted", 7) != 7) perror("write");
      close(fd);
    }
    mkdir(made, 0755);
    rename(victim, moved);
    unlink(victim);
    truncate(secret, 3);
    chmod(secret, 0600);
    if (chdir(dir) == 0) {
      fd = open("secret", O_RDONLY);
      if (fd >= 0) {
        if (read(fd, text, sizeof text - 1) > 0 && strstr(text, "CANARY") != NULL) escaped = 1;
        close(fd);
      }
    }
    if (chdir("/") != 0) abort();
  }
  if (escaped) puts("ESCAPED: race");
  puts("raced");
}

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  if (strcmp(argv[1], "look") == 0) look(argv[2]);
  if (strcmp(argv[1], "walk") == 0) walk(argv[2]);
  if (strcmp(argv[1], "proc") == 0) proc(argv[2]);
  if (strcmp(argv[1], "race") == 0) race(argv[2], atoi(argv[3]));
  return 0;
}
