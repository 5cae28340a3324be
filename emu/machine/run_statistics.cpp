// Gathering the counters of a machine's parts.
#include "emu/machine/run_statistics.hpp"

#include <algorithm>

#include "emu/machine/machine.hpp"

namespace fl::emu {

RunStatistics collect_statistics(Machine& machine, const ProcessCollector& processes) {
  vm::MemorySystem& memory = machine.memory();
  RunStatistics statistics;
  statistics.faults = memory.faults();
  statistics.processes = processes.processes();
  statistics.ram_frames = memory.ram().frames();
  statistics.peak_frames = memory.pages().peak_used();
  for (const ProcessStatistics& process : statistics.processes) {
    statistics.page_table_frames = std::max(statistics.page_table_frames, process.page_table_frames);
  }
  statistics.swap_ins = static_cast<uint64_t>(memory.pages().events()[vm::VmEvent::kPswpin]);
  statistics.swap_outs = static_cast<uint64_t>(memory.pages().events()[vm::VmEvent::kPswpout]);
  if (const vm::MemCgroup* const memcg = memory.memcg(); memcg != nullptr) {
    statistics.memory_limit = {.limit = memcg->limit(), .peak = memcg->max_usage(), .reached = memcg->failcnt()};
  }
  statistics.syscalls = machine.kernel().total_syscalls();
  for (const auto& [number, count] : machine.kernel().unimplemented()) {
    const std::string_view name = guest::syscall_name(number);
    statistics.unimplemented[name.empty() ? fmt::format("syscall_{:#x}", number) : std::string(name)] += count;
  }
  statistics.blocks = machine.cpu().blocks();
  statistics.virtual_ns = machine.now_ns();
  return statistics;
}

}  // namespace fl::emu
