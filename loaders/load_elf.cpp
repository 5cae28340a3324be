// Mapping segments, bss and heap of an ELF image. See load_elf.hpp.
#include "loaders/load_elf.hpp"

#include <algorithm>

#include "mmu/layout.hpp"
#include "vm/memory_system.hpp"
#include "vm/user_access.hpp"

namespace fl::loaders {
namespace {

// A PT_LOAD as both steps need it: what to map, and the exact end of its file bytes and of its memory.
struct Segment {
  ElfSegment plan;
  uint32_t file_size;
  VirtAddr file_end;
  VirtAddr memory_end;
};

std::vector<Segment> segments_of(const ElfImage& image, const ElfPlan& plan) {
  std::vector<Segment> segments;
  for (const ElfProgramHeader& header : image.program_headers) {
    if (header.p_type == kPtLoad) {
      const VirtAddr start(header.p_vaddr);
      segments.push_back(
          {plan.segments[segments.size()], header.p_filesz, start + header.p_filesz, start + header.p_memsz});
    }
  }
  return segments;
}

// Linux: make_prot.
uint32_t protection_of(const Segment& segment) {
  const uint32_t flags = segment.plan.flags;
  return ((flags & kPfR) != 0 ? vm::Prot::kRead : 0u) | ((flags & kPfW) != 0 ? vm::Prot::kWrite : 0u) |
         ((flags & kPfX) != 0 ? vm::Prot::kExec : 0u);
}

VirtAddr page_up(VirtAddr addr) { return VirtAddr(static_cast<uint32_t>(page_align_up(addr.value()))); }

class ImageMapper {
 public:
  ImageMapper(vm::AddressSpace& mm, vm::FaultCounters& task, std::shared_ptr<const vm::MappedFile> file)
      : mm_(mm), task_(task), user_(mm, task), file_(std::move(file)) {}

  // Maps the file pages of a segment at its page + bias; with `total_size`, room for the whole image is found first.
  // Linux: elf_map.
  Result<VirtAddr> map_file_pages(const Segment& segment, VirtAddr at, uint32_t flags, uint32_t total_size) {
    if (segment.plan.map_size == 0) {
      return at;
    }
    const auto total = static_cast<uint32_t>(page_align_up(total_size));
    const uint32_t size = segment.plan.map_size;
    FL_TRY_ASSIGN(const VirtAddr mapped, mm_.mmap({.addr = at,
                                                   .length = total != 0 ? total : size,
                                                   .prot = protection_of(segment),
                                                   .flags = vm::MapFlag::kPrivate | flags,
                                                   .file = file_,
                                                   .pgoff = segment.plan.file_offset >> kPageShift},
                                                  task_));
    // For an image with holes or bss the end of the room is not file.
    if (total > size) {
      FL_TRY(mm_.munmap(mapped + size, total - size));
    }
    return mapped;
  }

  // The way of 6.18: file pages and bss of one segment. Linux: elf_load.
  Result<VirtAddr> map_with_bss(const Segment& segment, VirtAddr at, uint32_t flags, uint32_t total_size) {
    if (segment.file_size == 0) {
      const bool empty = segment.memory_end == segment.file_end;
      const VirtAddr end = empty ? at : at + (segment.memory_end - segment.plan.map_start);
      FL_TRY(map_bss(at, page_up(end), protection_of(segment)));
      return at;
    }
    FL_TRY_ASSIGN(const VirtAddr mapped, map_file_pages(segment, at, flags, total_size));
    const uint32_t bias = mapped - segment.plan.map_start;
    if (segment.memory_end > segment.file_end) {
      const VirtAddr zero_start = segment.file_end + bias;
      const bool cleared = clear_page_tail(zero_start).has_value();
      if (!cleared && (segment.plan.flags & kPfW) != 0) {
        return fail(Errno::kEFAULT);
      }
      FL_TRY(map_bss(page_up(zero_start), page_up(segment.memory_end + bias), protection_of(segment)));
    }
    return mapped;
  }

  // Anonymous pages, [start, end), replacing what is there. Linux: set_brk, vm_brk_flags.
  Status map_bss(VirtAddr start, VirtAddr end, uint32_t prot) {
    if (end <= start) {
      return {};
    }
    if (start.value() < vm::kMmapMinAddr) {
      return fail(Errno::kEPERM);
    }
    const bool executable = (prot & vm::Prot::kExec) != 0 || mm_.read_implies_exec();
    return mm_.map_anonymous_fixed(start, end - start, executable ? uint32_t{vm::Prot::kExec} : 0u);
  }

