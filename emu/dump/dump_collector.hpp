// DumpCollector: makes the --dump texts: those of a process when it ends, while its memory is still there, those of the
// machine when all is over. They are printed after the program's own output; on SIGUSR1 as things are at that moment.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "guest/kernel.hpp"
#include "mmu/base/addr.hpp"
#include "vm/info/report.hpp"

namespace fl::emu {

// One item of --dump.
struct DumpRequest {
  enum class Kind : uint8_t { kMaps, kPageTable, kWalk, kReport, kLeaks };
  Kind kind = Kind::kMaps;
  std::optional<uint32_t> pid{};             // maps, pagetable: none = every process
  VirtAddr addr{};                           // walk
  const vm::MemoryReport* report = nullptr;  // of the whole machine
  // kLeaks is not the collector's: it is told when nothing of the program is left.
  bool operator==(const DumpRequest&) const = default;
};

class DumpCollector final : public guest::KernelObserver {
 public:
  explicit DumpCollector(const std::vector<DumpRequest>& requests);

  void on_syscall_enter(const guest::Task&, uint32_t, const guest::SyscallArgs&) override {}
  void on_syscall_exit(const guest::Task&, uint32_t, const guest::SyscallArgs&, uint32_t) override {}
  void on_signal(const guest::Task&, const guest::SignalInfo&) override {}
  void on_exit(const guest::Task& task) override { add(task); }
  // Also for processes that are alive when a run is stopped. Threads are described with their process.
  void add(const guest::Task& task);

  // All of it, the machine's reports, and a line for each process that was asked for and never seen. Call it once, at
  // the end.
  std::string finish(vm::MemorySystem& memory);
  // The same of processes that are alive now, and the machine as it is. Changes nothing.
  std::string now(const guest::Kernel& kernel, vm::MemorySystem& memory) const;

 private:
  struct Item {
    DumpRequest request;
    bool answered = false;
  };
  std::vector<Item> items_;
  std::string text_;
};

}  // namespace fl::emu
