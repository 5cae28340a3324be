// Runs of the model driver as scripts: what each step chose, so that a run can be had again with steps left out, and a
// failure shrunk to the few steps that bring it about (delta debugging).
//
// Every run is a child process: a failed FL_CHECK, a crash or a hang of the machine is a failure like any other.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tests/unit/vm/vm_model.hpp"

namespace fl::vm::test {

// What a step asked the source of decisions for, in order. Numbers are taken modulo what is asked; behind the last: 0.
using ModelStep = std::vector<uint32_t>;
// The first step makes the machine.
using ModelScript = std::vector<ModelStep>;

struct ModelSetup {
  uint32_t frames = 512;
  uint32_t swap_pages = 0;
  const KernelProfile* profile = &KernelProfile::i386_6_1();
  VerifyLevel verify = VerifyLevel::kMmCalls;
  // See ModelDriver.
  std::function<void(ModelDriver&)> after_call = {};
};

struct ModelOutcome {
  std::string failure;  // empty: none
  ModelScript script;   // as far as it came
  uint32_t successes = 0;
  bool failed() const { return !failure.empty(); }
};

// So many random steps.
ModelOutcome run_random(const ModelSetup& setup, uint32_t seed, uint32_t steps);
ModelOutcome run_script(const ModelSetup& setup, const ModelScript& script);

// A script that fails too, and no step of which can be left out (after `most_runs` runs it is as short as it is by
// then).
ModelScript shrink(const ModelSetup& setup, ModelScript script, uint32_t most_runs = 3000);

// "" if the run does not fail; else what failed, and the shrunk script, a line a step: its numbers and what it does.
std::string failure_of(const ModelSetup& setup, uint32_t seed, uint32_t steps, uint32_t* successes = nullptr);

}  // namespace fl::vm::test
