// run_program TRACE PROGRAM [ARGS...]: runs an i386 program in this process, fault by fault, and says which instruction
// made each of the first ones and what it found in the page tables; then runs it to its end. TRACE is the file of
// `faultline run --trace`, or "-" for none. The program's output goes to ours, what we say to stderr.
#include <cstdio>
#include <cstring>

#include <faultline/machine.hpp>

namespace {

constexpr int kShown = 10;

void show(const faultline::Machine& machine, const faultline::MachineFault& fault) {
  std::fprintf(stderr, "%s %u %-6s %-5s %08x %-10s at %08x", fault.name.c_str(), fault.tid,
               faultline::name_of(fault.mode).data(), faultline::name_of(fault.access).data(), fault.address,
               fault.cause.data(), fault.instruction);
  // The walk that the processor will make when it tries again.
  if (const auto walk = machine.walk(fault.tid, fault.address)) {
    for (const faultline::WalkStep& step : walk->taken()) {
      std::fprintf(stderr, "  [%08x] = %08x", step.address, step.entry);
    }
  }
  std::fprintf(stderr, "\n");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: run_program TRACE PROGRAM [ARGS...]\n");
    return 2;
  }
  auto machine = faultline::Machine::create({.program = argv[2],
                                             .arguments = {argv + 3, argv + argc},
                                             .environment = {"A=1"},
                                             .trace = std::strcmp(argv[1], "-") != 0 ? argv[1] : ""});
  if (!machine) {
    std::fprintf(stderr, "run_program: %s\n", machine.error().message.c_str());
    return 125;
  }
  for (int shown = 0; shown < kShown; ++shown) {
    const auto fault = machine->run_until_fault();
    if (!fault) {
      break;
    }
    show(*machine, *fault);
  }
  // A thousand blocks at a time: here an embedding program does its own work in between.
  while (machine->run_blocks(1000) == faultline::MachineState::kRunning) {
  }
  std::fprintf(stderr, "%s", machine->statistics_text().c_str());
  if (!machine->exit_status()) {
    std::fprintf(stderr, "run_program: %s\n", machine->failure().c_str());
    return 125;
  }
  return *machine->exit_status();
}
