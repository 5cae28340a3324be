// Getting a reference and running under its circumstances.
#include "emu/compare/compare_program.hpp"

#include <filesystem>

#include "emu/base/content_hash.hpp"
#include "emu/cpu/cpu_model.hpp"
#include "emu/record/record_file.hpp"
#include "emu/record/record_program.hpp"

namespace fl::emu {

namespace {

bool in_own_root(const MachineRun& run) { return run.machine.root != "/"; }

}  // namespace

HostResult<NativeRecord> obtain_reference(const CompareRequest& request) {
  if (!request.against.empty()) {
    return read_record(request.against);
  }
  RecordRequest record;
  record.command = request.run.command;
  record.environment = request.run.environment;
  record.runs = request.runs;
  record.others = request.others;
  record.stdin_path = request.run.stdin_path;
  if (in_own_root(request.run)) {
    record.root = request.run.machine.root;
  } else {
    record.cwd = request.run.directory;
  }
  record.timeout_seconds = request.timeout_seconds;
  record.forward_output = false;
  record.before_run = request.before_run;
  return record_program(record);
}

HostResult<bool> is_recorded_program(const NativeRecord& record, const std::string& path) {
  const auto hash = ContentHash::of_file(path);
  if (!hash) {
    return tl::unexpected<HostError>(hash.error());
  }
  bool same = hash->text() == record.program_hash;
  for (const NativeFile& other : record.others) {
    const auto now = ContentHash::of_file(other.path);
    same = same && now.has_value() && now->text() == other.hash;
  }
  return same;
}

HostResult<Comparison> compare_with(NativeRecord record, const CompareRequest& request) {
  std::filesystem::path program = request.run.command[0];
  if (in_own_root(request.run)) {
    program = request.run.machine.root + "/" + request.run.command[0];
  } else if (program.is_relative() && !request.run.directory.empty()) {
    program = request.run.directory / program;
  }
  const auto same = is_recorded_program(record, program.string());
  if (!same) {
    return tl::unexpected<HostError>(same.error());
  }
  if (!*same && !request.accept_changed) {
    return host_error(
        "cannot compare: {}: it is not the file that was "
        "recorded: give --accept-changed to compare anyway",
        program.string());
  }
  MachineRun run = request.run;
  run.machine.profile = request.profile != nullptr ? request.profile : &fitting_profile(record);
  run.machine.cpu = cpu_model_of(record.cpu);
  if (request.timeout_seconds != 0) {
    run.machine.timeout_ms = uint64_t{request.timeout_seconds} * 1000;
  }
  if (request.before_run) {
    FL_HOST_TRY(request.before_run());
  }
  auto ours = run_machine(run);
  if (!ours) {
    return tl::unexpected<HostError>(ours.error());
  }
  ComparisonContext context{.profile = run.machine.profile,
                            .level = request.level,
                            .source = request.against.empty() ? "recorded live" : request.against,
                            .program = program.string(),
                            .program_changed = !*same};
  return Comparison(std::move(record), std::move(*ours), std::move(context));
}

}  // namespace fl::emu
