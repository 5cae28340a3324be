// The TLB fill hook: Unicorn's TLB missed, the page tables answer.
//
// A hit becomes an entry with these rights (measured to be both right and fast):
//   * W only if the table entry is writable and dirty, so that the first store comes here and sets D;
//   * a frame that code was fetched from (`has_code`, sticky) gets X with its W: without X the engine stops watching
//   the
//     page for changed code; every other frame gets W or X, never both, because both make stores slow;
//   * the first fetch from a frame takes away all writable entries for it: a flush, if one may exist.
// A page that must not be executed (no-execute bit) gets no X. A store to such an alias of a code frame drops the code
// instead of watching the page.
//
// Kernel addresses are answered for the CPU's own purposes only (Phase); everything else is a user fault with P set.
#include "emu/cpu/monitor_layout.hpp"
#include "emu/cpu/unicorn_cpu.hpp"

namespace fl::emu {
namespace {

mmu::Access access_of(uc_mem_type type) {
  switch (type) {
    case UC_MEM_WRITE:
      return mmu::Access::kWrite;
    case UC_MEM_FETCH:
      return mmu::Access::kFetch;
    default:
      return mmu::Access::kRead;
  }
}

bool answer(uc_tlb_entry& entry, uint64_t physical, uint32_t rights) {
  entry.paddr = physical;
  entry.perms = static_cast<uc_prot>(rights);
  return true;
}

}  // namespace

bool UnicornCpu::fill_hook(uc_engine* /*uc*/, uint64_t va, uc_mem_type type, uc_tlb_entry* entry, void* self) {
  return static_cast<UnicornCpu*>(self)->fill(va, access_of(type), *entry);
}

// For cached_translations(): the entry was just seen by translate(), which sets no more than its A and D bits.
bool UnicornCpu::keeping_fill_hook(uc_engine* /*uc*/, uint64_t va, uc_mem_type type, uc_tlb_entry* entry, void* self) {
  auto& cpu = *static_cast<UnicornCpu*>(self);
  const bool answered = cpu.fill(va, access_of(type), *entry);
  if (answered && cpu.phase_ == Phase::kRunning && va < mmu::kPageOffset) {
    const VirtAddr page = VirtAddr(static_cast<uint32_t>(va)).page();
    cpu.kept_translations_[page] = cpu.mmu_->translate(page, access_of(type), mmu::Privilege::kUser).pte;
  }
  return answered;
}

bool UnicornCpu::refuse(VirtAddr page, mmu::Access access, bool kernel) {
  // The first miss of a run is the fault; the engine may ask again on its way out.
  if (stop_ == Stop::kNone) {
    stop_ = Stop::kMiss;
    miss_ = Miss{page, access, kernel};
  }
  return false;
}

bool UnicornCpu::fill(uint64_t va64, mmu::Access access, uc_tlb_entry& entry) {
  // Linear addresses have 32 bits; the engine goes on counting when an access runs past the end.
  if (va64 >= mmu::kPageOffset || (phase_ != Phase::kRunning && phase_ != Phase::kBoot)) {
    return fill_kernel(va64, access, entry);
  }
  const VirtAddr va(static_cast<uint32_t>(va64));
  if (phase_ == Phase::kBoot || stop_ != Stop::kNone) {
    return refuse(va, access, /*kernel=*/false);
  }
  const mmu::Translation found = mmu_->translate(va, access, mmu::Privilege::kUser);
  if (!found.hit) {
    return refuse(va, access, /*kernel=*/false);
  }

  const Pfn pfn = found.pte.pfn();
  FrameState& frame = frames_[pfn.value()];
  const bool executable = mmu_->no_execute() == mmu::NoExecute::kUnsupported || !found.pte.no_execute();
  const bool store_allowed = found.pte.writable() && found.pte.dirty();
  ++fills_since_flush_;
  maybe_grow();
  if (access == mmu::Access::kFetch && !frame.has_code) {
    frame.has_code = true;
    if (frame.writable_epoch == epoch_) {
      flush_now();
    }
  }
  uint32_t rights = UC_PROT_READ;
  if (frame.has_code && executable) {
    rights |= UC_PROT_EXEC | (store_allowed ? uint32_t{UC_PROT_WRITE} : 0u);
  } else if (frame.has_code && access == mmu::Access::kWrite && unwatched_ == pfn) {
    rights |= UC_PROT_WRITE;
  } else if (frame.has_code && access == mmu::Access::kWrite) {
    // Taken by run(): the code is dropped, and the store is tried again on a frame without code.
    dropping_ = pfn;
    stop_ = Stop::kDropCode;
    return false;
  } else if (!frame.has_code && store_allowed) {
    rights |= UC_PROT_WRITE;
    frame.writable_epoch = epoch_;
  }
  if (probe_points_ != 0) [[unlikely]] {
    note_translation(frame, va.page());
    if ((probe_points_ & CpuProbe::kFills) != 0) {
      probe_->on_fill(va.page(), access, found.pte);
    }
  }
  return answer(entry, uint64_t{pfn.value()} << kPageShift, rights);
}

bool UnicornCpu::fill_kernel(uint64_t va64, mmu::Access access, uc_tlb_entry& entry) {
  const VirtAddr page = VirtAddr(static_cast<uint32_t>(va64)).page();
  const uint64_t own = va64 - kGdtPage.value();
  const auto monitor = [&](uint32_t rights) { return answer(entry, kMonitorPhysical + own, rights); };
  const bool wraps = va64 > ~uint32_t{0};
  switch (phase_) {
    case Phase::kBoot:
      if (page == kStubPage && access == mmu::Access::kFetch) {
        return monitor(UC_PROT_READ | UC_PROT_EXEC);
      }
      if (access == mmu::Access::kRead && (page == kGdtPage || page == kStackPage)) {
        return monitor(UC_PROT_READ);
      }
      return refuse(page, access, /*kernel=*/true);
    case Phase::kSegments:
      return page == kGdtPage && access == mmu::Access::kRead && monitor(UC_PROT_READ);
    case Phase::kDropping:
      if (page >= kDropWindow && page < kDropWindow + kDropWindowPages * kPageSize) {
        return answer(entry, uint64_t{dropping_.value()} << kPageShift, UC_PROT_READ | UC_PROT_EXEC);
      }
      return false;
    case Phase::kRunning:
      if (stop_ == Stop::kNone && !wraps && page == kGdtPage && access == mmu::Access::kRead &&
          reads_descriptor_for_user()) {
        return monitor(UC_PROT_READ);
      }
      return refuse(page, access, /*kernel=*/true);
    case Phase::kIdle:
      break;
  }
  return false;
}

// The guest executes an instruction that makes the processor read the GDT, and asks for the GDT page not as its own
// operand. (The engine keeps the entry for privileged accesses only.)
bool UnicornCpu::reads_descriptor_for_user() {
  guest::Registers regs;
  read_registers(regs);
  const InstructionBytes code = InstructionBytes::read(*mmu_, VirtAddr(regs.eip));
  const Instruction& instruction = decoder_.decode(code.bytes(), VirtAddr(regs.eip));
  if (!instruction.loads_descriptor) {
    return false;
  }
  for (uint8_t at = 0; at < instruction.operands; ++at) {
    const MemorySpan span =
        evaluate(instruction.operand[at], regs, [this](uint16_t selector) { return segment_base(selector); });
    if (mmu::is_kernel_address(span.addr) || mmu::is_kernel_address(span.addr + (span.size - 1))) {
      return false;
    }
  }
  return true;
}

}  // namespace fl::emu
