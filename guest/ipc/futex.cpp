// Keys, waking and moving of futex waiters. See futex.hpp.
#include "guest/ipc/futex.hpp"

#include <optional>

#include "guest/kernel.hpp"
#include "guest/task.hpp"
#include "vm/cache/mapping.hpp"
#include "vm/fault/handle_fault.hpp"

namespace fl::guest {
namespace {

// How a key was made. Linux: FUT_OFF_INODE, FUT_OFF_MMSHARED.
constexpr uint32_t kOfFile = 1, kOfSharedMm = 2;

uint64_t mm_identity(const Task& task) { return reinterpret_cast<uintptr_t>(task.mm.get()); }

bool matches(const FutexWaiter& waiter, const FutexKey& key) { return waiter.key == key; }

// It is off the queue, and its call will say so. Linux: futex_wake_mark.
void wake_waiter(Kernel& kernel, FutexWaiter& waiter) {
  waiter.unlink();
  waiter.task.wait.satisfied = true;
  kernel.wake(waiter.task);
}

// EINVAL: one of them waits for a lock.
Result<uint32_t> wake_key(Kernel& kernel, const FutexKey& key, int32_t count, uint32_t bitset) {
  FutexTable::Waiters& bucket = kernel.futexes().bucket(key);
  int32_t woken = 0;
  for (auto at = bucket.begin(); at != bucket.end();) {
    FutexWaiter& waiter = *at;
    ++at;
    if (!matches(waiter, key)) {
      continue;
    }
    if (waiter.pi_owner != 0) {
      return fail(Errno::kEINVAL);
    }
    if ((waiter.bitset & bitset) == 0) {
      continue;
    }
    wake_waiter(kernel, waiter);
    if (++woken >= count) {
      break;
    }
  }
  return static_cast<uint32_t>(woken);
}

// The second half of FUTEX_WAKE_OP's last argument: 12 bits, signed.
int32_t sign_extend12(uint32_t value) { return static_cast<int32_t>(value << 20) >> 20; }

// None: no such operation. Linux: arch_futex_atomic_op_inuser.
std::optional<uint32_t> changed(uint32_t operation, uint32_t old, uint32_t argument) {
  switch (operation) {
    case 0:
      return argument;
    case 1:
      return old + argument;
    case 2:
      return old | argument;
    case 3:
      return old & ~argument;
    case 4:
      return old ^ argument;
    default:
      return std::nullopt;
  }
}

std::optional<bool> compared(uint32_t comparison, int32_t old, int32_t argument) {
  switch (comparison) {
    case 0:
      return old == argument;
    case 1:
      return old != argument;
    case 2:
      return old < argument;
    case 3:
      return old <= argument;
    case 4:
      return old > argument;
    case 5:
      return old >= argument;
    default:
      return std::nullopt;
  }
}

// Whether the second word's waiters are to be woken. Linux: futex_atomic_op_inuser.
Result<bool> apply_operation(Task& task, VirtAddr word, uint32_t encoded) {
  constexpr uint32_t kArgumentIsShift = 8, kMostShift = 31;
  const uint32_t operation = encoded >> 28 & 7;
  const uint32_t comparison = encoded >> 24 & 15;
  auto argument = static_cast<uint32_t>(sign_extend12(encoded >> 12 & 0xfff));
  if ((encoded >> 28 & kArgumentIsShift) != 0) {
    argument = 1u << (argument & kMostShift);
  }
  if (!changed(operation, 0, 0)) {
    return fail(Errno::kENOSYS);
  }
  // The page is made writable as by get_user_pages: the operation itself may not fault. Linux: fault_in_user_writeable.
  if (!vm::get_user_page(*task.mm, word, mmu::Access::kWrite, task.faults)) {
    return fail(Errno::kEFAULT);
  }
  FL_TRY_ASSIGN(const auto old, task.user().get<uint32_t>(word));
  FL_TRY(task.user().put(word, *changed(operation, old, argument)));
  const auto result = compared(comparison, static_cast<int32_t>(old), sign_extend12(encoded & 0xfff));
  return result ? Result<bool>(*result) : fail(Errno::kENOSYS);
}

}  // namespace

FutexTable::Waiters& FutexTable::bucket(const FutexKey& key) {
  uint64_t hash = key.object;
  for (const uint32_t word : {key.page, key.offset}) {
    hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
  }
  return buckets_[hash >> 56];
}

void FutexTable::queue(FutexWaiter& waiter, const FutexKey& key) {
  if (waiter.is_linked()) {
    waiter.unlink();
  }
  waiter.key = key;
  bucket(key).push_back(waiter);
}

FutexWaiter* FutexTable::top_waiter(const FutexKey& key) {
  for (FutexWaiter& waiter : bucket(key)) {
    if (matches(waiter, key)) {
      return &waiter;
    }
  }
  return nullptr;
}

Result<FutexKey> futex_key(Kernel& kernel, Task& task, VirtAddr word, FutexScope scope, FutexAccess access) {
  const uint32_t offset = word.value() & kPageOffsetMask;
  const uint32_t page = word.value() - offset;
  if (offset % sizeof(uint32_t) != 0) {
    return fail(Errno::kEINVAL);
  }
  if (!vm::UserAccess::access_ok(word, sizeof(uint32_t))) {
    return fail(Errno::kEFAULT);
  }
  if (scope == FutexScope::kPrivate) {
    return FutexKey{mm_identity(task), page, offset};
  }
  bool read_only = false;
  auto frame = vm::get_user_page(*task.mm, word, mmu::Access::kWrite, task.faults);
  if (!frame && access == FutexAccess::kRead) {
    frame = vm::get_user_page(*task.mm, word, mmu::Access::kRead, task.faults);
    read_only = true;
  }
  if (!frame) {
    return fail(frame.error() == vm::FaultResult::kOom ? Errno::kENOMEM : Errno::kEFAULT);
  }
  const vm::Page& at = kernel.memory().mem_map()[*frame];
  if (at.has(vm::PageFlag::kAnon)) {
    // Nobody could ever change it.
    return read_only ? Result<FutexKey>(fail(Errno::kEFAULT)) : FutexKey{mm_identity(task), page, offset | kOfSharedMm};
  }
  const vm::VmArea* const area = task.mm->areas().lookup(word);
  if (!at.has(vm::PageFlag::kCache) || area == nullptr || area->file == nullptr) {
    return fail(Errno::kEFAULT);
  }
  uint64_t& sequence = area->file->mapping->sequence;
  if (sequence == 0) {
    sequence = kernel.futexes().new_sequence();
  }
  return FutexKey{sequence, at.index, offset | kOfFile};
}

Result<uint32_t> futex_wake(Kernel& kernel, Task& task, VirtAddr word, FutexScope scope, int32_t count,
                            uint32_t bitset) {
  if (bitset == 0) {
    return fail(Errno::kEINVAL);
  }
  FL_TRY_ASSIGN(const FutexKey key, futex_key(kernel, task, word, scope, FutexAccess::kRead));
  return wake_key(kernel, key, count, bitset);
}

Result<uint32_t> futex_requeue(Kernel& kernel, Task& task, FutexScope scope, const FutexRequeue& request) {
  if (request.wake < 0 || request.move < 0) {
    return fail(Errno::kEINVAL);
  }
  FL_TRY_ASSIGN(const FutexKey from, futex_key(kernel, task, request.from, scope, FutexAccess::kRead));
  FL_TRY_ASSIGN(const FutexKey to, futex_key(kernel, task, request.to, scope, FutexAccess::kRead));
  if (request.expected != nullptr) {
    FL_TRY_ASSIGN(const auto value, task.user().get<uint32_t>(request.from));
    if (value != *request.expected) {
      return fail(Errno::kEAGAIN);
    }
  }
  FutexTable::Waiters& bucket = kernel.futexes().bucket(from);
  Result<uint32_t> result = 0u;
  int32_t done = 0;
  for (auto at = bucket.begin(); at != bucket.end() && int64_t{done} - request.wake < request.move;) {
    FutexWaiter& waiter = *at;
    ++at;  // it may leave
    if (!matches(waiter, from)) {
      continue;
    }
    if (waiter.pi_owner != 0) {
      result = fail(Errno::kEINVAL);
      break;
    }
    if (++done <= request.wake) {
      wake_waiter(kernel, waiter);
      continue;
    }
    // In the same bucket it keeps its place. Linux: requeue_futex.
    if (&kernel.futexes().bucket(to) == &bucket) {
      waiter.key = to;
    } else {
      kernel.futexes().queue(waiter, to);
    }
    waiter.task.wait.object = request.to.value();
  }
  return result ? Result<uint32_t>(static_cast<uint32_t>(done)) : result;
}

Result<uint32_t> futex_wake_op(Kernel& kernel, Task& task, FutexScope scope, VirtAddr first, VirtAddr second,
                               int32_t wake_first, int32_t wake_second, uint32_t operation) {
  FL_TRY_ASSIGN(const FutexKey key1, futex_key(kernel, task, first, scope, FutexAccess::kRead));
  FL_TRY_ASSIGN(const FutexKey key2, futex_key(kernel, task, second, scope, FutexAccess::kWrite));
  FL_TRY_ASSIGN(const bool both, apply_operation(task, second, operation));
  FL_TRY_ASSIGN(uint32_t woken, wake_key(kernel, key1, wake_first, kFutexMatchAny));
  if (both) {
    FL_TRY_ASSIGN(const uint32_t more, wake_key(kernel, key2, wake_second, kFutexMatchAny));
    woken += more;
  }
  return woken;
}

}  // namespace fl::guest
