// The processor: Unicorn's i386 in ring 3, with every translation, fault and exception decided by us.
//
// run() loads a task's registers, executes until the task leaves user mode, and stores the registers back. Nothing of
// the kernel runs inside Unicorn's callbacks: the TLB fill hook only walks the page tables (mmu::Mmu) and records the
// first miss, the interrupt hook only records the vector. One engine serves all tasks; a switch is registers, CR3 (in
// the Mmu), TLS descriptors and a flush.
//
// Not modelled (the engine does not): unmasked SSE exceptions (#XM), alignment checks (#GP of movaps, #AC), segment
// limits, x87 instruction and operand pointers, debug registers. sysenter and syscall are invalid opcodes, as on a
// processor whose CPUID does not offer them (see cpuid.hpp).
#pragma once

#include <unicorn/unicorn.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "emu/cpu/block_counter.hpp"
#include "emu/cpu/cpu_config.hpp"
#include "emu/cpu/cpu_probe.hpp"
#include "emu/cpu/decode.hpp"
#include "emu/cpu/register_window.hpp"
#include "guest/cpu/registers.hpp"
#include "mmu/mmu.hpp"
#include "mmu/ram.hpp"
#include "mmu/tlb_port.hpp"

namespace fl::emu {

inline constexpr uint64_t kNoBlockLimit = ~uint64_t{0} >> 1;

// Counted for tests and benchmarks only: these depend on the host's clock (see fills), never on the guest alone.
struct CpuStatistics {
  uint64_t fills = 0;           // TLB fills
  uint64_t flushes = 0;         // of the TLB, for whatever reason
  uint64_t growth_flushes = 0;  // to let the TLB grow
  uint64_t dropped_frames = 0;  // frames whose translated code was dropped
  uint64_t stepped = 0;         // instructions executed one by one before a block that runs into a missing page
  uint64_t inexact_faults = 0;  // faults whose operand could not be found: the page's address was reported
};

class UnicornCpu final : public mmu::TlbPort, public guest::FpuPort {
 public:
  UnicornCpu(mmu::Mmu& mmu, const mmu::Ram& ram, const CpuConfig& config);
  ~UnicornCpu() override;
  UnicornCpu(const UnicornCpu&) = delete;
  UnicornCpu& operator=(const UnicornCpu&) = delete;

  // Runs the task until it traps, at most `block_limit` blocks. regs.cs must be the user code segment; EFLAGS bits that
  // a user cannot change are ignored. A selector that cannot be loaded becomes null (ss, cs: #GP), as in Linux.
  guest::Trap run(guest::Registers& regs, const guest::TlsArray& tls, uint64_t block_limit = kNoBlockLimit);

  // Makes run() return Trap::Kind::kInterrupted at the next block, or at once if it is called between two runs.
  // Async-signal-safe.
  void request_stop();

  // Blocks executed since construction. Also valid inside the time-stamp source.
  uint64_t blocks() const;

  // The time-stamp counter: nanoseconds of virtual time. Without a source it counts blocks.
  void set_tsc_source(std::function<uint64_t()> nanoseconds) { tsc_source_ = std::move(nanoseconds); }

  // mmu::TlbPort. Both take effect before the next run.
  void flush() override { flush_pending_ = true; }
  void code_changed(Pfn pfn) override;

  std::vector<mmu::CachedTranslation> cached_translations() const override;
  bool has_code(Pfn pfn) const override { return frames_[pfn.value()].has_code; }

  // guest::FpuPort.
  guest::FxState save() override;
  void restore(const guest::FxState& state) override;
  void reset() override;

  // Tells the probe of these points (CpuProbe::Point) from now on; null: nobody. Between two runs only.
  void set_probe(CpuProbe* probe, uint32_t points);
  // Inside a run, that is in a probe: the registers as they are now are here, and not in what run() was given.
  bool holds_registers() const { return holds_registers_; }
  guest::Registers registers();

  const CpuStatistics& statistics() const { return statistics_; }
  uint64_t fills() const { return statistics_.fills + fills_since_flush_; }
  Decoder& decoder() { return decoder_; }

 private:
  // Who may ask the fill hook for a translation just now.
  enum class Phase : uint8_t {
    kIdle,      // nobody: refuse
    kBoot,      // the way into ring 3: kernel stub, kernel stack, GDT
    kSegments,  // a segment register is written from outside: GDT
    kRunning,   // the guest
    kDropping,  // translated code of dropping_ is being removed
  };
  // Why the engine was stopped. kNone at the end of a run: the block limit, or an invalid instruction.
  enum class Stop : uint8_t { kNone, kMiss, kVector, kFastCall, kStepped, kDropCode };

  struct Miss {
    VirtAddr page;
    mmu::Access access;
    bool kernel;  // an address that user mode may never have: P is set whatever the tables say
  };
  struct FrameState {
    uint32_t writable_epoch = 0;  // the TLB epoch in which a writable translation was handed out
    bool has_code = false;        // sticky: cleared when the code is dropped
    // For a probe of accesses: the page of the translation that was handed out last, in page_epoch; whether there were
    // others.
    bool aliased = false;
    uint32_t page_epoch = 0;
    VirtAddr page{};
  };