  // Clears from `start` to the end of its page. Linux: padzero.
  Status clear_page_tail(VirtAddr start) {
    return start.page_aligned() ? Status{} : user_.clear(start, kPageSize - start.page_offset());
  }

  vm::UserAccess& user() { return user_; }

 private:
  vm::AddressSpace& mm_;
  vm::FaultCounters& task_;
  vm::UserAccess user_;
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
  if (plan.alignment <= kPageSize || profile.elf_loading == vm::ElfLoading::k6_1) {
    return Placement{VirtAddr(0), 0, plan.total_size};
  }
  // Linux maps it once to learn where it would go, and takes the aligned address below.
  FL_TRY_ASSIGN(const VirtAddr found,
                mm.unmapped_area(VirtAddr(0), static_cast<uint32_t>(page_align_up(plan.total_size))));
  return Placement{VirtAddr(found.value() & alignment_mask), vm::MapFlag::kFixedNoReplace, plan.total_size};
}

// All segments the way of 6.18. Gives the bias.
Result<uint32_t> map_each_with_bss(ImageMapper& mapper, const std::vector<Segment>& segments, Placement first) {
  uint32_t bias = 0;
  for (const Segment& segment : segments) {
    if (&segment == &segments.front()) {
      FL_TRY_ASSIGN(const VirtAddr at, mapper.map_with_bss(segment, first.at, first.flags, first.total_size));
      bias = at - segment.plan.map_start;
    } else {
      FL_TRY(mapper.map_with_bss(segment, segment.plan.map_start + bias, vm::MapFlag::kFixed, 0));
    }
  }
  return bias;
}

// All segments the way of 6.1: one bss behind the whole image, and an intermediate one when another segment follows.
Result<uint32_t> map_then_bss(ImageMapper& mapper, const std::vector<Segment>& segments, Placement first) {
  uint32_t bias = 0;
  VirtAddr bss;  // end of file bytes, Linux: elf_bss
  VirtAddr end;  // end of memory, Linux: elf_brk
  uint32_t bss_prot = 0;
  for (const Segment& segment : segments) {
    if (end > bss) {
      FL_TRY(mapper.map_bss(page_up(bss + bias), page_up(end + bias), bss_prot));
      const uint32_t tail = bss.page_aligned() ? 0 : std::min(kPageSize - bss.page_offset(), end - bss);
      if (tail != 0) {
        // May fail where protections are odd; Linux does not mind.
        static_cast<void>(mapper.user().clear(bss + bias, tail));
      }
    }
    if (&segment == &segments.front()) {
      FL_TRY_ASSIGN(const VirtAddr at, mapper.map_file_pages(segment, first.at, first.flags, first.total_size));
      bias = at - segment.plan.map_start;
    } else {
      FL_TRY(mapper.map_file_pages(segment, segment.plan.map_start + bias, vm::MapFlag::kFixed, 0));
    }
    bss = std::max(bss, segment.file_end);
    if (segment.memory_end > end) {
      end = segment.memory_end;
      bss_prot = protection_of(segment);
    }
  }
  FL_TRY(mapper.map_bss(page_up(bss + bias), page_up(end + bias), bss_prot));
  if (bss != end) {
    FL_TRY(mapper.clear_page_tail(bss + bias));
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
  const bool static_pie = image.type == ElfType::kDyn && !image.interpreter.has_value();
  if (static_pie && (profile.static_pie_brk.has_value() || aslr.on())) {
    brk = profile.static_pie_brk.value_or(profile.et_dyn_base);
  } else if (aslr.on() && profile.elf_loading == vm::ElfLoading::k6_18) {
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
    const std::vector<Segment> segments = segments_of(image, plan);
    FL_TRY_ASSIGN(const Placement first, place_program(mm, aslr, image, plan));
    const bool by_segment = mm.memory().profile().elf_loading == vm::ElfLoading::k6_18;
    FL_TRY_ASSIGN(bias,
                  by_segment ? map_each_with_bss(mapper, segments, first) : map_then_bss(mapper, segments, first));
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
  const std::vector<Segment> segments = segments_of(image, *plan);
  Placement first{segments.front().plan.map_start, 0, plan->total_size};
  if (image.type == ElfType::kExec) {
    first.flags = vm::MapFlag::kFixed;
  } else if (program.bias != 0) {
    first.at = VirtAddr(0);
  }
  FL_TRY_ASSIGN(const uint32_t bias, map_each_with_bss(mapper, segments, first));
  const LoadedImage loaded{plan->entry + bias, plan->phdr + bias, bias};
  if (mmu::is_kernel_address(loaded.entry)) {
    return fail(Errno::kEINVAL);
  }
  return loaded;
}

}  // namespace fl::loaders
