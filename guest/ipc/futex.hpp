// FutexTable: all tasks that wait for futex words, hashed by the word. Linux counterpart: futex_queues[] and
// kernel/futex/ (core.c, waitwake.c, requeue.c).
//
// What these functions do to waiters is done at once; a waiter learns of it by Wait::satisfied when its call goes on.
// Waiters of one word are woken in the order in which they came. A process has one table for all of its futexes as
// well as the machine: hash tables of one process (6.16) cannot be told from it.
#pragma once

#include <array>
#include <boost/intrusive/list.hpp>
#include <cstdint>

#include "guest/ipc/futex_waiter.hpp"
#include "mmu/base/addr.hpp"
#include "mmu/base/result.hpp"

namespace fl::guest {

class Kernel;
struct Task;

class FutexTable {
 public:
  using Waiters = boost::intrusive::list<FutexWaiter, boost::intrusive::constant_time_size<false>>;

  FutexTable() = default;
  FutexTable(const FutexTable&) = delete;
  FutexTable& operator=(const FutexTable&) = delete;

  // All whose key has the same hash, in the order of arrival. Linux: futex_hash.
  Waiters& bucket(const FutexKey& key);
  // Behind all others. Linux: futex_queue.
  void queue(FutexWaiter& waiter, const FutexKey& key);
  // Who waits for the word and came first; null: nobody. Linux: futex_top_waiter.
  FutexWaiter* top_waiter(const FutexKey& key);
  std::array<Waiters, 256>& buckets() { return buckets_; }

  // For Mapping::sequence. Linux: get_inode_sequence_number.
  uint64_t new_sequence() { return ++last_sequence_; }

 private:
  std::array<Waiters, 256> buckets_;  // Linux: 256 for each processor
  uint64_t last_sequence_ = 0;
};

// FUTEX_PRIVATE_FLAG or not.
enum class FutexScope : bool { kPrivate, kShared };
enum class FutexAccess : bool { kRead, kWrite };
inline constexpr uint32_t kFutexMatchAny = ~0u;
// Linux: FUTEX_WAITERS, FUTEX_OWNER_DIED, FUTEX_TID_MASK.
inline constexpr uint32_t kFutexWaiters = 0x80000000, kFutexOwnerDied = 0x40000000, kFutexTidMask = 0x3fffffff;

// EINVAL: not aligned. EFAULT. A shared one faults its page in, for writing if it can be. Linux: get_futex_key.
Result<FutexKey> futex_key(Kernel& kernel, Task& task, VirtAddr word, FutexScope scope, FutexAccess access);

// Wakes waiters, at least one (as Linux: the count is looked at after each), whose bitset meets `bitset`; how many.
// EINVAL: somebody waits for a lock there. Linux: futex_wake.
Result<uint32_t> futex_wake(Kernel& kernel, Task& task, VirtAddr word, FutexScope scope, int32_t count,
                            uint32_t bitset);

struct FutexRequeue {
  VirtAddr from, to;
  int32_t wake = 0, move = 0;
  const uint32_t* expected = nullptr;  // CMP_REQUEUE: what `from` must hold, else EAGAIN
};
// How many were woken or moved. Linux: futex_requeue.
Result<uint32_t> futex_requeue(Kernel& kernel, Task& task, FutexScope scope, const FutexRequeue& request);

// Changes the second word, wakes those of the first, and those of the second if its old value says so. ENOSYS: there is
// no such operation. Linux: futex_wake_op.
Result<uint32_t> futex_wake_op(Kernel& kernel, Task& task, FutexScope scope, VirtAddr first, VirtAddr second,
                               int32_t wake_first, int32_t wake_second, uint32_t operation);

// --- locks with priority inheritance (futex_pi.cpp) ---
// Takes the lock, or queues the task and answers none: then it must sleep until Wait::satisfied. EDEADLK, ESRCH (the
// owner is no task), EINVAL, EFAULT; EAGAIN with kTry. Linux: futex_lock_pi, futex_lock_pi_atomic.
enum class LockMode : bool { kWait, kTry };
enum class LockResult : bool { kQueued, kTaken };
Result<LockResult> futex_lock_pi(Kernel& kernel, Task& task, VirtAddr word, FutexScope scope, LockMode mode);
// Gives the lock to who waited longest. EPERM: it is another's. Linux: futex_unlock_pi.
Status futex_unlock_pi(Kernel& kernel, Task& task, VirtAddr word, FutexScope scope);
// The locks that the task holds while others wait for them go to those. Linux: exit_pi_state_list.
void exit_pi_locks(Kernel& kernel, Task& task);

}  // namespace fl::guest
