// SemArrays: System V semaphore sets. Linux counterpart: ipc/sem.c (sem_array, sem, sem_undo, sem_undo_list).
//
// The operations of a call happen all or none. A call that cannot go on waits in the set, and whoever changes the set
// does the waiting operations that have become possible on behalf of their callers, in Linux's order: those who wait
// for zero first, then the others in the order of arrival; a set where nobody waits with several operations keeps a
// queue for each semaphore ("simple"), else one for all. What SEM_UNDO shall take back is kept for each process (or
// whoever shares it with CLONE_SYSVSEM) and set.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "guest/ipc/ipc_ids.hpp"
#include "guest/ipc/sysv_waiters.hpp"

namespace fl::guest {

class Kernel;
struct Task;

inline constexpr int32_t kSemMaxValue = 32767;   // SEMVMX
inline constexpr int32_t kSemMaxAdjust = 32767;  // SEMAEM
inline constexpr int16_t kSemUndoFlag = 0x1000;  // SEM_UNDO

// What is to be added to a set's semaphores when who made it ends. In kmalloc memory. Linux: struct sem_undo.
struct SemUndo {
  SemUndo(SemArray& set, int32_t id_of_set, uint32_t count, vm::SlabAllocator& slab)
      : array(set), id(id_of_set), adjust(count, int16_t{0}, vm::SlabStlAllocator<int16_t>(slab)) {}
  SemArray& array;
  int32_t id;
  vm::SlabVector<int16_t> adjust;
  using Hook = boost::intrusive::list_member_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;
  Hook of_array, of_list;
};
template <auto Hook>
using SemUndosBy = boost::intrusive::list<SemUndo, boost::intrusive::member_hook<SemUndo, SemUndo::Hook, Hook>,
                                          boost::intrusive::constant_time_size<false>>;

// Of one process, or of tasks that share it. Linux: struct sem_undo_list.
struct SemUndoList {
  explicit SemUndoList(vm::SlabAllocator& allocator) : slab(allocator) {}
  SemUndoList(const SemUndoList&) = delete;
  SemUndoList& operator=(const SemUndoList&) = delete;
  ~SemUndoList() { undos.clear_and_dispose(KmallocDeleter{&slab}); }
  SemUndosBy<&SemUndo::of_list> undos;  // newest first
  vm::SlabAllocator& slab;
};

// Linux: struct sem.
struct Sem {
  int32_t value = 0;
  uint32_t pid = 0;                                  // who changed it last
  SysvList<SemWaiter> pending_alter, pending_const;  // calls of one operation, while the set is simple
};

// Linux: struct sem_array.
struct SemArray : IpcPerm {
  SemArray(int32_t key_given, uint32_t mode_given, uint32_t count, vm::SlabAllocator& slab)
      : IpcPerm(key_given, mode_given), sems(count, vm::SlabStlAllocator<Sem>(slab)) {}
  vm::SlabVector<Sem> sems;
  uint32_t size() const { return static_cast<uint32_t>(sems.size()); }
  int64_t operation_time = 0, change_time = 0;
  SysvList<SemWaiter> pending_alter, pending_const;
  SemUndosBy<&SemUndo::of_array> undos;
  uint32_t complex_count = 0;  // waiting calls of several operations
};

class SemArrays {
 public:
  // sysctl kernel.sem. Linux: SEMMSL, SEMMNS, SEMOPM, SEMMNI.
  struct Limits {
    uint32_t per_array = 32000, all = 1024000000, operations = 500, arrays = 32000;
  };

  explicit SemArrays(Kernel& kernel) : kernel_(kernel) {}
  SemArrays(const SemArrays&) = delete;
  SemArrays& operator=(const SemArrays&) = delete;
  ~SemArrays() { clear(); }

  // EINVAL, ENOSPC, ENOMEM; ENOENT, EEXIST, EACCES. Linux: ksys_semget, newary.
  Result<int32_t> get(Task& task, int32_t key, int32_t count, uint32_t flags);

  // Does all operations, or queues the task, which must then sleep (false), or neither: EINVAL, EFBIG, EACCES, ERANGE,
  // EAGAIN (IPC_NOWAIT), ENOMEM. Linux: __do_semtimedop.
  Result<bool> operate(Task& task, int32_t id, SemOps ops);
  // Takes a waiting task off. Linux: unlink_queue.
  void leave(SemWaiter& waiter);

  // A set that the caller may read or change: EINVAL, EACCES.
  Result<SemArray*> find(Task& task, int32_t id, uint32_t wanted);
  // EINVAL, EPERM. Linux: freeary.
  Status remove(Task& task, int32_t id);
  // New values, one or all; what was to be undone there is forgotten. ERANGE, EINVAL, EACCES. Linux: semctl_setval,
  // SETALL of semctl_main.
  Status set_value(Task& task, int32_t id, int32_t number, int32_t value);
  Status set_all(Task& task, SemArray& array, std::span<const uint16_t> values);
  enum class WaitsFor : bool { kIncrease, kZero };
  // How many calls wait for this semaphore. Linux: count_semcnt.
  static uint32_t count_waiters(SemArray& array, uint32_t number, WaitsFor what);

  // The task ends, or no longer shares its list: the last one's operations are undone. Linux: exit_sem.
  void exit_sem(Task& task);
  // The task's list, made if there is none. ENOMEM. Linux: get_undo_list.
  Result<std::shared_ptr<SemUndoList>> undo_list(Task& task);

  IpcIds& ids() { return ids_; }
  Limits& limits() { return limits_; }
  // Semaphores of all sets. Linux: used_sems.
  uint32_t used() const { return used_; }
  // At the end of the machine, when nobody waits.
  void clear();

 private:
  Result<int32_t> make(Task& task, int32_t key, uint32_t count, uint32_t flags);
  Result<SemUndo*> find_undo(Task& task, int32_t id);
  void queue(SemArray& array, SemWaiter& waiter);
  void finish(SemWaiter& waiter, Status result);
  void changed(SemArray& array, std::span<const SemOp> ops, bool succeeded);
  bool update_queue(SemArray& array, SysvList<SemWaiter>& pending, const Sem* sem);
  bool wake_zero(SemArray& array, std::span<const SemOp> ops);
  bool wake_const(SemArray& array, SysvList<SemWaiter>& pending);
  void destroy(SemArray& array);

  Kernel& kernel_;
  IpcIds ids_;
  Limits limits_;
  uint32_t used_ = 0;
};

}  // namespace fl::guest
