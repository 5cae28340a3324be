// Mapping segments, bss and heap of an ELF image. See load_elf.hpp.
#include "loaders/load_elf.hpp"

#include <algorithm>

#include "mmu/layout.hpp"
#include "vm/memory_system.hpp"
#include "vm/user_access.hpp"

namespace fl::loaders {
namespace {

// Linux: make_prot.
uint32_t protection_of(const ElfSegment& segment) {
  const uint32_t flags = segment.flags;
  return ((flags & kPfR) != 0 ? vm::Prot::kRead : 0u) | ((flags & kPfW) != 0 ? vm::Prot::kWrite : 0u) |
         ((flags & kPfX) != 0 ? vm::Prot::kExec : 0u);
}

VirtAddr page_up(VirtAddr addr) { return VirtAddr(static_cast<uint32_t>(page_align_up(addr.value()))); }

class ImageMapper {
 public:
  ImageMapper(vm::AddressSpace& mm, vm::FaultCounters& task, std::shared_ptr<const vm::MappedFile> file)
      : mm_(mm), task_(task), file_(std::move(file)) {}

  // Maps a segment with its bss at page `at`; gives the address. With `total_size`, room for the whole image is found
  // first. Linux: elf_load.
  Result<VirtAddr> map(const ElfSegment& segment, VirtAddr at, uint32_t flags, uint32_t total_size) {
    FL_TRY_ASSIGN(const VirtAddr mapped, map_file_pages(segment, at, flags, total_size));
    const uint32_t bias = mapped - segment.map_start;
    if (segment.zero_size != 0) {
      FL_TRY(clear_tail(segment, bias));
    }
    if (segment.bss_size != 0) {
      FL_TRY(map_bss(segment, bias));
    }
    return mapped;
  }

 private:
  // Linux: elf_map.
  Result<VirtAddr> map_file_pages(const ElfSegment& segment, VirtAddr at, uint32_t flags, uint32_t total_size) {
    const uint32_t size = segment.map_size;
    if (size == 0) {
      return at;
    }
    const auto total = static_cast<uint32_t>(page_align_up(total_size));
    FL_TRY_ASSIGN(const VirtAddr mapped, mm_.mmap({.addr = at,
                                                   .length = total != 0 ? total : size,
                                                   .prot = protection_of(segment),
                                                   .flags = vm::MapFlag::kPrivate | flags,
                                                   .file = file_,
                                                   .pgoff = segment.file_offset >> kPageShift},
                                                  task_));
    // For an image with holes or bss the end of the room is not file.
    if (total > size) {
      FL_TRY(mm_.munmap(mapped + size, total - size));
    }
    return mapped;
  }

  // Linux: padzero. What may go wrong (the page is not writable, or behind the end of the file) stops only 6.18, and
  // only where the program wanted to write there.
  Status clear_tail(const ElfSegment& segment, uint32_t bias) {
    const bool cleared = vm::UserAccess(mm_, task_).clear(segment.zero_start + bias, segment.zero_size).has_value();
    const bool reports = mm_.memory().profile().elf_loading == vm::ElfLoading::k6_18;
    if (!cleared && reports && (segment.flags & kPfW) != 0) {
      return fail(Errno::kEFAULT);
    }
    return {};
  }

  // Anonymous pages that replace what is there. Linux: vm_brk_flags.
  Status map_bss(const ElfSegment& segment, uint32_t bias) {
    const VirtAddr start = segment.bss_start + bias;
    if (start.value() < vm::kMmapMinAddr) {
      return fail(Errno::kEPERM);
    }
    const bool executable = (segment.flags & kPfX) != 0 || mm_.read_implies_exec();
    return mm_.map_anonymous_fixed(start, segment.bss_size, executable ? uint32_t{vm::Prot::kExec} : 0u);
  }

