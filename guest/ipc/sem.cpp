// Semaphore sets: making and removing them, operations, and whom a change wakes. What SEM_UNDO does is in sem_undo.cpp.
#include "guest/ipc/sem.hpp"

#include <algorithm>

#include "guest/kernel.hpp"
#include "guest/task.hpp"

namespace fl::guest {
namespace {

SemArray& as_array(IpcPerm& perm) { return static_cast<SemArray&>(perm); }

// What became of operations that were tried.
enum class Attempt : uint8_t { kDone, kBlocks, kWouldBlock, kOutOfRange };

// All operations or none; the set and the undo values are as before if not all. Linux: perform_atomic_semop_slow.
Attempt attempt(SemArray& array, SemWaiter& call) {
  const SemOps& ops = *call.ops;
  size_t done = 0;
  Attempt result = Attempt::kDone;
  for (; done < ops.size(); ++done) {
    const SemOp& op = ops[done];
    const bool undoes = (op.flags & kSemUndoFlag) != 0;
    Sem& sem = array.sems[op.number];
    const int32_t value = sem.value + op.change;
    if ((op.change == 0 && sem.value != 0) || value < 0) {
      call.blocking = static_cast<uint16_t>(done);
      result = (static_cast<uint32_t>(op.flags) & IpcFlag::kNoWait) != 0 ? Attempt::kWouldBlock : Attempt::kBlocks;
      break;
    }
    const int32_t adjust = undoes ? call.undo->adjust[op.number] - op.change : 0;
    if (value > kSemMaxValue || adjust < -kSemMaxAdjust - 1 || adjust > kSemMaxAdjust) {
      result = Attempt::kOutOfRange;
      break;
    }
    if (undoes) {
      call.undo->adjust[op.number] = static_cast<int16_t>(adjust);
    }
    sem.value = value;
  }
  if (result == Attempt::kDone) {
    for (const SemOp& op : ops) {
      array.sems[op.number].pid = call.pid;
    }
    return result;
  }
  while (done > 0) {
    const SemOp& op = ops[--done];
    array.sems[op.number].value -= op.change;
    if ((op.flags & kSemUndoFlag) != 0) {
      call.undo->adjust[op.number] = static_cast<int16_t>(call.undo->adjust[op.number] + op.change);
    }
  }
  return result;
}

Status status_of(Attempt result) {
  switch (result) {
    case Attempt::kDone:
      return {};
    case Attempt::kOutOfRange:
      return fail(Errno::kERANGE);
    default:
      return fail(Errno::kEAGAIN);
  }
}

// Back to a queue for each semaphore, if nobody waits with several operations. Linux: unmerge_queues.
void unmerge_queues(SemArray& array) {
  if (array.complex_count != 0) {
    return;
  }
  while (!array.pending_alter.empty()) {
    SemWaiter& waiter = array.pending_alter.front();
    array.pending_alter.pop_front();
    array.sems[waiter.ops->front().number].pending_alter.push_back(waiter);
  }
}

// Off whatever list of the set it stands in.
void unlink_waiter(SemWaiter& waiter) {
  SemArray& array = *waiter.array;
  waiter.unlink();
  waiter.array = nullptr;
  array.complex_count -= waiter.ops->size() > 1 ? 1 : 0;
}

}  // namespace

Result<int32_t> SemArrays::get(Task& task, int32_t key, int32_t count, uint32_t flags) {
  if (count < 0 || static_cast<uint32_t>(count) > limits_.per_array) {
    return fail(Errno::kEINVAL);
  }
  const auto wanted = static_cast<uint32_t>(count);
  return ipc_get(
      ids_, task.cred, key, flags, [&] { return make(task, key, wanted, flags); },
      [wanted](IpcPerm& found) { return wanted > as_array(found).size() ? Status(fail(Errno::kEINVAL)) : Status(); });
}

Result<int32_t> SemArrays::make(Task& task, int32_t key, uint32_t count, uint32_t flags) {
  if (count == 0) {
    return fail(Errno::kEINVAL);
  }
  if (uint64_t{used_} + count > limits_.all) {
    return fail(Errno::kENOSPC);
  }
  vm::SlabAllocator& slab = kernel_.memory().slab();
  FL_TRY_ASSIGN(auto array, kmalloc_object<SemArray>(slab, key, flags & kIpcAccess, count, slab));
  array->change_time = real_seconds(kernel_);
  FL_TRY_ASSIGN(const int32_t id, ids_.add(*array, task.cred, limits_.arrays));
  static_cast<void>(array.release());  // ids_ has it
  used_ += count;
  return id;
}

Result<SemArray*> SemArrays::find(Task& task, int32_t id, uint32_t wanted) {
  IpcPerm* const found = ids_.find(id);
  if (found == nullptr) {
    return fail(Errno::kEINVAL);
  }
  return ipc_allows(*found, task.cred, wanted) ? Result<SemArray*>(&as_array(*found)) : fail(Errno::kEACCES);
}

Result<bool> SemArrays::operate(Task& task, int32_t id, SemOps ops) {
  const bool alters = std::any_of(ops.begin(), ops.end(), [](const SemOp& op) { return op.change != 0; });
  SemUndo* undo = nullptr;
  if (std::any_of(ops.begin(), ops.end(), [](const SemOp& op) { return (op.flags & kSemUndoFlag) != 0; })) {
    FL_TRY_ASSIGN(undo, find_undo(task, id));
  }
  IpcPerm* const found = ids_.find(id);
  if (found == nullptr) {
    return fail(Errno::kEINVAL);
  }
  SemArray& array = as_array(*found);
  if (std::any_of(ops.begin(), ops.end(), [&array](const SemOp& op) { return op.number >= array.size(); })) {
    return fail(Errno::kEFBIG);
  }
  if (!ipc_allows(array, task.cred, alters ? kIpcWrite : kIpcRead)) {
    return fail(Errno::kEACCES);
  }
  SemWaiter& call = task.sem_waiter;
  call.ops = std::move(ops);
  call.undo = undo;
  call.pid = task.tgid;
  call.alters = alters;
  call.result.reset();
  const Attempt result = attempt(array, call);
  if (result == Attempt::kBlocks) {
    queue(array, call);
    return false;
  }
  if (result == Attempt::kDone) {
    if (alters) {
      changed(array, *call.ops, true);
    } else {
      array.operation_time = real_seconds(kernel_);
    }
  }
  call.ops.reset();
  FL_TRY(status_of(result));
  return true;
}

void SemArrays::queue(SemArray& array, SemWaiter& waiter) {
  waiter.array = &array;
  Sem& sem = array.sems[waiter.ops->front().number];
  if (waiter.ops->size() == 1) {
    if (waiter.alters) {
      (array.complex_count != 0 ? array.pending_alter : sem.pending_alter).push_back(waiter);
    } else {
      sem.pending_const.push_back(waiter);
    }
    return;
  }
  if (array.complex_count == 0) {
    // Linux: merge_queues, which puts each semaphore's queue before those that were there.
    for (Sem& each : array.sems) {
      array.pending_alter.splice(array.pending_alter.begin(), each.pending_alter);
    }
  }
  (waiter.alters ? array.pending_alter : array.pending_const).push_back(waiter);
  ++array.complex_count;
}

void SemArrays::leave(SemWaiter& waiter) {
  if (waiter.array != nullptr) {
    SemArray& array = *waiter.array;
    unlink_waiter(waiter);
    unmerge_queues(array);
  }
}

void SemArrays::finish(SemWaiter& waiter, Status result) {
  waiter.result = result;
  kernel_.wake(waiter.task);
}

// Those who only look. Linux: wake_const_ops.
bool SemArrays::wake_const(SemArray& array, SysvList<SemWaiter>& pending) {
  bool completed = false;
  for (auto at = pending.begin(); at != pending.end();) {
    SemWaiter& waiter = *at;
    ++at;
    const Attempt result = attempt(array, waiter);
    if (result == Attempt::kBlocks) {
      continue;
    }
    unlink_waiter(waiter);
    completed = completed || result == Attempt::kDone;
    finish(waiter, status_of(result));
  }
  return completed;
}

// Those who wait for a zero that has come. No operations: any semaphore may have changed. Linux: do_smart_wakeup_zero.
bool SemArrays::wake_zero(SemArray& array, std::span<const SemOp> ops) {
  bool completed = false;
  bool got_zero = false;
  const auto look = [&](Sem& sem) {
    if (sem.value == 0) {
      got_zero = true;
      completed = wake_const(array, sem.pending_const) || completed;
    }
  };
  if (ops.empty()) {
    std::for_each(array.sems.begin(), array.sems.end(), look);
  }
  for (const SemOp& op : ops) {
    look(array.sems[op.number]);
  }
  if (got_zero) {
    completed = wake_const(array, array.pending_const) || completed;
  }
  return completed;
}

// Those of one queue who change something; `sem`: its semaphore, null for that of the set. Linux: update_queue.
bool SemArrays::update_queue(SemArray& array, SysvList<SemWaiter>& pending, const Sem* sem) {
  bool completed = false;
  for (auto at = pending.begin(); at != pending.end();) {
    // Nobody can take from nothing.
    if (sem != nullptr && sem->value == 0) {
      break;
    }
    SemWaiter& waiter = *at;
    ++at;
    const Attempt result = attempt(array, waiter);
    if (result == Attempt::kBlocks) {
      continue;
    }
    unlink_waiter(waiter);
    bool restart = false;
    if (result == Attempt::kDone) {
      completed = true;
      wake_zero(array, *waiter.ops);
      // Linux: check_restart.
      restart = !array.pending_alter.empty() || waiter.ops->size() > 1;
    }
    finish(waiter, status_of(result));
    if (restart) {
      at = pending.begin();
    }
  }
  return completed;
}

// Linux: do_smart_update.
void SemArrays::changed(SemArray& array, std::span<const SemOp> ops, bool succeeded) {
  bool operated = wake_zero(array, ops) || succeeded;
  if (!array.pending_alter.empty()) {
    operated = update_queue(array, array.pending_alter, nullptr) || operated;
  } else if (ops.empty()) {
    for (Sem& sem : array.sems) {
      operated = update_queue(array, sem.pending_alter, &sem) || operated;
    }
  } else {
    for (const SemOp& op : ops) {
      Sem& sem = array.sems[op.number];
      operated = (op.change > 0 && update_queue(array, sem.pending_alter, &sem)) || operated;
    }
  }
  if (operated) {
    array.operation_time = real_seconds(kernel_);
  }
  unmerge_queues(array);
}

Status SemArrays::set_value(Task& task, int32_t id, int32_t number, int32_t value) {
  if (value > kSemMaxValue || value < 0) {
    return fail(Errno::kERANGE);
  }
  IpcPerm* const found = ids_.find(id);
  if (found == nullptr || number < 0 || static_cast<uint32_t>(number) >= as_array(*found).size()) {
    return fail(Errno::kEINVAL);
  }
  FL_TRY_ASSIGN(SemArray* const array, find(task, id, kIpcWrite));
  for (SemUndo& undo : array->undos) {
    undo.adjust[static_cast<uint32_t>(number)] = 0;
  }
  Sem& sem = array->sems[static_cast<uint32_t>(number)];
  sem.value = value;
  sem.pid = task.tgid;
  array->change_time = real_seconds(kernel_);
  changed(*array, {}, false);
  return {};
}

Status SemArrays::set_all(Task& task, SemArray& array, std::span<const uint16_t> values) {
  if (std::any_of(values.begin(), values.end(), [](uint16_t value) { return value > kSemMaxValue; })) {
    return fail(Errno::kERANGE);
  }
  for (uint32_t i = 0; i < array.size(); ++i) {
    array.sems[i].value = values[i];
    array.sems[i].pid = task.tgid;
  }
  for (SemUndo& undo : array.undos) {
    std::fill(undo.adjust.begin(), undo.adjust.end(), int16_t{0});
  }
  array.change_time = real_seconds(kernel_);
  changed(array, {}, false);
  return {};
}

uint32_t SemArrays::count_waiters(SemArray& array, uint32_t number, WaitsFor what) {
  const bool zero = what == WaitsFor::kZero;
  Sem& sem = array.sems[number];
  auto count = static_cast<uint32_t>((zero ? sem.pending_const : sem.pending_alter).size());
  const auto blocks = [=](const SemWaiter& waiter) {
    const SemOp& op = (*waiter.ops)[waiter.blocking];
    return op.number == number && (zero ? op.change == 0 : op.change < 0);
  };
  count += static_cast<uint32_t>(std::count_if(array.pending_alter.begin(), array.pending_alter.end(), blocks));
  if (zero) {
    count += static_cast<uint32_t>(std::count_if(array.pending_const.begin(), array.pending_const.end(), blocks));
  }
  return count;
}

Status SemArrays::remove(Task& task, int32_t id) {
  FL_TRY_ASSIGN(IpcPerm* const found, ids_.control(id, task.cred));
  destroy(as_array(*found));
  return {};
}

void SemArrays::destroy(SemArray& array) {
  vm::SlabAllocator& slab = kernel_.memory().slab();
  array.undos.clear_and_dispose(KmallocDeleter{&slab});
  const auto end_all = [this](SysvList<SemWaiter>& pending) {
    while (!pending.empty()) {
      SemWaiter& waiter = pending.front();
      unlink_waiter(waiter);
      finish(waiter, fail(Errno::kEIDRM));
    }
  };
  end_all(array.pending_const);
  end_all(array.pending_alter);
  for (Sem& sem : array.sems) {
    end_all(sem.pending_const);
    end_all(sem.pending_alter);
  }
  ids_.remove(array);
  used_ -= array.size();
  KmallocDeleter{&slab}(&array);
}

void SemArrays::clear() {
  while (!ids_.objects().empty()) {
    destroy(as_array(*ids_.objects().begin()));
  }
}

}  // namespace fl::guest
