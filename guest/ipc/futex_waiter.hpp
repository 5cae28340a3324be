// FutexKey and FutexWaiter: which word a task waits for, and its place among those who do. Linux counterparts: union
// futex_key, struct futex_q.
#pragma once

#include <boost/intrusive/list.hpp>
#include <cstdint>

namespace fl::guest {

struct Task;

// Two words have equal keys if they are the same memory. Linux: union futex_key.
struct FutexKey {
  uint64_t object = 0;  // private memory: the address space; else the file, by Mapping::sequence
  uint32_t page = 0;    // private memory: the page's address; else its index in the file
  uint32_t offset = 0;  // in the page, and how the key was made: a private futex never meets a shared one
  bool operator==(const FutexKey&) const = default;
};

// A task has one: it waits for one word at a time. Linux: struct futex_q.
struct FutexWaiter : boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
  explicit FutexWaiter(Task& waiting) : task(waiting) {}
  FutexWaiter(const FutexWaiter&) = delete;
  FutexWaiter& operator=(const FutexWaiter&) = delete;

  Task& task;
  FutexKey key;
  uint32_t bitset = 0;
  // A lock with priority inheritance: the task that holds it; 0: a plain futex. Linux: futex_q::pi_state.
  uint32_t pi_owner = 0;
};

}  // namespace fl::guest
