/* Rule C5 on 6.18: the two vDSO pages and the vvar page are one fault each on first use, without fault-around.
 * clock_gettime64 and clock_getres stand on the second page. (The functions on the first page may or may not touch the
 * second: some builds of 6.18 keep their PC thunks there. So clock_gettime64 comes first.)
 * The functions are looked up in the image that AT_SYSINFO_EHDR names; the coarse clock reads no hardware. */
#include <sys/auxv.h>
#include <time.h>
#include "support/guest.h"

static const char* vdso;

static int same(const char* a, const char* b) {
  while (*a && *a == *b) ++a, ++b;
  return *a == *b;
}

static void* find(const char* name) {
  const Elf32_Ehdr* eh = (const Elf32_Ehdr*)vdso;
  const Elf32_Phdr* ph = (const Elf32_Phdr*)(vdso + eh->e_phoff);
  const Elf32_Dyn* dyn = 0;
  uintptr_t load = 0;
  for (int i = 0; i < eh->e_phnum; ++i) {
    if (ph[i].p_type == PT_LOAD) load = (uintptr_t)vdso + ph[i].p_offset - ph[i].p_vaddr;
    if (ph[i].p_type == PT_DYNAMIC) dyn = (const Elf32_Dyn*)(vdso + ph[i].p_offset);
  }
  const Elf32_Sym* symbols = 0;
  const char* names = 0;
  for (; dyn && dyn->d_tag; ++dyn) {
    if (dyn->d_tag == DT_SYMTAB) symbols = (const Elf32_Sym*)(load + dyn->d_un.d_ptr);
    if (dyn->d_tag == DT_STRTAB) names = (const char*)(load + dyn->d_un.d_ptr);
  }
  /* Without a hash table's count: the string table follows the symbols in every vDSO. */
  for (const Elf32_Sym* s = symbols; names && (const char*)s < names; ++s) {
    if (s->st_value && same(names + s->st_name, name)) return (void*)(load + s->st_value);
  }
  return 0;
}

int main(void) {
  phases_begin();
  vdso = (const char*)getauxval(AT_SYSINFO_EHDR);
  void* vsyscall = (void*)getauxval(AT_SYSINFO);
  if (!vdso || !vsyscall) {
    put("no vDSO\n");
    return 1;
  }
  (void)read_byte(vdso); /* libc's start-up may or may not have been here */
  long (*gettime)(int, void*) = (long (*)(int, void*))find("__vdso_clock_gettime");
  long (*gettime64)(int, void*) = (long (*)(int, void*))find("__vdso_clock_gettime64");
  long (*gettimeofday_)(void*, void*) = (long (*)(void*, void*))find("__vdso_gettimeofday");
  long (*time_)(void*) = (long (*)(void*))find("__vdso_time");
  long (*getres)(int, void*) = (long (*)(int, void*))find("__vdso_clock_getres");
  if (!gettime || !gettime64 || !gettimeofday_ || !time_ || !getres) {
    put("a function is missing\n");
    return 1;
  }
  long failed = 0;
  long old[2] = {0, 0};
  long long now[2] = {0, 0};
  long pid = 0;
  PHASE("kernel_vsyscall", __asm__ volatile("call *%1" : "=a"(pid) : "r"(vsyscall), "0"(20) : "memory"));
  failed |= pid <= 0;
  PHASE("clock_gettime64", failed |= gettime64(CLOCK_MONOTONIC_COARSE, now));
  PHASE("clock_gettime64_again", failed |= gettime64(CLOCK_REALTIME_COARSE, now));
  PHASE("clock_getres", failed |= getres(CLOCK_MONOTONIC_COARSE, old));
  PHASE("clock_gettime", failed |= gettime(CLOCK_MONOTONIC_COARSE, old));
  PHASE("time", failed |= time_(0) <= 0);
  PHASE("clock_gettime_tsc", failed |= gettime(CLOCK_MONOTONIC, old));
  PHASE("gettimeofday", failed |= gettimeofday_(old, 0));
  if (failed) put("a call failed\n");
  return phases_print();
}
