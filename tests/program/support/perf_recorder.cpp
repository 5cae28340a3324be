// One recorded run, for tests that look at the list themselves. See perf_recorder.hpp.
#include "tests/program/support/perf_recorder.hpp"

#include <stdexcept>

#include "emu/record/launcher.hpp"
#include "emu/record/perf_session.hpp"
#include "emu/record/run_list.hpp"

namespace fl::test {
namespace {

template <typename T>
T value_of(emu::HostResult<T> result) {
  if (!result) {
    throw std::runtime_error(result.error().message);
  }
  return std::move(*result);
}

}  // namespace

std::string perf_unavailable() {
  const auto session = emu::PerfSession::open({});
  if (!session) {
    return session.error().message;
  }
  return (*session)->kernel_seen() ? std::string() : "faults in kernel mode are hidden: " + emu::describe_paranoid();
}

RecordedRun record_faults(const RunSpec& spec) {
  const auto session = value_of(emu::PerfSession::open({}));
  emu::LaunchSpec launch{.command = {spec.program.string()},
                         .environment = spec.env,
                         .cwd = spec.cwd.string(),
                         .stdin_path = spec.stdin_file.string()};
  launch.command.insert(launch.command.end(), spec.args.begin(), spec.args.end());
  RecordedRun result;
  const emu::LaunchResult launched =
      value_of(emu::launch(launch, session.get(), [&result](emu::OutputStream stream, std::string_view text) {
        (stream == emu::OutputStream::kOut ? result.run.output : result.run.error).append(text);
      }));
  result.run.pid = launched.pid;
  result.run.exit_status = launched.exit_status;
  result.run.minflt = static_cast<long>(launched.minflt);
  result.run.majflt = static_cast<long>(launched.majflt);
  const emu::RunList list =
      value_of(emu::make_run_list(session->take_records(), {.root = launched.pid,
                                                            .root_is_parent = launched.pid_is_init,
                                                            .minflt = launched.minflt,
                                                            .majflt = launched.majflt,
                                                            .gup_seen = session->gup_seen()}));
  for (const emu::NativeFault& fault : list.faults) {
    if (fault.process == 0 && fault.mode != vm::FaultMode::kGup) {
      result.faults.push_back({fault.addr, fault.ip, fault.mode == vm::FaultMode::kKernel});
    }
  }
  return result;
}

}  // namespace fl::test
