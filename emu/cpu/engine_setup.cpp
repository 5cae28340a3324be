// Opening the engine, its GDT and hooks, and the one way into ring 3.
//
// Unicorn starts in ring 0 without segments. Flat kernel segments come first: the engine recomputes its flags from ss
// at every segment load, and without a 32-bit ss the stack silently becomes a 16-bit one. Then a real iret from a
// kernel page enters ring 3 once, towards an address that is refused; from then on the engine never leaves ring 3, and
// run() only writes registers.
#include <sys/mman.h>

#include <cstring>
#include <new>

#include "emu/cpu/monitor_layout.hpp"
#include "emu/cpu/unicorn_cpu.hpp"
#include "mmu/base/check.hpp"

namespace fl::emu {
namespace {

constexpr size_t kMonitorBytes = kMonitorPages * kPageSize;
// A model with every SSE up to 4.2, POPCNT and RDTSCP, and without RDRAND: the instruction is invalid there.
constexpr int kCpuModel = UC_CPU_X86_SANDYBRIDGE;
// Protection, numeric errors as exception 16. Paging stays off: the fill hook is the MMU.
constexpr uint32_t kCr0 = 0x33;
// FXSAVE and SSE; no XSAVE.
constexpr uint32_t kCr4 = 0x600;

// Descriptor types with the accessed bit set beforehand: the engine must not want to write the GDT.
constexpr uint32_t kKernelCode = 0x9b, kKernelData = 0x93, kUserCode = 0xfb, kUserData = 0xf3;

void put_flat(uint8_t* gdt, uint16_t selector, uint32_t type) {
  const uint32_t low = 0x0000ffff;
  const uint32_t high = 0x00cf0000 | type << 8;
  std::memcpy(gdt + (selector & ~7u), &low, sizeof low);
  std::memcpy(gdt + (selector & ~7u) + 4, &high, sizeof high);
}

void must(uc_err error, const char* what) { FL_CHECK(error == UC_ERR_OK, "{}: {}", what, uc_strerror(error)); }

}  // namespace

void UnicornCpu::HostPageDeleter::operator()(uint8_t* pages) const { munmap(pages, kMonitorBytes); }

UnicornCpu::UnicornCpu(mmu::Mmu& mmu, const mmu::Ram& ram, const CpuConfig& config)
    : mmu_(&mmu), ram_(&ram), config_(config), frames_(ram.frames()) {
  void* pages = mmap(nullptr, kMonitorBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  FL_CHECK(pages != MAP_FAILED, "monitor pages");
  monitor_.reset(static_cast<uint8_t*>(pages));
  count_by_hook_ = config.counting == BlockCounting::kHook || !active_interposition().blocks;
  has_marks_ = active_interposition().marks;
  open_engine(config);
  write_gdt();
  add_hooks();
  enter_ring3();
  reset();
  flush_now();
}

UnicornCpu::~UnicornCpu() {
  pristine_.reset();
  uc_close(uc_);
}

void UnicornCpu::open_engine(const CpuConfig& config) {
  must(uc_open(UC_ARCH_X86, UC_MODE_32, &uc_), "uc_open");
  must(uc_ctl_set_cpu_model(uc_, kCpuModel), "processor model");
  must(uc_ctl_set_tcg_buffer_size(uc_, config.code_buffer_bytes), "code buffer");
  must(uc_ctl_tlb_mode(uc_, UC_TLB_VIRTUAL), "TLB mode");
  // No exits at all: with the usual `until` address the engine forgets code around it after each run, and address 0
  // would stop it.
  must(uc_ctl_exits_enable(uc_), "exits");
  must(uc_mem_map_ptr(uc_, 0, ram_->bytes(), UC_PROT_ALL, ram_->data()), "RAM");
  must(uc_mem_map_ptr(uc_, kMonitorPhysical, kMonitorBytes, UC_PROT_ALL, monitor_.get()), "monitor pages");
}

void UnicornCpu::write_gdt() {
  put_flat(monitor_.get(), config_.segments.kernel_code, kKernelCode);
  put_flat(monitor_.get(), config_.segments.kernel_data, kKernelData);
  put_flat(monitor_.get(), config_.segments.user_code, kUserCode);
  put_flat(monitor_.get(), config_.segments.user_data, kUserData);
  uc_x86_mmr gdtr{};
  gdtr.base = kGdtPage.value();
  gdtr.limit = kGdtEntries * 8 - 1;
  must(uc_reg_write(uc_, UC_X86_REG_GDTR, &gdtr), "GDT");
  must(uc_reg_write(uc_, UC_X86_REG_CR0, &kCr0), "CR0");
  must(uc_reg_write(uc_, UC_X86_REG_CR4, &kCr4), "CR4");
}

void UnicornCpu::add_hooks() {
  // begin > end: everywhere.
  const auto add = [this](int type, void* callback) {
    uc_hook hook;
    must(uc_hook_add(uc_, &hook, type, callback, this, 1, 0), "hook");
  };
  const auto add_instruction = [this](int instruction, void* callback) {
    uc_hook hook;
    must(uc_hook_add(uc_, &hook, UC_HOOK_INSN, callback, this, 1, 0, instruction), "instruction hook");
  };
  add(UC_HOOK_TLB_FILL, reinterpret_cast<void*>(config_.keep_translations ? &keeping_fill_hook : &fill_hook));
  add(UC_HOOK_INTR, reinterpret_cast<void*>(&interrupt_hook));
  if (count_by_hook_) {
    add(UC_HOOK_BLOCK, reinterpret_cast<void*>(&block_hook));
  }
  add_instruction(UC_X86_INS_CPUID, reinterpret_cast<void*>(&cpuid_hook));
  add_instruction(UC_X86_INS_RDTSC, reinterpret_cast<void*>(&tsc_hook));
  add_instruction(UC_X86_INS_RDTSCP, reinterpret_cast<void*>(&tscp_hook));
  add_instruction(UC_X86_INS_SYSENTER, reinterpret_cast<void*>(&fast_call_hook));
  add_instruction(UC_X86_INS_SYSCALL, reinterpret_cast<void*>(&fast_call_hook));
}

void UnicornCpu::enter_ring3() {
  const SegmentLayout& segments = config_.segments;
  constexpr uint8_t kIret = 0xcf;
  monitor_.get()[kPageSize] = kIret;
  const uint32_t user_eip = 0;
  const std::array<uint32_t, 5> frame = {user_eip, segments.user_code,
                                         guest::Eflags::kFixed | guest::Eflags::kInterrupt, 0, segments.user_data};
  const uint32_t esp = kStackPage.value() + 0x800;
  std::memcpy(monitor_.get() + 2 * kPageSize + 0x800, frame.data(), sizeof frame);

  phase_ = Phase::kBoot;
  must(uc_reg_write(uc_, UC_X86_REG_CS, &segments.kernel_code), "kernel cs");
  for (const int reg : {UC_X86_REG_SS, UC_X86_REG_DS, UC_X86_REG_ES}) {
    must(uc_reg_write(uc_, reg, &segments.kernel_data), "kernel data segment");
  }
  must(uc_reg_write(uc_, UC_X86_REG_ESP, &esp), "kernel esp");
  stop_ = Stop::kNone;
  fl_block_gate = {0, kNoBlockLimit};
  hook_limit_ = kNoBlockLimit;
  // Ends with the refused fetch of user_eip.
  uc_emu_start(uc_, kStubPage.value(), 0, 0, 0);
  phase_ = Phase::kIdle;
  FL_CHECK(stop_ == Stop::kMiss && miss_.access == mmu::Access::kFetch, "ring 3 was not entered");

  uint16_t cs = 0, ss = 0;
  uc_reg_read(uc_, UC_X86_REG_CS, &cs);
  uc_reg_read(uc_, UC_X86_REG_SS, &ss);
  FL_CHECK(cs == segments.user_code && ss == segments.user_data, "ring 3 was entered with cs {:#x}, ss {:#x}", cs, ss);
  read_registers(loaded_);

  uc_context* context = nullptr;
  must(uc_context_alloc(uc_, &context), "context");
  pristine_.reset(context);
  must(uc_context_save(uc_, context), "context");
  pristine_registers_ = loaded_;
}

// The engine remembers that a #DE, #TS, #NP, #SS or #GP was raised until it has delivered it through an IDT, which
// never happens here: a second one would become a double fault, a third one a reset. Only its saved context can forget
// that.
void UnicornCpu::forget_exception() {
  const guest::FxState fpu = save();
  must(uc_context_restore(uc_, pristine_.get()), "context");
  loaded_ = pristine_registers_;
  restore(fpu);
}

}  // namespace fl::emu
