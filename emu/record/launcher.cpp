// launch: pipes and the start; the child's steps are in child_start.cpp, what follows in supervisor.cpp.
#include "emu/record/launcher.hpp"

#include <fcntl.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "emu/record/child_start.hpp"
#include "emu/record/pid_namespace.hpp"
#include "emu/record/program_file.hpp"
#include "emu/record/supervisor.hpp"

namespace fl::emu {
namespace {

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> result;
  result.reserve(strings.size() + 1);
  for (std::string& text : strings) {
    result.push_back(text.data());
  }
  result.push_back(nullptr);
  return result;
}

HostError cannot_start(const std::string& program, int error) {
  if (error == ENOEXEC && is_i386_program(program) && !host_runs_i386()) {
    return {fmt::format("cannot record: {}: this host's kernel does not run i386 programs", program), kExitNoReference};
  }
  return {fmt::format("cannot start the program: {}: {}", program, std::strerror(error))};
}

// A pipe: reading end, writing end.
HostResult<std::array<UniqueFd, 2>> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return host_error("cannot make a pipe: {}", std::strerror(errno));
  }
  return std::array{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// The program's first process, in a namespace if that is possible. An error is errno of what failed, or 0 if it is in
// start.error.
tl::expected<Family, int> start_family(ChildStart& start) {
  Family family;
  if (auto init = start_in_namespace(start)) {
    const auto first = read_report(init->reports);
    if (!first || first->kind != NamespaceReport::Kind::kStarted) {
      ::waitpid(init->pid, nullptr, 0);
      start.error = first ? first->value : ECHILD;
      return tl::unexpected(0);
    }
    family.pid = init->pid;
    family.reports = std::move(init->reports);
    family.launcher_minflt = first->minflt;
    family.launcher_majflt = first->majflt;
    return family;
  }
  family.pid = start_child(start);
  if (family.pid < 0) {
    return tl::unexpected(errno);
  }
  if (start.error != 0) {
    ::waitpid(family.pid, nullptr, 0);
    return tl::unexpected(0);
  }
  family.launcher_minflt = static_cast<uint64_t>(start.before.ru_minflt);
  family.launcher_majflt = static_cast<uint64_t>(start.before.ru_majflt);
  return family;
}

}  // namespace

HostResult<LaunchResult> launch(const LaunchSpec& spec, PerfSession* session, const OutputSink& sink) {
  std::vector<std::string> command = spec.command, environment = spec.environment;
  const std::vector<char*> argv = pointers(command), envp = pointers(environment);
  const UniqueFd in(::open(spec.stdin_path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!in.open()) {
    return host_error("cannot read the program's input: {}: {}", spec.stdin_path, std::strerror(errno));
  }
  auto out = make_pipe(), err = make_pipe();
  if (!out || !err) {
    return tl::unexpected((!out ? out : err).error());
  }
  ChildStart start{.argv = argv.data(),
                   .envp = envp.data(),
                   .cwd = spec.cwd.empty() ? nullptr : spec.cwd.c_str(),
                   .root = spec.root.empty() ? nullptr : spec.root.c_str(),
                   .in = in.get(),
                   .out = (*out)[1].get(),
                   .err = (*err)[1].get(),
                   .processor = choose_processor()};
  Supervisor supervisor(session, sink, spec.timeout_seconds);
  auto family = start_family(start);
  if (!family) {
    return tl::unexpected(family.error() == 0 ? cannot_start(spec.command[0], start.error)
                                              : HostError{fmt::format("cannot start the program: clone: {}",
                                                                      std::strerror(family.error()))});
  }
  (*out)[1].reset();
  (*err)[1].reset();
  return supervisor.follow(std::move(*family), std::move((*out)[0]), std::move((*err)[0]));
}

}  // namespace fl::emu
