// FaultTracer: the observer of page faults, and of what memory does besides, that writes a trace: adds task, time,
// instruction and symbol to vm's record.
//
// Faults of loading the first program come before there is a task to name; they are held back until there is one.
// Looks at the guest without touching it: instruction bytes come from pages that are present, no A bit is set, no frame
// is taken. An error of the file stops the run through TraceContext::on_trace_error.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "emu/base/output_file.hpp"
#include "emu/cpu/decode.hpp"
#include "emu/trace/symbols.hpp"
#include "emu/trace/trace_context.hpp"
#include "emu/trace/trace_format.hpp"
#include "vm/fault/fault_record.hpp"

namespace fl::emu {

class FaultTracer final : public FaultListener {
 public:
  // Opens `path`; its suffix is the format. `mmu` is the one whose CR3 user-mode faults are made with.
  static HostResult<std::unique_ptr<FaultTracer>> create(const std::string& path, const mmu::Mmu& mmu,
                                                         const vm::KernelProfile& profile, const std::string& root);
  void attach(TraceContext& context) override { context_ = &context; }

  void on_fault(const vm::FaultRecord& record) override;
  void on_event(const vm::MemoryEvent& event) override;

  // The program has started: the file is emptied, if a long start has not done it.
  void begin() { file_->begin(); }
  // Writes the rest. The first error, if any write failed.
  HostStatus finish();
  uint64_t records() const { return records_; }

 private:
  // A fault before the first task, without pointers into the guest.
  struct Held {
    uint64_t time_ns;
    vm::FaultRecord record;
    TraceArea area;
    std::string area_name;
  };
  FaultTracer(std::unique_ptr<OutputFile> file, std::unique_ptr<TraceFormat> format, const mmu::Mmu& mmu,
              const vm::KernelProfile& profile, const std::string& root);

  void hold(const vm::FaultRecord& record);
  void write_held(const guest::Task* task);
  void add_code(const guest::Task& task, const vm::FaultRecord& record, TraceEvent& event);
  void write(const TraceEvent& event);

  std::unique_ptr<OutputFile> file_;
  std::unique_ptr<TraceFormat> format_;
  const mmu::Mmu& mmu_;
  SymbolResolver symbols_;
  Decoder decoder_;
  TraceContext* context_ = nullptr;
  uint64_t records_ = 0;
  std::vector<Held> held_;
};

}  // namespace fl::emu
