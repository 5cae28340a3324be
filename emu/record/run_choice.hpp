// Which of several runs' lists is kept.
//
// What happens in one task is the program's doing; who of two tasks is faster, and now and then a fault (rule P1), is
// chance. So lists are compared task by task, and if no list of the whole run has a majority, each process's own most
// frequent list is taken: of a script with fifty processes no two runs need to be equal.
#pragma once

#include <vector>

#include "emu/record/run_list.hpp"

namespace fl::emu {

// Whether two runs took the same faults: of each task the same pages in the same order, by the same instructions, and
// the same totals of each process. The order across tasks and all times may differ.
bool same_faults(const RunList& a, const RunList& b);

struct RunChoice {
  RunList list;    // every process says how many runs gave its list
  size_t run = 0;  // the run, or that of the first process
  // How many runs gave this list; if it was put together, the least of the processes' numbers.
  uint32_t agreeing = 0;
};

// The list that most runs gave, the first of those if several are as frequent. `runs` has at least one.
RunChoice choose_run(const std::vector<RunList>& runs);

}  // namespace fl::emu
