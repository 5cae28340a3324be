/* Section D: what one read fault on a file mapping maps around it. All mappings lie in a range that starts at a
 * multiple of 4 MiB, so every number follows from the window rule (D1), the end of the VMA, the end of the file and the
 * end of the page table (D2: the only number where an x86-64 kernel and an i386 one differ). */
#define _GNU_SOURCE
#include "support/data_file.h"

static int fd;
static char* base;

static char* map_at(unsigned page, unsigned pages, int prot, unsigned file_page) {
  mmap(base, 8u << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
  return mmap(base + page * PAGE, pages * PAGE, prot, MAP_PRIVATE | MAP_FIXED, fd, file_page * PAGE);
}

int main(int argc, char** argv) {
  phases_begin();
  fd = open_data_file(argc, argv, O_RDONLY);
  base = reserve_aligned(8);
  char* p = map_at(0, 256, PROT_READ, 0);
  PHASE("aligned_256", read_pages(p, 0, 256));
  p = map_at(5, 256, PROT_READ, 0);
  PHASE("unaligned_256", read_pages(p, 0, 256));
  p = map_at(0, 256, PROT_READ, 5);
  PHASE("file_offset_unaligned", read_pages(p, 0, 256));
  p = map_at(0, 256, PROT_READ, 0);
  PHASE("backwards", for (int i = 255; i >= 0; --i)(void) read_byte(p + i * PAGE));
  p = map_at(5, 256, PROT_READ, 0);
  PHASE("unaligned_backwards", for (int i = 255; i >= 0; --i)(void) read_byte(p + i * PAGE));
  p = map_at(5, 64, PROT_READ, 0);
  PHASE("first_window_16_of_unaligned", read_pages(p, 0, 16));
  PHASE("next_page_starts_another", read_pages(p, 16, 17));
  PHASE("which_reaches_virtual_32", read_pages(p, 17, 27));
  PHASE("and_not_further", read_pages(p, 27, 28));
  p = map_at(5, 64, PROT_READ, 0);
  PHASE("middle_of_first_window", (void)read_byte(p + 8 * PAGE));
  PHASE("its_whole_window", read_pages(p, 0, 16));
  p = map_at(0, 64, PROT_READ, 0);
  PHASE("last_of_window", (void)read_byte(p + 31 * PAGE));
  PHASE("same_window", read_pages(p, 16, 32));
  PHASE("neighbour_windows", (void)read_byte(p + 15 * PAGE); (void)read_byte(p + 32 * PAGE));
  p = map_at(14, 3, PROT_READ, 0);
  PHASE("vma_of_3_pages", read_pages(p, 0, 3));
  p = map_at(3, 1, PROT_READ, 0);
  PHASE("vma_of_1_page", read_pages(p, 0, 1));
  p = map_at(0, 16, PROT_READ, 290);
  PHASE("end_of_file", read_pages(p, 0, 10));
  p = map_at(507, 64, PROT_READ, 0);
  PHASE("end_of_2MiB", read_pages(p, 0, 16));
  p = map_at(1019, 64, PROT_READ, 0);
  PHASE("end_of_page_table", read_pages(p, 0, 16));
  p = map_at(0, 64, PROT_READ, 0);
  madvise(p, 64 * PAGE, MADV_RANDOM);
  PHASE("madv_random", read_pages(p, 0, 64));
  p = map_at(0, 64, PROT_READ | PROT_EXEC, 0);
  PHASE("executable", read_pages(p, 0, 64));
  p = map_at(0, 64, PROT_READ | PROT_WRITE, 0);
  PHASE("private_writable_read", read_pages(p, 0, 64));
  PHASE("then_written", write_pages(p, 0, 64));
  p = map_at(0, 64, PROT_READ | PROT_WRITE, 0);
  PHASE("write_does_no_window", write_byte(p + 4 * PAGE, 1));
  PHASE("read_fills_the_empty_ones", read_pages(p, 0, 16));
  PHASE("written_page_is_kept", write_byte(p + 4 * PAGE, 2));
  if (page_number(p + 4 * PAGE) != 2 || page_number(p + 5 * PAGE) != 5) put("wrong contents\n");
  /* Two mappings of the same page are two PTEs; a VMA split cuts the windows. */
  p = map_at(0, 64, PROT_READ, 0);
  mprotect(p + 20 * PAGE, 4 * PAGE, PROT_READ | PROT_EXEC);
  PHASE("split_vma", read_pages(p, 0, 64));
  /* Every 16th page, then all. */
  p = map_at(0, 256, PROT_READ, 0);
  PHASE("every_16th", for (int i = 7; i < 256; i += 16)(void) read_byte(p + i * PAGE));
  PHASE("all_after_every_16th", read_pages(p, 0, 256));
  for (unsigned i = 0; i < 256; ++i) {
    if (page_number(p + i * PAGE) != i) {
      put("wrong page\n");
      break;
    }
  }
  return phases_print();
}
