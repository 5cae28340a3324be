// Granting, merging, splitting and releasing locks.
#include "guest/fs/lock_table.hpp"

#include <algorithm>
#include <utility>

#include "guest/fs/open_file.hpp"

namespace fl::guest {
namespace {

bool conflicts(const FileLock& lock, const FileLock& request) {
  return lock.key == request.key && lock.owner != request.owner && lock.range.overlaps(request.range) &&
         (lock.type == LockType::kWrite || request.type == LockType::kWrite);
}

}  // namespace

LockTable::LockTable(vm::SlabAllocator& slab) : cache_(slab, "file_lock_cache") {}

LockTable::~LockTable() {
  for (Locks* const locks : {&flocks_, &records_, &waiters_}) {
    locks->clear_and_dispose([this](FileLock* lock) { cache_.destroy(lock); });
  }
}

FileLock* LockTable::make(const FileLock& from) {
  const auto made = cache_.create();
  if (!made) {
    return nullptr;
  }
  FileLock& lock = **made;
  lock.key = from.key;
  lock.owner = from.owner;
  lock.type = from.type;
  lock.range = from.range;
  lock.pid = from.pid;
  return &lock;
}

void LockTable::erase(Locks& locks, FileLock& lock) {
  locks.erase_and_dispose(locks.iterator_to(lock), [this](FileLock* gone) { cache_.destroy(gone); });
}

Status LockTable::flock(const LockKey& key, OpenFile& owner, LockType type, int32_t pid) {
  FileLock request;
  request.key = key;
  request.owner = &owner;
  request.type = type;
  request.pid = pid;
  const auto own = std::find_if(flocks_.begin(), flocks_.end(),
                                [&](const FileLock& lock) { return lock.owner == &owner && lock.key == key; });
  if (own != flocks_.end() && own->type == type) {
    return {};
  }
  FileLock* const granted = type == LockType::kUnlock ? nullptr : make(request);
  if (granted == nullptr && type != LockType::kUnlock) {
    return fail(Errno::kENOLCK);
  }
  if (own != flocks_.end()) {
    erase(flocks_, *own);
    waiting.wake_all();
  }
  if (granted == nullptr) {
    return {};
  }
  if (std::any_of(flocks_.begin(), flocks_.end(), [&](const FileLock& lock) { return conflicts(lock, request); })) {
    cache_.destroy(granted);
    return fail(Errno::kEAGAIN);
  }
  flocks_.push_back(*granted);
  return {};
}

const FileLock* LockTable::find_conflict(const FileLock& request) const {
  const auto found =
      std::find_if(records_.begin(), records_.end(), [&](const FileLock& lock) { return conflicts(lock, request); });
  return found == records_.end() ? nullptr : &*found;
}

void LockTable::insert_record(FileLock& lock) {
  auto at = records_.end();
  for (auto each = records_.begin(); each != records_.end(); ++each) {
    if (each->owner == lock.owner && each->key == lock.key) {
      at = std::next(each);
      if (each->range.first > lock.range.first) {
        at = each;
        break;
      }
    }
  }
  records_.insert(at, lock);
}

Status LockTable::set(const FileLock& request) {
  if (request.type != LockType::kUnlock && find_conflict(request) != nullptr) {
    return fail(Errno::kEAGAIN);
  }
  // All that may be needed is had before anything changes: the new lock, and the end of one that is cut in two.
  FileLock* lock = make(request);
  FileLock* tail = make(request);
  if (lock == nullptr || tail == nullptr) {
    cache_.destroy(lock);
    cache_.destroy(tail);
    return fail(Errno::kENOLCK);
  }
  LockRange& range = lock->range;
  bool tail_used = false;
  for (auto each = records_.begin(); each != records_.end();) {
    FileLock& own = *each++;
    if (own.owner != request.owner || !(own.key == request.key)) {
      continue;
    }
    if (own.type == request.type) {
      const bool touches = own.range.first <= (range.last == LockRange::kEnd ? range.last : range.last + 1) &&
                           range.first <= (own.range.last == LockRange::kEnd ? own.range.last : own.range.last + 1);
      if (touches) {
        range = {std::min(range.first, own.range.first), std::max(range.last, own.range.last)};
        erase(records_, own);
      }
    } else if (own.range.overlaps(range)) {
      const bool before = own.range.first<range.first, behind = own.range.last> range.last;
      if (before && behind) {
        tail->type = own.type;
        tail->range = {range.last + 1, own.range.last};
        own.range.last = range.first - 1;
        tail_used = true;
      } else if (before) {
        own.range.last = range.first - 1;
      } else if (behind) {
        own.range.first = range.last + 1;
      } else {
        erase(records_, own);
      }
    }
  }
  if (tail_used) {
    insert_record(*tail);
  } else {
    cache_.destroy(tail);
  }
  if (request.type == LockType::kUnlock) {
    cache_.destroy(lock);
  } else {
    insert_record(*lock);
  }
  // Less may be locked than before, or for reading only.
  waiting.wake_all();
  return {};
}

bool LockTable::deadlocks(const FileLock& request) const {
  constexpr int kMostOwners = 10;  // Linux: MAX_DEADLK_ITERATIONS
  const FileLock* blocker = find_conflict(request);
  for (int i = 0; blocker != nullptr && i < kMostOwners; ++i) {
    const void* const next = blocker->owner;
    if (next == request.owner) {
      return true;
    }
    const auto waiter =
        std::find_if(waiters_.begin(), waiters_.end(), [&](const FileLock& each) { return each.owner == next; });
    if (waiter == waiters_.end()) {
      return false;
    }
    // What it waits for may be another's by now, or ours.
    const auto held =
        std::find_if(records_.begin(), records_.end(), [&](const FileLock& lock) { return conflicts(lock, *waiter); });
    blocker = held == records_.end() ? nullptr : &*held;
  }
  return false;
}

Status LockTable::add_waiter(const FileLock& request) {
  FileLock* const waiter = make(request);
  if (waiter == nullptr) {
    return fail(Errno::kENOLCK);
  }
  waiters_.push_back(*waiter);
  return {};
}

void LockTable::remove_waiter(const void* owner) {
  const auto found =
      std::find_if(waiters_.begin(), waiters_.end(), [&](const FileLock& each) { return each.owner == owner; });
  if (found != waiters_.end()) {
    erase(waiters_, *found);
  }
}

void LockTable::close_descriptor(OpenFile& file, const void* owner) {
  const bool any =
      std::any_of(records_.begin(), records_.end(), [&](const FileLock& lock) { return lock.owner == owner; });
  if (!any) {
    return;
  }
  const auto stat = file.stat();
  if (!stat) {
    return;
  }
  const LockKey key = LockKey::of(*stat);
  records_.remove_and_dispose_if([&](const FileLock& lock) { return lock.owner == owner && lock.key == key; },
                                 [this](FileLock* gone) { cache_.destroy(gone); });
  waiting.wake_all();
}

void LockTable::remove_if_owned(Locks& locks, const void* owner) {
  locks.remove_and_dispose_if([&](const FileLock& lock) { return lock.owner == owner; },
                              [this](FileLock* gone) { cache_.destroy(gone); });
}

void LockTable::remove_owner(const void* owner) {
  if (flocks_.empty() && records_.empty() && waiters_.empty()) {
    return;
  }
  for (Locks* const locks : {&flocks_, &records_, &waiters_}) {
    remove_if_owned(*locks, owner);
  }
  waiting.wake_all();
}

}  // namespace fl::guest
