// TaskTable: all tasks of the machine, found by their number. Linux counterpart: the pid hash, for_each_process_thread.
//
// In the order of their numbers, so that whoever goes through them does it the same way in every run. It owns none.
#pragma once

#include <boost/intrusive/set.hpp>
#include <cstdint>

#include "guest/task.hpp"

namespace fl::guest {

struct TidOfTask {
  using type = uint32_t;
  const uint32_t& operator()(const Task& task) const { return task.tid; }
};

class TaskTable
    : public boost::intrusive::set<Task, boost::intrusive::member_hook<Task, Task::SetHook, &Task::table_hook>,
                                   boost::intrusive::key_of_value<TidOfTask>> {
 public:
  // Null: there is none.
  Task* find_tid(uint32_t tid) {
    const auto found = find(tid);
    return found == end() ? nullptr : &*found;
  }
};

}  // namespace fl::guest