  // engine_setup.cpp
  void open_engine(const CpuConfig& config);
  void write_gdt();
  void add_hooks();
  void enter_ring3();
  void forget_exception();
  // segments.cpp: false if ss cannot be loaded.
  bool load_segments(const guest::Registers& regs, const guest::TlsArray& tls);
  bool write_segment(int reg, uint16_t selector);
  uint32_t segment_base(uint16_t selector) const;
  // fill.cpp
  static bool fill_hook(uc_engine*, uint64_t va, uc_mem_type type, uc_tlb_entry* entry, void* self);
  static bool keeping_fill_hook(uc_engine*, uint64_t va, uc_mem_type type, uc_tlb_entry* entry, void* self);
  bool fill(uint64_t va, mmu::Access access, uc_tlb_entry& entry);
  bool fill_kernel(uint64_t va, mmu::Access access, uc_tlb_entry& entry);
  bool refuse(VirtAddr page, mmu::Access access, bool kernel);
  bool reads_descriptor_for_user();
  // code_cache.cpp
  void apply_pending();
  void flush_now();
  void maybe_grow();
  void drop_code(const std::vector<Pfn>& frames);
  void forget_code(Pfn frame);
  // unicorn_cpu.cpp
  void load_registers(const guest::Registers& regs);
  void set_trap_flag(bool on);
  enum class RegisterSet : uint8_t { kAll, kWithoutSegments };
  void read_registers(guest::Registers& regs, RegisterSet set = RegisterSet::kAll);
  uc_err start(uint32_t eip, uint64_t block_limit);
  uint64_t blocks_of_this_run() const;
  bool reads_ahead(const guest::Registers& regs) const;
  void begin_stepping(uint32_t eip);
  void end_stepping();
  // traps.cpp
  guest::Trap page_fault(guest::Registers& regs);
  guest::Trap exception(guest::Registers& regs, uint32_t vector);
  std::optional<uint32_t> software_interrupt_length(const guest::Registers& regs, uint32_t vector) const;
  uint32_t selector_error(const guest::Registers& regs);
  guest::Trap invalid_instruction(guest::Registers& regs);
  guest::Trap fast_call(guest::Registers& regs);
  // hooks.cpp
  static void interrupt_hook(uc_engine*, uint32_t vector, void* self);
  static void block_hook(uc_engine*, uint64_t, uint32_t, void* self);
  static int cpuid_hook(uc_engine*, void* self);
  static int tsc_hook(uc_engine*, void* self);
  static int tscp_hook(uc_engine*, void* self);
  static void fast_call_hook(uc_engine*, void* self);
  void on_step();
  // probe_hooks.cpp
  static void probe_block_hook(uc_engine*, uint64_t address, uint32_t bytes, void* self);
  static void probe_access_hook(uc_engine*, uc_mem_type type, uint64_t address, int bytes, int64_t value, void* self);
  void note_translation(FrameState& frame, VirtAddr page);
  VirtAddr accessed_page(Pfn pfn, uint32_t offset);
  void stop_engine(Stop reason);

  // Through the page tables, whatever the rights; null if absent.
  uint8_t* user_byte(VirtAddr va) const;
  uint32_t user_half(VirtAddr va) const;
  bool may_access(VirtAddr page, mmu::Access access) const;

  mmu::Mmu* mmu_;
  const mmu::Ram* ram_;
  CpuConfig config_;
  uc_engine* uc_ = nullptr;
  // GDT, entry stub and its stack: not simulated RAM, mapped above it.
  struct HostPageDeleter {
    void operator()(uint8_t* pages) const;
  };
  std::unique_ptr<uint8_t, HostPageDeleter> monitor_;

  Phase phase_ = Phase::kIdle;
  Stop stop_ = Stop::kNone;
  Miss miss_{};
  uint32_t vector_ = 0;
  bool count_by_hook_ = false;
  bool has_marks_ = false;
  std::atomic<bool> stop_requested_{false};
  std::function<uint64_t()> tsc_source_;

  RegisterWindow window_;
  guest::Registers loaded_;       // what the engine holds
  guest::TlsArray loaded_tls_{};  // what the GDT holds
  // The engine in ring 3 before any guest code, and its registers.
  struct ContextDeleter {
    void operator()(uc_context* context) const { uc_context_free(context); }
  };
  std::unique_ptr<uc_context, ContextDeleter> pristine_;
  guest::Registers pristine_registers_;
  // Stepping before a block that runs into a missing page.
  bool stepping_ = false;
  VirtAddr stepping_from_, step_first_, step_eip_;

  std::vector<FrameState> frames_;
  std::vector<Pfn> changed_code_;
  Pfn dropping_;
  // A frame with code that may be stored to through a no-execute alias for one instruction, and the instruction for
  // which code was dropped last.
  std::optional<Pfn> unwatched_;
  std::optional<uint32_t> dropped_for_;
  bool flush_pending_ = false;
  std::map<VirtAddr, mmu::Pte> kept_translations_;  // if config_.keep_translations
  uint32_t epoch_ = 1;
  uint64_t fills_since_flush_ = 0;
  uint64_t assumed_entries_ = 0;
  uint64_t growth_threshold_ = 0;

  uint64_t blocks_ = 0;  // before the current run
  uint64_t hook_blocks_ = 0, hook_limit_ = 0;
  Decoder decoder_;
  CpuStatistics statistics_;

  CpuProbe* probe_ = nullptr;
  uint32_t probe_points_ = 0;
  std::vector<uc_hook> probe_hooks_;
  bool holds_registers_ = false;
  bool resumed_block_ = false;  // the next block is the rest of one that was told of
};

}  // namespace fl::emu
