// LoneTask: a task that no kernel runs, for tests of what describes tasks.
#pragma once

#include "guest/task.hpp"
#include "tests/unit/guest/kernel_machine.hpp"

namespace fl::emu {

class LoneTask {
 public:
  guest::Task* operator->() { return &task_; }
  guest::Task& operator*() { return task_; }

 private:
  guest::test::KernelMachine machine_;
  guest::Task task_{machine_.kernel()};
};

}  // namespace fl::emu
