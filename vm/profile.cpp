// The two kernels. Values from section N of the fault rules (measured) and the kernels' uname.
#include "vm/profile.hpp"

namespace fl::vm {

const KernelProfile& KernelProfile::i386_6_1() {
  static constexpr KernelProfile kProfile{
      .name = "6.1-i386",
      .release = "6.1.0-faultline-686",
      .version = "#1 SMP PREEMPT_DYNAMIC faultline",
      .machine = "i686",
      .stack_top = VirtAddr(0xC0000000),
      .mmap_base = VirtAddr(0xB8000000),
      .address_shift = 0,
      .vvar_pages = 4,
      .vclock_pages = 0,
      .elf_loading = ElfLoading::k6_1,
      .proc_text = ProcText::k6_1,
      .exec_opens_first = false,
      .et_dyn_base = VirtAddr(0x00400000),
      .kernel_pointer_bytes = 4,
      .no_execute = mmu::NoExecute::kUnsupported,
      .fault_around_table_entries = 1024,
      .unwritten_area_takes_written = false,
      .swap_keeps_exclusive = false,
      .mprotect_gives_back = false,
      .mremap_moves_many = false,
      .memfd_seals_exec = false,
      .maps_sealed_for_reading = false,
      .process_madvise_own = false,
      .memcg_stats_late = false,
      .rotations_cost = false,
      .swap_clusters = false,
      .mprotect_wants_dirty = true,
      .populate_passes_holes = true,
      .readahead_marks_beyond_end = false,
      .per_vma_locks = false,
      .auxv_has_rseq = false,
      .user_cs = 0x73,
      .user_ss = 0x7b,
      .first_tls_entry = 6,
  };
  return kProfile;
}

const KernelProfile& KernelProfile::compat_6_18() {
  static constexpr KernelProfile kProfile{
      .name = "6.18-compat",
      .release = "6.18.0-faultline",
      .version = "#1 SMP PREEMPT_DYNAMIC faultline",
      .machine = "x86_64",
      .stack_top = VirtAddr(0xBFFFE000),
      .mmap_base = VirtAddr(0xB7FFE000),
      .address_shift = 0x40000000,
      .vvar_pages = 6,
      .vclock_pages = 2,
      .elf_loading = ElfLoading::k6_18,
      .proc_text = ProcText::k6_18,
      .exec_opens_first = true,
      .et_dyn_base = VirtAddr(0x56555000),
      .kernel_pointer_bytes = 8,
      .no_execute = mmu::NoExecute::kHonoured,
      .fault_around_table_entries = 512,
      .unwritten_area_takes_written = true,
      .swap_keeps_exclusive = true,
      .mprotect_gives_back = true,
      .mremap_moves_many = true,
      .memfd_seals_exec = true,
      .maps_sealed_for_reading = true,
      .process_madvise_own = true,
      .memcg_stats_late = true,
      .rotations_cost = true,
      .swap_clusters = true,
      .mprotect_wants_dirty = false,
      .populate_passes_holes = false,
      .readahead_marks_beyond_end = true,
      .per_vma_locks = true,
      .auxv_has_rseq = true,
      .user_cs = 0x23,
      .user_ss = 0x2b,
      .first_tls_entry = 12,
  };
  return kProfile;
}

const KernelProfile* KernelProfile::find(std::string_view name) {
  for (const KernelProfile* profile : {&i386_6_1(), &compat_6_18()}) {
    if (profile->name == name) {
      return profile;
    }
  }
  return nullptr;
}

}  // namespace fl::vm
