// Recording and reporting. As for `run`, what cannot be written is refused before the program starts.
#include "emu/cli/record_command.hpp"

#include <fmt/format.h>

#include <array>
#include <cstdio>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>

#include "emu/base/output_file.hpp"
#include "emu/base/printable.hpp"
#include "emu/cpu/program_code.hpp"
#include "emu/record/record_file.hpp"
#include "emu/record/record_program.hpp"
#include "emu/trace/trace_format.hpp"

namespace fl::emu {
namespace {

using FilePointer = std::unique_ptr<OutputFile>;

HostStatus open_file(const std::string& path, std::string_view what, FilePointer& file) {
  if (path.empty()) {
    return {};
  }
  auto opened = OutputFile::create(path, what);
  if (!opened) {
    return tl::unexpected(opened.error());
  }
  file = std::move(*opened);
  return {};
}

struct Files {
  FilePointer record, trace, stats;
  std::unique_ptr<TraceFormat> format;

  HostStatus open(const RecordOptions& options) {
    if (!options.trace_path.empty()) {
      auto found = TraceFormat::for_path(options.trace_path);
      if (!found) {
        return tl::unexpected(found.error());
      }
      format = std::move(*found);
    }
    FL_HOST_TRY(open_file(options.output_path, "record", record));
    FL_HOST_TRY(open_file(options.trace_path, "trace file", trace));
    return open_file(options.stats_path, "statistics", stats);
  }
};

HostStatus write_text(const FilePointer& file, const std::string& text) {
  if (file == nullptr) {
    return {};
  }
  file->begin();
  file->append(text);
  return file->close();
}

HostStatus write_trace(const NativeRecord& record, const Files& files) {
  if (files.trace == nullptr) {
    return {};
  }
  OutputFile& out = *files.trace;
  out.begin();
  out.append(files.format->header());
  uint64_t seq = 0;
  for (const NativeFault& fault : record.faults) {
    const NativeProcess& process = record.processes[fault.process];
    vm::FaultRecord what;
    what.addr = VirtAddr(fault.addr);
    what.access = fault.access.value_or(mmu::Access::kRead);
    what.mode = fault.mode;
    what.result = fault.major ? vm::FaultResult::kMajor : vm::FaultResult::kMinor;
    TraceEvent event;
    event.seq = seq++;
    event.time_ns = fault.time_ns;
    event.pid = static_cast<uint32_t>(process.pid);
    event.tid = static_cast<uint32_t>(process.tasks[fault.task].tid);
    event.comm = process.comm;
    event.fault = &what;
    event.ip = VirtAddr(fault.ip);
    event.native = true;
    event.access_known = fault.access.has_value();
    Cursor cursor(out.reserve(kMaxRecord));
    files.format->write(event, cursor);
    out.commit(cursor.end());
  }
  return out.close();
}

// How many faults of each mode; get_user_pages faults also where they are only counted.
std::array<uint64_t, vm::kFaultModes> count_modes(const NativeRecord& record) {
  std::array<uint64_t, vm::kFaultModes> counts{};
  for (const NativeFault& fault : record.faults) {
    ++counts[static_cast<size_t>(fault.mode)];
  }
  counts[static_cast<size_t>(vm::FaultMode::kGup)] = record.gup_faults;
  return counts;
}

}  // namespace

std::string format_record_summary(const NativeRecord& record) {
  std::string text;
  const auto out = std::back_inserter(text);
  const auto counts = count_modes(record);
  fmt::format_to(out, "page faults    {:>9}   minor {}, major {}, on Linux {} ({})\n", record.minflt + record.majflt,
                 record.minflt, record.majflt, record.kernel.release, record.kernel.machine);
  fmt::format_to(out, "  {:<12} {:>9}   by the program itself\n", "user", counts[0]);
  if (record.kernel_faults_seen) {
    fmt::format_to(out, "  {:<12} {:>9}   by a system call, execve or signal on its behalf\n", "kernel", counts[1]);
    fmt::format_to(out, "  {:<12} {:>9}   by get_user_pages{}\n", "gup", counts[2],
                   record.gup == GupView::kFaults ? "" : ": their pages could not be seen");
  } else {
    fmt::format_to(out, "  {:<12} {:>9}   of kernel mode and get_user_pages: {} hides them\n", "other",
                   record.minflt + record.majflt - record.faults.size(), describe_paranoid());
  }
  if (record.processes.size() > 1) {
    fmt::format_to(out, "processes      {:>9}\n", record.processes.size());
    for (const NativeProcess& process : record.processes) {
      fmt::format_to(out, "  {:<12} {:>9}   {}: minor {}, major {}", "pid", process.pid, printable(process.comm),
                     process.minflt, process.majflt);
      if (process.exit_status >= 0) {
        fmt::format_to(out, ", exit status {}", process.exit_status);
      }
      if (process.agreeing < record.runs) {
        fmt::format_to(out, ", in {} of {} runs", process.agreeing, record.runs);
      }
      text += '\n';
    }
  }
  fmt::format_to(out, "runs           {:>9}   of which {} gave this list\n", record.runs, record.agreeing);
  fmt::format_to(out, "exit status    {:>9}   of the program\n", record.exit_status);
  return text;
}

std::string record_statistics_json(const NativeRecord& record) {
  using Json = nlohmann::ordered_json;
  const auto counts = count_modes(record);
  Json by_mode = Json::object(), processes = Json::array();
  for (size_t i = 0; i < vm::kFaultModes; ++i) {
    const auto mode = static_cast<vm::FaultMode>(i);
    const bool known = record.kernel_faults_seen || mode == vm::FaultMode::kUser;
    by_mode[std::string(vm::mode_name(mode))] = known ? Json(counts[i]) : Json(nullptr);
  }
  for (const NativeProcess& process : record.processes) {
    Json entry{{"pid", process.pid}, {"comm", process.comm}, {"minflt", process.minflt}, {"majflt", process.majflt}};
    entry["exit_status"] = process.exit_status >= 0 ? Json(process.exit_status) : Json(nullptr);
    processes.push_back(std::move(entry));
  }
  const Json all{{"minflt", record.minflt},          {"majflt", record.majflt}, {"by_mode", by_mode},
                 {"processes", processes},           {"runs", record.runs},     {"agreeing", record.agreeing},
                 {"exit_status", record.exit_status}};
  return all.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

HostResult<int> record_command(const RecordOptions& options, std::span<const std::string> host_environment) {
  Files files;
  FL_HOST_TRY(files.open(options));
  ProgramCode code(options.root.empty() ? options.command[0] : options.root + "/" + options.command[0]);
  const RecordRequest request{.command = options.command,
                              .environment = options.environment.apply(host_environment),
                              .runs = options.runs,
                              .cwd = {},
                              .root = options.root,
                              .stdin_path = options.stdin_path,
                              .timeout_seconds = options.timeout_seconds,
                              .instruction_access = [&code](uint32_t ip) { return code.access_at(ip); }};
  const auto record = record_program(request);
  if (!record) {
    return tl::unexpected(record.error());
  }
  FL_HOST_TRY(write_text(files.record, files.record != nullptr ? format_record(*record) : std::string()));
  FL_HOST_TRY(write_trace(*record, files));
  FL_HOST_TRY(write_text(files.stats, record_statistics_json(*record)));
  fmt::print(stderr, "{}", format_record_summary(*record));
  return 0;
}

}  // namespace fl::emu
