// What each process of a run counted in all, get_user_pages faults included: from the kernel's task accounting
// (task_exits.hpp), checked against the events and against what wait4 reported.
#pragma once

#include <span>

#include "emu/record/process_tree.hpp"
#include "emu/record/run_list.hpp"
#include "emu/record/task_exits.hpp"

namespace fl::emu {

// Fills in minflt, majflt, gup_faults and exit_status of the tree's processes, and the list's totals from them. `list`
// has the faults, by the tree's numbers. False, and nothing is changed but exit statuses: it is not known of every
// task.
bool count_processes(std::span<const TaskExit> exits, ProcessTree& tree, const RunFacts& facts, RunList& list);

// The same from the events alone, of a list that is otherwise ready: gup_faults stays unknown where several processes
// may have taken them.
void count_events(const RunFacts& facts, RunList& list);

}  // namespace fl::emu
