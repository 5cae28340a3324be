/* Where things stand, as differences that do not depend on where the stack is: the order of the auxiliary vector and
 * its constant entries; the distances between stack top, vDSO and the first mapping (ET_EXEC) or the image
 * (static-PIE); where brk starts. ASLR off. (6.18-compat and the real machine differ by a constant 1 GiB in the three
 * of them.) */
#include <elf.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>
#include "support/guest.h"

extern char** environ;

int main(int argc, char** argv) {
  (void)argc;
  char* first = mmap(0, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  const uintptr_t heap = (uintptr_t)raw3(45, 0, 0, 0);
  char** p = environ;
  while (*p++) {
  }
  printf("auxv:");
  for (const Elf32_auxv_t* aux = (const Elf32_auxv_t*)p;; ++aux) {
    printf(" %u", aux->a_type);
    if (aux->a_type == AT_NULL) break;
  }
  printf("\npagesz %lu clktck %lu phent %lu flags %lu secure %lu base %lx\n", getauxval(AT_PAGESZ),
         getauxval(AT_CLKTCK), getauxval(AT_PHENT), getauxval(AT_FLAGS), getauxval(AT_SECURE), getauxval(AT_BASE));
  printf("platform %s, entry %s, phdr %s, execfn %s, random %s\n", (const char*)getauxval(AT_PLATFORM),
         __ehdr_start.e_entry + (__ehdr_start.e_type == ET_DYN ? (uintptr_t)&__ehdr_start : 0) == getauxval(AT_ENTRY)
             ? "right"
             : "wrong",
         (uintptr_t)&__ehdr_start + __ehdr_start.e_phoff == getauxval(AT_PHDR) ? "right" : "wrong",
         strcmp((const char*)getauxval(AT_EXECFN), argv[0]) == 0 ? "right" : "wrong",
         getauxval(AT_RANDOM) % 4096 ? "there" : "odd");
  const char* execfn = (const char*)getauxval(AT_EXECFN);
  const uintptr_t stack_top = ((uintptr_t)execfn + strlen(execfn) + 1 + 4 + PAGE - 1) & -PAGE;
  const uintptr_t vdso = getauxval(AT_SYSINFO_EHDR), image = (uintptr_t)&__ehdr_start;
  printf("execfn ends %d below the stack top\n", (int)(stack_top - ((uintptr_t)execfn + strlen(execfn) + 1)));
  printf("stack top - vdso %lx, sysinfo on vdso page %lx\n", (unsigned long)(stack_top - vdso),
         (unsigned long)(getauxval(AT_SYSINFO) - vdso) / PAGE);
  printf("vdso - end of the first mapping %lx\n", (unsigned long)(vdso - ((uintptr_t)first + PAGE)));
  if (__ehdr_start.e_type == ET_DYN) {
    const Elf32_Phdr* ph = (const Elf32_Phdr*)(image + __ehdr_start.e_phoff);
    uintptr_t end = 0;
    for (int i = 0; i < __ehdr_start.e_phnum; ++i)
      if (ph[i].p_type == PT_LOAD && ph[i].p_vaddr + ph[i].p_memsz > end) end = ph[i].p_vaddr + ph[i].p_memsz;
    printf("static-PIE: stack top - image end %lx, image start - vdso %lx, brk page %lx\n",
           (unsigned long)(stack_top - ((image + end + PAGE - 1) & -PAGE)), (unsigned long)(image - vdso),
           (unsigned long)(heap & -PAGE) >> 12 << 12);
  } else {
    printf("image at %lx\n", (unsigned long)image);
  }
  return 0;
}
