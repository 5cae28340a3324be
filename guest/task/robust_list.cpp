// Walking a robust list. Linux counterpart: exit_robust_list, handle_futex_death (kernel/futex/core.c).
//
// The list is the program's: it may be damaged, endless or out of reach; the walk ends then. Simplified: the words of
// priority-inheritance locks (bit 0 of an entry) are handled like the others.
#include "guest/task/robust_list.hpp"

#include <optional>

namespace fl::guest {
namespace {

constexpr uint32_t kWaiters = 0x80000000, kOwnerDied = 0x40000000, kTidMask = 0x3fffffff;
constexpr uint32_t kMostEntries = 2048;  // Linux: ROBUST_LIST_LIMIT
constexpr uint32_t kPiBit = 1;

// struct robust_list_head of i386.
struct RobustListHead {
  uint32_t first;
  int32_t futex_offset;
  uint32_t pending;
};

void handle_death(Kernel& kernel, Task& task, VirtAddr word, bool pending) {
  if (word.value() % sizeof(uint32_t) != 0) {
    return;
  }
  vm::UserAccess user = task.user();
  const auto value = user.get<uint32_t>(word);
  if (!value) {
    return;
  }
  // It was about to give the lock away: the new owner must be woken.
  if (pending && *value == 0) {
    futex_wake(kernel, task, word, 1);
    return;
  }
  if ((*value & kTidMask) != task.tid) {
    return;
  }
  if (user.put(word, (*value & kWaiters) | kOwnerDied) && (*value & kWaiters) != 0) {
    futex_wake(kernel, task, word, 1);
  }
}

}  // namespace

void exit_robust_list(Kernel& kernel, Task& task) {
  const VirtAddr head_at(task.robust_list);
  if (task.robust_list == 0) {
    return;
  }
  task.robust_list = 0;
  vm::UserAccess user = task.user();
  const auto head = user.get<RobustListHead>(head_at);
  if (!head) {
    return;
  }
  const auto word_of = [&](uint32_t entry) {
    return VirtAddr((entry & ~kPiBit) + static_cast<uint32_t>(head->futex_offset));
  };
  const uint32_t pending = head->pending & ~kPiBit;
  uint32_t entry = head->first;
  for (uint32_t left = kMostEntries; left > 0 && (entry & ~kPiBit) != head_at.value(); --left) {
    // The next one first: the waiter that is woken may free this one.
    const auto next = user.get<uint32_t>(VirtAddr(entry & ~kPiBit));
    if ((entry & ~kPiBit) != pending) {
      handle_death(kernel, task, word_of(entry), false);
    }
    if (!next) {
      return;
    }
    entry = *next;
  }
  if (pending != 0) {
    handle_death(kernel, task, word_of(pending), true);
  }
}

}  // namespace fl::guest
