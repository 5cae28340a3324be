// Collector: the listener that keeps every counted fault of a run for a comparison.
//
// Made to be cheap, not to be read: areas and names are numbered, instructions are kept as bytes. Looks at the guest as
// FaultTracer does, without touching it.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "emu/compare/our_run.hpp"
#include "emu/report/statistics.hpp"
#include "emu/trace/symbols.hpp"
#include "emu/trace/trace_area.hpp"
#include "emu/trace/trace_context.hpp"

namespace fl::emu {

class Collector final : public FaultListener {
 public:
  // `mmu` is the one whose CR3 user-mode faults are made with; both must outlive the collector.
  Collector(const mmu::Mmu& mmu, const vm::KernelProfile& profile, const std::string& root);

  void attach(TraceContext& context) override { context_ = &context; }
  void on_fault(const vm::FaultRecord& record) override;
  // A new task: its place is that of its birth, whether it ever faults or not.
  void on_clone(const guest::Task& parent, const guest::Task& child);

  // Adds what the processes counted, once the run is over; the collector is empty afterwards.
  OurRun finish(std::span<const ProcessStatistics> processes, const vm::FaultCounters& totals);

 private:
  struct Place {
    uint32_t process = 0, task = 0;
  };
  Place place_of(const guest::Task* task);
  uint32_t area_of(const vm::VmArea& area);
  uint32_t name_of(std::string_view name);
  void add_code(const guest::Task& task, const vm::FaultRecord& record, OurFault& fault);

  const mmu::Mmu& mmu_;
  SymbolResolver symbols_;
  TraceContext* context_ = nullptr;
  OurRun run_;
  uint32_t last_area_ = kNoIndex;
  std::string last_area_name_;
  uint32_t last_tid_ = 0;
  Place last_place_;
  std::map<uint32_t, Place> places_;  // by tid; that of a number used again is the new task's
  std::vector<uint32_t> children_;    // how many each process has had
  std::unordered_map<std::string, uint32_t> names_;
  std::unordered_map<const char*, uint32_t> symbol_names_;  // SymbolResolver's names live as long as it does
};

}  // namespace fl::emu
