// Walking a robust list. Linux counterpart: exit_robust_list, handle_futex_death (kernel/futex/core.c).
//
// The list is the program's: it may be damaged, endless or out of reach; the walk ends then. Who waits for a lock with
// priority inheritance (bit 0 of its entry) is not woken here: exit_pi_locks hands it on.
#include "guest/task/robust_list.hpp"

#include <optional>

#include "guest/ipc/futex.hpp"

namespace fl::guest {
namespace {

constexpr uint32_t kMostEntries = 2048;  // Linux: ROBUST_LIST_LIMIT
constexpr uint32_t kPiBit = 1;

// struct robust_list_head of i386.
struct RobustListHead {
  uint32_t first;
  int32_t futex_offset;
  uint32_t pending;
};

void wake_next_owner(Kernel& kernel, Task& task, VirtAddr word) {
  static_cast<void>(futex_wake(kernel, task, word, FutexScope::kShared, 1, kFutexMatchAny));
}

enum class LockKind : bool { kPlain, kPi };
enum class LockState : bool { kHeld, kPending };

void handle_death(Kernel& kernel, Task& task, VirtAddr word, LockKind kind, LockState state) {
  if (word.value() % sizeof(uint32_t) != 0) {
    return;
  }
  vm::UserAccess user = task.user();
  const auto value = user.get<uint32_t>(word);
  if (!value) {
    return;
  }
  // It was about to give the lock away: the new owner must be woken.
  if (state == LockState::kPending && kind == LockKind::kPlain && *value == 0) {
    wake_next_owner(kernel, task, word);
    return;
  }
  if ((*value & kFutexTidMask) != task.tid) {
    return;
  }
  const bool waiters = (*value & kFutexWaiters) != 0;
  if (user.put(word, (*value & kFutexWaiters) | kFutexOwnerDied) && kind == LockKind::kPlain && waiters) {
    wake_next_owner(kernel, task, word);
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
  const auto kind_of = [](uint32_t entry) { return (entry & kPiBit) != 0 ? LockKind::kPi : LockKind::kPlain; };
  const uint32_t pending = head->pending & ~kPiBit;
  uint32_t entry = head->first;
  for (uint32_t left = kMostEntries; left > 0 && (entry & ~kPiBit) != head_at.value(); --left) {
    // The next one first: the waiter that is woken may free this one.
    const auto next = user.get<uint32_t>(VirtAddr(entry & ~kPiBit));
    if ((entry & ~kPiBit) != pending) {
      handle_death(kernel, task, word_of(entry), kind_of(entry), LockState::kHeld);
    }
    if (!next) {
      return;
    }
    entry = *next;
  }
  if (pending != 0) {
    handle_death(kernel, task, word_of(pending), kind_of(head->pending), LockState::kPending);
  }
}

}  // namespace fl::guest
