// What the engine remembers about memory: its TLB and the translated code.
//
// The TLB has no flush of one page and grows only when it is flushed: 256 entries at first, twice as many after a flush
// that finds more than 70 % used, fewer again after a while on the host's clock. So fills are counted, and when they
// show that the TLB is too small it is flushed to let it grow, up to a cap: a flush costs in proportion to the size.
//
// Translated code is kept by physical frame and outlives TLB flushes. The engine can drop it by virtual address only:
// pages of a reserved window stand for the frames during the call.
#include <algorithm>

#include "emu/cpu/monitor_layout.hpp"
#include "emu/cpu/unicorn_cpu.hpp"
#include "mmu/base/check.hpp"

namespace fl::emu {
namespace {

constexpr uint64_t kInitialEntries = 256;
constexpr uint64_t kMaxEntries = 16384;
// At the cap a flush now and then lets the TLB grow back after the engine has shrunk it.
constexpr uint64_t kFillsAtCap = 8 * kMaxEntries;

// With random addresses 1.5 fills an entry use 78 % of the entries.
uint64_t threshold_for(uint64_t entries) { return entries >= kMaxEntries ? kFillsAtCap : entries + entries / 2; }

}  // namespace

void UnicornCpu::code_changed(Pfn pfn) {
  if (frames_[pfn.value()].has_code) {
    frames_[pfn.value()].has_code = false;
    changed_code_.push_back(pfn);
  }
}

void UnicornCpu::apply_pending() {
  if (!changed_code_.empty()) {
    drop_code(changed_code_);
    changed_code_.clear();
  }
  if (flush_pending_) {
    flush_pending_ = false;
    if (fills_since_flush_ != 0) {
      flush_now();
    }
  }
}

void UnicornCpu::flush_now() {
  FL_CHECK(uc_ctl_flush_tlb(uc_) == UC_ERR_OK, "TLB flush");
  if (fills_since_flush_ * 10 > assumed_entries_ * 7) {
    assumed_entries_ = std::min(assumed_entries_ * 2, kMaxEntries);
  }
  assumed_entries_ = std::max(assumed_entries_, kInitialEntries);
  growth_threshold_ = threshold_for(assumed_entries_);
  statistics_.fills += fills_since_flush_;
  ++statistics_.flushes;
  fills_since_flush_ = 0;
  ++epoch_;
  kept_translations_.clear();
  if ((probe_points_ & CpuProbe::kFlushes) != 0) [[unlikely]] {
    probe_->on_flush();
  }
}

std::vector<mmu::CachedTranslation> UnicornCpu::cached_translations() const {
  std::vector<mmu::CachedTranslation> translations;
  if (!flush_pending_) {
    for (const auto& [page, entry] : kept_translations_) {
      translations.push_back({page, entry});
    }
  }
  return translations;
}

void UnicornCpu::maybe_grow() {
  if (fills_since_flush_ > growth_threshold_) {
    ++statistics_.growth_flushes;
    flush_now();
  }
}

void UnicornCpu::drop_code(const std::vector<Pfn>& frames) {
  uint32_t used = 0;
  phase_ = Phase::kDropping;
  for (const Pfn pfn : frames) {
    if (used == kDropWindowPages) {
      flush_now();
      used = 0;
    }
    dropping_ = pfn;
    const uint64_t page = kDropWindow.value() + uint64_t{used++} * kPageSize;
    FL_CHECK(uc_ctl_remove_cache(uc_, page, page + kPageSize) == UC_ERR_OK, "drop code of frame {:#x}", pfn.value());
    ++statistics_.dropped_frames;
  }
  phase_ = Phase::kIdle;
  // The window's entries must not outlive the batch, nor may a fetch entry for a frame that no longer counts as code.
  flush_now();
}

void UnicornCpu::forget_code(Pfn frame) {
  frames_[frame.value()].has_code = false;
  drop_code({frame});
}

}  // namespace fl::emu
