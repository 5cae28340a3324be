/* File calls and what they answer: flags, errors and the order in which they are found, positions, directories, pipes,
 * links, times. Run in an empty directory that may be written; the output must be the native one.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static void show(const char* what, long long result) {
  if (result < 0) {
    printf("%s: errno %d\n", what, errno);
  } else {
    printf("%s: %lld\n", what, result);
  }
}
#define TRY(call) (errno = 0, show(#call, (long long)(call)))
#define FAILED(pointer) ((pointer) == MAP_FAILED ? -1 : 0)

static char buffer[9000];
static struct stat st;

static void flags_and_errors(void) {
  int file = open("text", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0640);
  TRY(write(file, "0123456789", 10));
  printf("%o\n", fcntl(file, F_GETFL));
  int directory = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  printf("%o\n", fcntl(directory, F_GETFL));
  int place = open(".", O_PATH | O_CLOEXEC | O_NOATIME);
  printf("%o\n", fcntl(place, F_GETFL));
  TRY(read(directory, buffer, 0));
  TRY(read(directory, buffer, 1));
  TRY(read(place, buffer, 1));
  TRY(write(directory, buffer, 1));
  TRY(lseek(file, -1, SEEK_SET));
  TRY(lseek(file, 0, 77));
  TRY(pread(file, buffer, 1, -1));
  TRY(open("", O_RDONLY));
  TRY(open("text/", O_RDONLY));
  TRY(open("none/", O_CREAT | O_RDWR, 0));
  TRY(open("text/x", O_RDONLY));
  TRY(open("text", O_DIRECTORY));
  TRY(open("text", O_CREAT | O_EXCL, 0));
  TRY(open(".", O_WRONLY));
  TRY(open(".", O_CREAT, 0));
  TRY(open("/dev/null", O_DIRECTORY));
  TRY(open("/dev/null", O_CREAT | O_EXCL, 0));
  TRY(open("/proc/self/exe", O_NOFOLLOW));
  TRY(open("/proc/self/fd/99", O_RDONLY));
  TRY(readlink("text", buffer, 10));
  TRY(readlink("text", buffer, 0));
  TRY(chdir("text"));
  TRY(rmdir("text"));
  TRY(unlink("."));
  TRY(rmdir("."));
  TRY(rmdir("/"));
  TRY(mkdir("/", 0));
  TRY(rename(".", "x"));
  TRY(symlink("", "x"));
  TRY(dup2(5, 5));
  TRY(dup2(99, 5));
  TRY(dup3(file, file, 0));
  TRY(dup2(file, 1 << 30));
  TRY(fcntl(file, 999));
  TRY(fcntl(file, F_DUPFD, -1));
  TRY(fcntl(place, F_SETFL, 0));
  TRY(fchmod(place, 0));
  TRY(fchdir(place));
  TRY(fchdir(file));
  TRY(ftruncate(directory, 0));
  TRY(ftruncate(file, -1));
  TRY(fsync(place));
  TRY(isatty(file));
  TRY(openat(file, "x", O_RDONLY));
  TRY(openat(99, "x", O_RDONLY));
  TRY(openat(99, "/", O_RDONLY) >= 0);
  TRY(linkat(99, "a", 99, "b", 1));
  TRY(unlinkat(AT_FDCWD, "x", 1));
  TRY(faccessat(AT_FDCWD, "text", R_OK, 8));
  TRY(utimensat(AT_FDCWD, "none", NULL, 0));
  TRY(FAILED(mmap(0, 4096, PROT_READ, MAP_SHARED, directory, 0)));
  TRY(FAILED(mmap(0, 4096, PROT_READ, MAP_SHARED, place, 0)));
  TRY(fallocate(directory, 0, 0, 10));
  TRY(posix_fadvise(file, 0, 0, 9));
  TRY(close(place) + close(directory) + close(file));
  TRY(close(file));
}

static void null_and_zero(void) {
  int null = open("/dev/null", O_RDWR);
  int zero = open("/dev/zero", O_RDWR);
  TRY(ftruncate(null, 0));
  TRY(fallocate(null, 0, 0, 10));
  TRY(lseek(null, 5, SEEK_SET));
  TRY(FAILED(mmap(0, 4096, PROT_READ, MAP_PRIVATE, null, 0)));
  char* memory = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, zero, 0);
  printf("%d\n", memory[17]);
  TRY(syscall(SYS_write, null, 1, 100));
  TRY(write(open("/dev/full", O_WRONLY), "x", 1));
  fstat(zero, &st);
  printf("%o %x\n", st.st_mode, (unsigned)st.st_rdev);
}

static void positions(void) {
  int file = open("text", O_RDWR);
  int copy = dup(file);
  int append = open("text", O_WRONLY | O_APPEND);
  struct iovec vector[3] = {{buffer, 3}, {buffer + 100, 0}, {buffer + 200, 100}};
  TRY(readv(file, vector, 3));
  TRY(lseek(copy, 0, SEEK_CUR));
  TRY(preadv(file, vector, 1, 8));
  TRY(pwrite(append, "ab", 2, 0));
  TRY(lseek(file, 0, SEEK_END));
  TRY(lseek(file, 3, SEEK_DATA));
  TRY(lseek(file, 3, SEEK_HOLE));
  TRY(lseek(file, 100, SEEK_DATA));
  TRY(pwrite(file, "end", 3, 20000));
  TRY(fstat(file, &st));
  printf("%lld\n", (long long)st.st_size);
  TRY(pread(file, buffer, sizeof buffer, 15000));
  printf("%d %c\n", buffer[0], buffer[5000]);
  TRY(ftruncate(file, 5));
  TRY(lseek(file, 0, SEEK_SET));
  TRY(read(file, buffer, sizeof buffer));
  printf("%.5s\n", buffer);
  char* map = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  TRY(pwrite(file, "XY", 2, 1));
  printf("%.5s\n", map);
  map[4] = 'Z';
  TRY(pread(file, buffer, 5, 0));
  printf("%.5s\n", buffer);
  TRY(msync(map, 4096, MS_SYNC));
  int other = open("copy", O_RDWR | O_CREAT, 0600);
  off_t offset = 1;
  TRY(sendfile(other, file, &offset, 100));
  printf("%ld\n", (long)offset);
  TRY(sendfile(other, open("/proc/self/maps", O_RDONLY), NULL, 100));
  lseek(other, 0, SEEK_SET);
  TRY(read(other, buffer, 100));
  printf("%.4s\n", buffer);
}

static int compare_names(const void* a, const void* b) { return strcmp(*(char* const*)a, *(char* const*)b); }

static void directories(void) {
  TRY(mkdir("d", 0700));
  for (int i = 0; i < 300; ++i) {
    snprintf(buffer, sizeof buffer, "d/entry-%d", i);
    close(open(buffer, O_CREAT | O_WRONLY, 0600));
  }
  DIR* dir = opendir("d");
  static char* names[400];
  int count = 0;
  long middle = 0;
  for (struct dirent* entry; (entry = readdir(dir)) != NULL;) {
    names[count++] = strdup(entry->d_name);
    if (count == 150) middle = telldir(dir);
  }
  seekdir(dir, middle);
  printf("%d %d\n", count, strcmp(readdir(dir)->d_name, names[150]));
  rewinddir(dir);
  printf("%d\n", strcmp(readdir(dir)->d_name, names[0]));
  qsort(names, (size_t)count, sizeof *names, compare_names);
  printf("%s %s %s\n", names[0], names[1], names[count - 1]);
  TRY(rmdir("d"));
  TRY(unlink("d"));
  TRY(unlinkat(dirfd(dir), "entry-7", 0));
  TRY(renameat(dirfd(dir), "entry-8", AT_FDCWD, "d/entry-9"));
  TRY(fstatat(dirfd(dir), "entry-8", &st, 0));
  TRY(syscall(SYS_getdents64, dirfd(dir), buffer, 10));
  closedir(dir);
  TRY(chdir("d"));
  TRY(rename("../d", "../e"));
  TRY(open("entry-10", O_RDONLY) >= 0);
  printf("%s\n", strrchr(getcwd(buffer, sizeof buffer), '/'));
  TRY(mkdir("gone", 0700));
  TRY(chdir("gone"));
  TRY(rmdir("../gone"));
  TRY(getcwd(buffer, sizeof buffer) == NULL ? -1 : 0);
  TRY(open("x", O_CREAT | O_WRONLY, 0600));
  TRY(chdir(".."));
  TRY(chdir(".."));
}

static void links(void) {
  TRY(symlink("text", "soft"));
  TRY(symlink("loop", "loop"));
  TRY(symlink("missing", "dangling"));
  TRY(link("text", "hard"));
  TRY(open("loop", O_RDONLY));
  TRY(open("soft", O_RDONLY | O_NOFOLLOW));
  TRY(open("dangling", O_RDONLY));
  TRY(open("dangling", O_CREAT | O_EXCL | O_WRONLY, 0600));
  TRY(close(open("dangling", O_CREAT | O_WRONLY, 0600)));
  TRY(stat("missing", &st));
  TRY(lstat("soft", &st));
  printf("%o %lld %ld\n", st.st_mode, (long long)st.st_size, (long)st.st_nlink);
  TRY(stat("soft", &st));
  printf("%o %ld\n", st.st_mode, (long)st.st_nlink);
  TRY(stat("soft/", &st));
  TRY(rename("text", "hard"));
  TRY(stat("text", &st));
  TRY(syscall(SYS_renameat2, AT_FDCWD, "text", AT_FDCWD, "hard", 1));
  TRY(syscall(SYS_renameat2, AT_FDCWD, "missing", AT_FDCWD, "hard", 2));
  TRY(unlink("loop"));
  struct timespec times[2] = {{1000000000, 5}, {1100000000, 7}};
  TRY(utimensat(AT_FDCWD, "soft", times, AT_SYMLINK_NOFOLLOW));
  TRY(lstat("soft", &st));
  printf("%ld.%ld %ld.%ld\n", (long)st.st_atim.tv_sec, st.st_atim.tv_nsec, (long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
  TRY(chmod("soft", 04711));
  TRY(stat("text", &st));
  printf("%o\n", st.st_mode);
  TRY(access("text", X_OK));
  int file = open("text", O_RDWR);
  TRY(unlink("text"));
  TRY(fstat(file, &st));
  TRY(write(file, "still", 5));
  struct statfs fs;
  TRY(statfs(".", &fs));
  printf("%ld\n", (long)fs.f_namelen);
}

static void pipes(void) {
  int p[2];
  TRY(pipe2(p, O_NONBLOCK));
  fstat(p[0], &st);
  printf("%o %ld %o %o\n", st.st_mode, (long)st.st_blksize, fcntl(p[0], F_GETFL), fcntl(p[1], F_GETFL));
  TRY(fcntl(p[0], F_GETPIPE_SZ));
  TRY(read(p[0], buffer, 1));
  TRY(lseek(p[0], 0, SEEK_SET));
  TRY(pread(p[0], buffer, 1, 0));
  TRY(ftruncate(p[1], 0));
  TRY(fsync(p[0]));
  TRY(write(p[0], "x", 1));
  static char large[100000];
  TRY(write(p[1], large, sizeof large));
  TRY(write(p[1], large, 1));
  int available = 0;
  TRY(ioctl(p[0], FIONREAD, &available));
  printf("%d\n", available);
  struct pollfd fds[3] = {{p[0], POLLIN | POLLOUT, 0}, {p[1], POLLIN | POLLOUT, 0}, {77, POLLIN, 0}};
  TRY(poll(fds, 3, 0));
  printf("%x %x %x\n", fds[0].revents, fds[1].revents, fds[2].revents);
  while (read(p[0], large, sizeof large) > 0) {
  }
  fd_set set;
  FD_ZERO(&set);
  FD_SET(p[0], &set);
  struct timeval timeout = {0, 1000};
  TRY(select(p[0] + 1, &set, NULL, NULL, &timeout));
  printf("%d\n", FD_ISSET(p[0], &set) ? 1 : 0);
  close(p[1]);
  fds[0].revents = 0;
  TRY(poll(fds, 1, 0));
  printf("%x\n", fds[0].revents);
  TRY(read(p[0], buffer, 10));
  TRY(pipe(p));
  close(p[0]);
  signal(SIGPIPE, SIG_IGN);
  TRY(write(p[1], "x", 1));
}

int main(void) {
  setvbuf(stdout, NULL, _IOFBF, 1 << 16);
  umask(027);
  flags_and_errors();
  null_and_zero();
  positions();
  directories();
  links();
  pipes();
  return 0;
}
