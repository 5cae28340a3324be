// KernelProfile: the Linux that is imitated, and everything in which two kernels differ.
//
// Read by vm (address-space layout, fault-around), loaders (auxv, vDSO place) and guest (selectors, TLS slots, uname).
// 6.1-i386 is Debian 12's 686 kernel: 3G/1G, two-level page tables, no no-execute. 6.18-compat is an x86-64 6.18 kernel
// that runs an i386 program; its stack, vDSO and searched mappings stand 1 GiB lower here than on the real machine,
// because the top GiB is ours (KernelProfile::address_shift), so that alignments modulo 4 MiB stay the same.
#pragma once

#include <cstdint>
#include <string_view>

#include "mmu/base/addr.hpp"
#include "mmu/mmu.hpp"

namespace fl::vm {

// In what binfmt_elf differs. k6_1 (6.1.176, i386): at most a page of program headers; a bss tail that cannot be
// cleared is ignored. k6_18 (x86-64): 64 KiB of them; such a tail is fatal in a writable segment.
enum class ElfLoading : uint8_t { k6_1, k6_18 };

// In what the files of /proc/PID differ. k6_18 has more: a line for KSM in smaps, Kthread in status, the semaphore in
// an eventfd's fdinfo, names for flags that 6.1 shows as "??", the size of a directory of descriptors.
enum class ProcText : uint8_t { k6_1, k6_18 };

struct KernelProfile {
  std::string_view name;
  // uname -r, -v and -m as a program sees them.
  std::string_view release;
  std::string_view version;
  std::string_view machine;

  // Address-space layout without ASLR. Linux: STACK_TOP, mm->mmap_base.
  VirtAddr stack_top;
  VirtAddr mmap_base;
  // Real address minus simulated address of stack, vDSO and searched mappings.
  uint32_t address_shift;
  // Pages of vvar (with its clock pages) below the two pages of the vDSO.
  uint32_t vvar_pages;
  // How many of them, the upper ones, stand in an area of their own, [vvar_vclock].
  uint32_t vclock_pages;
  ElfLoading elf_loading;
  ProcText proc_text;
  // execve opens the file before it copies the argument strings (since 6.8), which decides what a failing one faults.
  bool exec_opens_first;
  // Where an ET_DYN program with an interpreter goes, and the heap of one without (a static-PIE). Linux:
  // ELF_ET_DYN_BASE.
  VirtAddr et_dyn_base;
  // sizeof(void *) in the kernel: exec leaves as much free above the path string, and counts pointers with it.
  uint32_t kernel_pointer_bytes;

  mmu::NoExecute no_execute;
  // Entries of a last-level page table, where a fault-around window ends (rule D2).
  uint32_t fault_around_table_entries;
  // An area that was never written takes a written neighbour into itself when their rights become equal; before 6.16
  // only the written one takes the other. Linux: is_mergeable_anon_vma.
  bool unwritten_area_takes_written;
  // A page-table entry in swap remembers that its page is nobody else's, so that a read brings it back writable. Linux:
  // __HAVE_ARCH_PTE_SWP_EXCLUSIVE (on i386 since 6.3), and do_swap_page since 6.8.
  bool swap_keeps_exclusive;
  // An anonymous area that was never written is charged no longer when it becomes read-only (since 6.7), and so merges
  // with one that was mapped read-only. Linux: mprotect_fixup.
  bool mprotect_gives_back;
  // mremap checks everything before it unmaps, and moves several areas at once (since 6.17). Linux: remap_move.
  bool mremap_moves_many;
  // A memfd may be made with MFD_EXEC or MFD_NOEXEC_SEAL, and sealed with F_SEAL_EXEC (since 6.3).
  bool memfd_seals_exec;
  // A memfd that is sealed against writing may still be mapped shared for reading (since 6.7).
  bool maps_sealed_for_reading;
  // process_madvise gives a process any advice for itself, without CAP_SYS_NICE (since 6.13).
  bool process_madvise_own;
  // Reclaim under a memory limit decides by counters that are up to two seconds old (since 6.7); before, they are
  // brought up to date when it begins. Linux: mem_cgroup_flush_stats_ratelimited in prepare_scan_control.
  bool memcg_stats_late;
  // What reclaim looked at in vain, and what it left active, counts as cost, too, and a write counts for 32 of those
  // (since 6.3). Linux: lru_note_cost with nr_rotated.
  bool rotations_cost;
  // Swap slots are given out by clusters, those in part free before those wholly free, on disks that rotate, too (since
  // 6.13). Linux: cluster_alloc_swap_entry; before, scan_swap_map_slots.
  bool swap_clusters;
  // A page that has not been written since it was made clean (MADV_FREE) stays read-only when mprotect gives its area
  // the right to write; since 6.2 it is enough that the page is nobody else's. Linux: can_change_pte_writable.
  bool mprotect_wants_dirty;
  // MADV_POPULATE_READ and _WRITE go on behind a hole, as other advice does; since 6.9 they end there. Linux:
  // madvise_populate within madvise_walk_vmas.
  bool populate_passes_holes;
  // A window that is read ahead beyond the end of a file has its mark where the whole window would have it; else it is
  // counted from the last page. Linux: page_cache_ra_order on a file system with large folios (ext4 since 6.16).
  bool readahead_marks_beyond_end;
  // A fault of the program first tries with its area's lock alone (since 6.4, where there is CONFIG_PER_VMA_LOCK); if
  // it has to wait for pages that are being read ahead it counts as minor. Linux: lock_vma_under_rcu,
  // do_user_addr_fault.
  bool per_vma_locks;
  // AT_RSEQ_FEATURE_SIZE and AT_RSEQ_ALIGN are in the auxv.
  bool auxv_has_rseq;

  // Selectors of user mode, and the first of the three TLS entries of the GDT.
  uint16_t user_cs;
  uint16_t user_ss;
  uint32_t first_tls_entry;

  // "6.1-i386" or "6.18-compat"; null for any other name.
  static const KernelProfile* find(std::string_view name);
  static const KernelProfile& i386_6_1();
  static const KernelProfile& compat_6_18();
};

// Gap that a growing stack keeps from the mapping below it. Linux: stack_guard_gap.
inline constexpr uint32_t kStackGuardGap = 256u << kPageShift;
// Lowest address that an unprivileged program may map. Linux: vm.mmap_min_addr.
inline constexpr uint32_t kMmapMinAddr = 65536;
// Most VMAs of one address space, unless vm.max_map_count says otherwise. Linux: DEFAULT_MAX_MAP_COUNT.
inline constexpr uint32_t kDefaultMaxMapCount = 65530;
// Pages that one fault on a file page maps. Linux: fault_around_bytes / PAGE_SIZE.
inline constexpr uint32_t kFaultAroundPages = 16;

}  // namespace fl::vm
