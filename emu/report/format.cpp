// The two forms of --stats.
#include <fmt/format.h>

#include <iterator>
#include <nlohmann/json.hpp>

#include "emu/base/printable.hpp"
#include "emu/report/statistics.hpp"
#include "mmu/base/addr.hpp"

namespace fl::emu {
namespace {

constexpr uint64_t kNsPerSecond = 1'000'000'000;

std::string mebibytes(uint64_t frames) {
  return fmt::format("{:.1f} MiB", static_cast<double>(frames * kPageSize) / (1 << 20));
}

}  // namespace

std::string format_statistics(const RunStatistics& s) {
  std::string text;
  const auto out = std::back_inserter(text);
  fmt::format_to(out, "page faults    {:>9}   minor {}, major {}", s.faults.minor + s.faults.major, s.faults.minor,
                 s.faults.major);
  fmt::format_to(out, "{}\n", s.refused() != 0 ? fmt::format("; and {} refused", s.refused()) : "");
  for (size_t i = 0; i < vm::kFaultModes; ++i) {
    constexpr std::array<std::string_view, vm::kFaultModes> kMeaning{"by the program itself",
                                                                     "by a system call, execve or signal on its behalf",
                                                                     "by get_user_pages: argument strings, populating"};
    fmt::format_to(out, "  {:<12} {:>9}   {}\n", vm::mode_name(static_cast<vm::FaultMode>(i)), s.faults.by_mode[i],
                   kMeaning[i]);
  }
  fmt::format_to(out, "by cause\n");
  for (size_t i = 0; i < vm::kFaultCauses; ++i) {
    const auto cause = static_cast<vm::FaultCause>(i);
    if (s.faults.by_cause[i] != 0) {
      fmt::format_to(out, "  {:<12} {:>9}   {}\n", vm::cause_name(cause), s.faults.by_cause[i],
                     vm::cause_explanation(cause));
    }
  }
  fmt::format_to(out, "processes      {:>9}\n", s.processes.size());
  for (const ProcessStatistics& process : s.processes) {
    fmt::format_to(out, "  {:<12} {:>9}   {}: minor {}, major {}, {} system calls, {}\n", "pid", process.pid,
                   printable(process.comm), process.minflt, process.majflt, process.syscalls,
                   process.exit_status ? fmt::format("exit status {}", *process.exit_status) : "stopped");
  }
  fmt::format_to(out, "pages used     {:>9}   at most, of {}: {} of {}\n", s.peak_frames, s.ram_frames,
                 mebibytes(s.peak_frames), mebibytes(s.ram_frames));
  fmt::format_to(out, "page tables    {:>9}   frames, the directory included\n", s.page_table_frames);
  if (s.memory_limit) {
    fmt::format_to(out, "memory limit   {:>9}   pages, of which {} were charged at most; met {} times\n",
                   s.memory_limit->limit, s.memory_limit->peak, s.memory_limit->reached);
  }
  if (s.swap_ins + s.swap_outs != 0) {
    fmt::format_to(out, "swap           {:>9}   pages read, {} written\n", s.swap_ins, s.swap_outs);
  }
  fmt::format_to(out, "system calls   {:>9}\n", s.syscalls);
  for (const auto& [name, count] : s.unimplemented) {
    fmt::format_to(out, "  {:<12} {:>9}   not implemented: answered ENOSYS\n", name, count);
  }
  fmt::format_to(out, "blocks         {:>9}   executed\n", s.blocks);
  fmt::format_to(out, "virtual time {}.{:09} s\n", s.virtual_ns / kNsPerSecond, s.virtual_ns % kNsPerSecond);
  return text;
}

std::string statistics_json(const RunStatistics& s) {
  using Json = nlohmann::ordered_json;
  Json by_mode = Json::object(), by_cause = Json::object(), unimplemented = Json::object(), processes = Json::array();
  for (size_t i = 0; i < vm::kFaultModes; ++i) {
    by_mode[std::string(vm::mode_name(static_cast<vm::FaultMode>(i)))] = s.faults.by_mode[i];
  }
  for (size_t i = 0; i < vm::kFaultCauses; ++i) {
    by_cause[std::string(vm::cause_name(static_cast<vm::FaultCause>(i)))] = s.faults.by_cause[i];
  }
  for (const auto& [name, count] : s.unimplemented) {
    unimplemented[name] = count;
  }
  for (const ProcessStatistics& process : s.processes) {
    Json entry{{"pid", process.pid},           {"comm", process.comm},
               {"minflt", process.minflt},     {"majflt", process.majflt},
               {"syscalls", process.syscalls}, {"page_table_frames", process.page_table_frames}};
    entry["exit_status"] = process.exit_status ? Json(*process.exit_status) : Json(nullptr);
    processes.push_back(std::move(entry));
  }
  Json memory_limit = nullptr;
  if (s.memory_limit) {
    memory_limit = {{"pages", s.memory_limit->limit}, {"peak", s.memory_limit->peak}, {"met", s.memory_limit->reached}};
  }
  const Json all{
      {"minflt", s.faults.minor},   {"majflt", s.faults.major},       {"refused", s.refused()},
      {"by_mode", by_mode},         {"by_cause", by_cause},           {"processes", processes},
      {"ram_frames", s.ram_frames}, {"peak_frames", s.peak_frames},   {"page_table_frames", s.page_table_frames},
      {"swap_ins", s.swap_ins},     {"swap_outs", s.swap_outs},       {"memory_limit", memory_limit},
      {"syscalls", s.syscalls},     {"unimplemented", unimplemented}, {"blocks", s.blocks},
      {"virtual_ns", s.virtual_ns}};
  // A process's name may be any bytes.
  return all.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace fl::emu
