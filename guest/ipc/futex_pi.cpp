// Futex locks with priority inheritance: LOCK_PI, TRYLOCK_PI, UNLOCK_PI, and what becomes of them when their owner
// ends. Linux counterparts: kernel/futex/pi.c, the parts of rt_mutex that it needs.
//
// Simplified: as no task has a priority nothing is inherited, and the one who waited longest gets the lock.
// WAIT_REQUEUE_PI and CMP_REQUEUE_PI are not there.
#include "guest/ipc/futex.hpp"
#include "guest/kernel.hpp"
#include "guest/task.hpp"
#include "vm/fault/handle_fault.hpp"

namespace fl::guest {
namespace {

// Those who still wait have a new owner to wait for. The word is the caller's to write. Linux: wake_futex_pi.
void give_lock(Kernel& kernel, FutexWaiter& next) {
  const FutexKey key = next.key;
  const uint32_t owner = next.task.tid;
  next.unlink();
  next.pi_owner = 0;
  for (FutexWaiter& waiter : kernel.futexes().bucket(key)) {
    if (waiter.key == key) {
      waiter.pi_owner = owner;
    }
  }
  next.task.wait.satisfied = true;
  kernel.wake(next.task);
}

// Whether waiting for `owner` closes a circle. Linux: rt_mutex_adjust_prio_chain.
bool would_deadlock(Kernel& kernel, const Task& task, uint32_t owner) {
  while (owner != 0 && owner != task.tid) {
    const Task* const holder = kernel.find_task(owner);
    owner = holder != nullptr && holder->futex.is_linked() ? holder->futex.pi_owner : 0;
  }
  return owner == task.tid;
}

// Who holds the lock, as the word and those who wait for it already say. Linux: attach_to_pi_state, attach_to_pi_owner.
Result<uint32_t> owner_of(Kernel& kernel, uint32_t value, const FutexWaiter* top) {
  const uint32_t tid = value & kFutexTidMask;
  if (top != nullptr) {
    const bool dead = (value & kFutexOwnerDied) != 0 && tid == 0;
    return dead || tid == top->pi_owner ? Result<uint32_t>(top->pi_owner) : fail(Errno::kEINVAL);
  }
  const Task* const owner = kernel.find_task(tid);
  return owner != nullptr && owner->alive() ? Result<uint32_t>(tid) : fail(Errno::kESRCH);
}

}  // namespace

Result<LockResult> futex_lock_pi(Kernel& kernel, Task& task, VirtAddr word, FutexScope scope, LockMode mode) {
  FL_TRY_ASSIGN(const FutexKey key, futex_key(kernel, task, word, scope, FutexAccess::kWrite));
  if (!vm::get_user_page(*task.mm, word, mmu::Access::kWrite, task.faults)) {
    return fail(Errno::kEFAULT);
  }
  vm::UserAccess user = task.user();
  FL_TRY_ASSIGN(const auto value, user.get<uint32_t>(word));
  if ((value & kFutexTidMask) == task.tid) {
    return fail(Errno::kEDEADLK);
  }
  const FutexWaiter* const top = kernel.futexes().top_waiter(key);
  if (top != nullptr && top->pi_owner == 0) {
    return fail(Errno::kEINVAL);
  }
  if (top == nullptr && (value & kFutexTidMask) == 0) {
    FL_TRY(user.put(word, (value & kFutexOwnerDied) | task.tid));
    return LockResult::kTaken;
  }
  FL_TRY_ASSIGN(const uint32_t owner, owner_of(kernel, value, top));
  FL_TRY(user.put(word, value | kFutexWaiters));
  if (mode == LockMode::kTry) {
    return fail(Errno::kEAGAIN);
  }
  if (would_deadlock(kernel, task, owner)) {
    return fail(Errno::kEDEADLK);
  }
  task.futex.bitset = kFutexMatchAny;
  task.futex.pi_owner = owner;
  kernel.futexes().queue(task.futex, key);
  return LockResult::kQueued;
}

Status futex_unlock_pi(Kernel& kernel, Task& task, VirtAddr word, FutexScope scope) {
  vm::UserAccess user = task.user();
  FL_TRY_ASSIGN(const auto value, user.get<uint32_t>(word));
  if ((value & kFutexTidMask) != task.tid) {
    return fail(Errno::kEPERM);
  }
  FL_TRY_ASSIGN(const FutexKey key, futex_key(kernel, task, word, scope, FutexAccess::kWrite));
  FutexWaiter* const top = kernel.futexes().top_waiter(key);
  if (top != nullptr && top->pi_owner != task.tid) {
    return fail(Errno::kEINVAL);
  }
  if (!vm::get_user_page(*task.mm, word, mmu::Access::kWrite, task.faults)) {
    return fail(Errno::kEFAULT);
  }
  FL_TRY(user.put(word, top == nullptr ? 0u : kFutexWaiters | top->task.tid));
  if (top != nullptr) {
    give_lock(kernel, *top);
  }
  return {};
}

void exit_pi_locks(Kernel& kernel, Task& task) {
  for (FutexTable::Waiters& bucket : kernel.futexes().buckets()) {
    for (auto at = bucket.begin(); at != bucket.end();) {
      FutexWaiter& waiter = *at;
      ++at;
      if (waiter.pi_owner != task.tid) {
        continue;
      }
      // The new owner writes the word, as it sees it. Linux: fixup_pi_state_owner.
      give_lock(kernel, waiter);
      vm::UserAccess user = waiter.task.user();
      static_cast<void>(user.put(VirtAddr(waiter.task.wait.object), kFutexOwnerDied | kFutexWaiters | waiter.task.tid));
    }
  }
}

}  // namespace fl::guest