  vm::AddressSpace& mm_;
  vm::FaultCounters& task_;
  std::shared_ptr<const vm::MappedFile> file_;
};

// How the first segment of a program is placed, and where. ET_EXEC and an ET_DYN with an interpreter know their place,
// a static-PIE is put at the top of the mmap region.
struct Placement {
  VirtAddr at;
  uint32_t flags = 0;
  uint32_t total_size = 0;
};

Result<Placement> place_program(vm::AddressSpace& mm, Aslr& aslr, const ElfImage& image, const ElfPlan& plan) {
  const VirtAddr first = plan.segments.front().map_start;
  if (image.type == ElfType::kExec) {
    return Placement{first, vm::MapFlag::kFixedNoReplace, 0};
  }
  const vm::KernelProfile& profile = mm.memory().profile();
  const uint32_t alignment_mask = ~(plan.alignment - 1);
  if (image.interpreter.has_value()) {
    const VirtAddr base = profile.et_dyn_base + aslr.image_offset();
    return Placement{VirtAddr(base.value() & alignment_mask), vm::MapFlag::kFixedNoReplace, plan.total_size};
  }
  if (plan.alignment <= kPageSize) {
    return Placement{VirtAddr(0), 0, plan.total_size};
  }
  // Linux maps it once to learn where it would go, and takes the aligned address below.
  FL_TRY_ASSIGN(const VirtAddr found,
                mm.unmapped_area(VirtAddr(0), static_cast<uint32_t>(page_align_up(plan.total_size))));
  return Placement{VirtAddr(found.value() & alignment_mask), vm::MapFlag::kFixedNoReplace, plan.total_size};
}

// The first segment where `first` says, the others relative to it. Gives the bias.
Result<uint32_t> map_segments(ImageMapper& mapper, const std::vector<ElfSegment>& segments, Placement first) {
  uint32_t bias = 0;
  for (const ElfSegment& segment : segments) {
    if (&segment == &segments.front()) {
      FL_TRY_ASSIGN(const VirtAddr at, mapper.map(segment, first.at, first.flags, first.total_size));
      bias = at - segment.map_start;
    } else {
      FL_TRY(mapper.map(segment, segment.map_start + bias, vm::MapFlag::kFixed, 0));
    }
  }
  return bias;
}

void set_layout(vm::AddressSpace& mm, Aslr& aslr, const ElfImage& image, const ElfPlan& plan, uint32_t bias) {
  const vm::KernelProfile& profile = mm.memory().profile();
  vm::ProgramLayout& layout = mm.layout();
  layout.start_code = plan.start_code + bias;
  layout.end_code = plan.end_code + bias;
  layout.start_data = plan.start_data + bias;
  layout.end_data = plan.end_data + bias;

  VirtAddr brk = page_up(plan.end_bss + bias);
  if (image.type == ElfType::kDyn && !image.interpreter.has_value()) {
    // A static-PIE stands at the top of the mmap region, where a heap would soon meet the stack.
    brk = profile.et_dyn_base;
  } else if (aslr.on()) {
    brk += kPageSize;
  }
  layout.start_brk = layout.brk = aslr.randomize_brk(brk);
}

}  // namespace

Result<LoadedImage> load_elf(vm::AddressSpace& mm, vm::FaultCounters& task, Aslr& aslr,
                             const std::shared_ptr<const vm::MappedFile>& file, const ElfImage& image) {
  FL_TRY_ASSIGN(const ElfPlan plan, plan_elf(image, mmu::kTaskSize));
  uint32_t bias = 0;
  if (!plan.segments.empty()) {
    ImageMapper mapper(mm, task, file);
    FL_TRY_ASSIGN(const Placement first, place_program(mm, aslr, image, plan));
    FL_TRY_ASSIGN(bias, map_segments(mapper, plan.segments, first));
  }
  set_layout(mm, aslr, image, plan, bias);
  const LoadedImage loaded{plan.entry + bias, plan.phdr + bias, bias};
  if (!image.interpreter.has_value() && mmu::is_kernel_address(loaded.entry)) {
    return fail(Errno::kEINVAL);
  }
  return loaded;
}

Result<LoadedImage> load_elf_interpreter(vm::AddressSpace& mm, vm::FaultCounters& task,
                                         const std::shared_ptr<const vm::MappedFile>& file, const ElfImage& image,
                                         const LoadedImage& program) {
  const auto plan = plan_elf(image, mmu::kTaskSize);
  if (!plan) {
    return fail(Errno::kENOMEM);
  }
  if (plan->total_size == 0) {
    return fail(Errno::kEINVAL);
  }
  ImageMapper mapper(mm, task, file);
  Placement first{plan->segments.front().map_start, 0, plan->total_size};
  if (image.type == ElfType::kExec) {
    first.flags = vm::MapFlag::kFixed;
  } else if (program.bias != 0) {
    first.at = VirtAddr(0);
  }
  FL_TRY_ASSIGN(const uint32_t bias, map_segments(mapper, plan->segments, first));
  const LoadedImage loaded{plan->entry + bias, plan->phdr + bias, bias};
  if (mmu::is_kernel_address(loaded.entry)) {
    return fail(Errno::kEINVAL);
  }
  return loaded;
}

}  // namespace fl::loaders
