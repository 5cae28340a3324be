// Locks: who is in whose way, how ranges are merged and cut, circles of waiters; against a byte map for many random
// calls. And that they go with their owners.
#include <array>
#include <random>

#include "guest/fs/lock_table.hpp"
#include "guest/fs/tmpfs/tmpfs_file.hpp"
#include "tests/unit/guest/fs_machine.hpp"

namespace fl::guest::test {
namespace {

constexpr LockKey kFile{1, 2};

FileLock request(const void* owner, LockType type, uint64_t first, uint64_t last) {
  FileLock lock;
  lock.key = kFile;
  lock.owner = owner;
  lock.type = type;
  lock.range = {first, last};
  return lock;
}

// Counts how often it is woken, and waits again.
struct Waiter : WaitEntry {
  explicit Waiter(WaitQueue& waited) : WaitEntry(&Waiter::count), queue(waited) { queue.add(*this); }
  static void count(WaitEntry& entry, uint32_t) {
    auto& waiter = static_cast<Waiter&>(entry);
    ++waiter.woken;
    waiter.queue.add(entry);
  }
  WaitQueue& queue;
  int woken = 0;
};

struct Locks {
  Locks() : table(machine.memory->slab()), waiter(table.waiting) {}
  FsMachine machine;
  LockTable table;
  Waiter waiter;
  std::array<int, 4> owners{};
};

}  // namespace

TEST_CASE("locks: readers share, a writer is alone") {
  Locks locks;
  const void *a = &locks.owners[0], *b = &locks.owners[1];
  REQUIRE(locks.table.set(request(a, LockType::kRead, 0, 9)));
  REQUIRE(locks.table.set(request(b, LockType::kRead, 5, 20)));
  CHECK(locks.table.set(request(b, LockType::kWrite, 9, 9)).error() == Errno::kEAGAIN);
  REQUIRE(locks.table.set(request(b, LockType::kWrite, 10, 12)));
  const FileLock* const found = locks.table.find_conflict(request(a, LockType::kRead, 0, 100));
  REQUIRE(found != nullptr);
  CHECK(found->range.first == 10);
  CHECK(found->range.last == 12);
  CHECK(locks.table.find_conflict(request(a, LockType::kWrite, 13, 13)) != nullptr);
  // Unlocking the middle leaves both ends.
  REQUIRE(locks.table.set(request(b, LockType::kUnlock, 11, 11)));
  CHECK(locks.table.find_conflict(request(a, LockType::kRead, 11, 11)) == nullptr);
  CHECK(locks.table.find_conflict(request(a, LockType::kRead, 12, 12)) != nullptr);
  locks.waiter.woken = 0;
  locks.table.remove_owner(b);
  CHECK(locks.waiter.woken == 1);
  CHECK(locks.table.find_conflict(request(a, LockType::kWrite, 0, LockRange::kEnd)) == nullptr);
}

TEST_CASE("locks: a circle of waiters is seen") {
  Locks locks;
  const void *a = &locks.owners[0], *b = &locks.owners[1], *c = &locks.owners[2];
  REQUIRE(locks.table.set(request(a, LockType::kWrite, 0, 0)));
  REQUIRE(locks.table.set(request(b, LockType::kWrite, 1, 1)));
  REQUIRE(locks.table.set(request(c, LockType::kWrite, 2, 2)));
  CHECK_FALSE(locks.table.deadlocks(request(a, LockType::kWrite, 1, 1)));
  REQUIRE(locks.table.add_waiter(request(a, LockType::kWrite, 1, 1)));
  CHECK_FALSE(locks.table.deadlocks(request(b, LockType::kWrite, 2, 2)));
  REQUIRE(locks.table.add_waiter(request(b, LockType::kWrite, 2, 2)));
  CHECK(locks.table.deadlocks(request(c, LockType::kWrite, 0, 0)));
  locks.table.remove_waiter(b);
  CHECK_FALSE(locks.table.deadlocks(request(c, LockType::kWrite, 0, 0)));
}

TEST_CASE("locks: many random calls agree with a map of bytes") {
  Locks locks;
  constexpr size_t kBytes = 24;
  std::array<std::array<LockType, kBytes>, 4> model;
  for (auto& bytes : model) {
    bytes.fill(LockType::kUnlock);
  }
  std::mt19937 random(5);
  int refused = 0;
  for (int i = 0; i < 20000; ++i) {
    const size_t who = random() % model.size();
    const size_t first = random() % kBytes;
    const size_t last = first + random() % (kBytes - first);
    const auto type = static_cast<LockType>(random() % 3);
    bool allowed = true;
    for (size_t other = 0; other < model.size() && type != LockType::kUnlock; ++other) {
      for (size_t at = first; at <= last && other != who; ++at) {
        const LockType theirs = model[other][at];
        allowed = allowed && theirs != LockType::kWrite && (type != LockType::kWrite || theirs == LockType::kUnlock);
      }
    }
    const Status done = locks.table.set(request(&locks.owners[who], type, first, last));
    REQUIRE(done.has_value() == allowed);
    refused += allowed ? 0 : 1;
    for (size_t at = first; at <= last && allowed; ++at) {
      model[who][at] = type;
    }
    // Somebody else looks at one byte.
    const size_t at = random() % kBytes, other = random() % model.size();
    const FileLock* const found = locks.table.find_conflict(request(&locks.owners[other], LockType::kWrite, at, at));
    bool any = false;
    for (size_t each = 0; each < model.size(); ++each) {
      any = any || (each != other && model[each][at] != LockType::kUnlock);
    }
    REQUIRE((found != nullptr) == any);
  }
  CHECK(refused > 1000);
}

TEST_CASE("locks: an owner's locks on a file go with any of its descriptors, an open file's with the last") {
  FsMachine machine;
  LockTable& table = machine.vfs->locks();
  const auto open = [&] { return machine.open("/tmp/file", OpenFlag::kReadWrite | OpenFlag::kCreate).value(); };
  auto one = open();
  const auto two = open();
  const LockKey key = LockKey::of(*one->stat());
  const auto files = FdTable::create(machine.vfs->caches()).value();
  REQUIRE(files->install(one, CloseOnExec::kNo, 10));
  REQUIRE(files->install(two, CloseOnExec::kNo, 10));
  FileLock lock = request(files.get(), LockType::kWrite, 0, 5);
  lock.key = key;
  REQUIRE(table.set(lock));
  FileLock other = lock;
  other.owner = &machine;
  CHECK(table.find_conflict(other) != nullptr);
  REQUIRE(files->close(1));
  CHECK(table.find_conflict(other) == nullptr);

  one->release_locks_at_end(table);
  two->release_locks_at_end(table);
  REQUIRE(table.flock(key, *one, LockType::kWrite, 1));
  CHECK(table.flock(key, *two, LockType::kRead, 1).error() == Errno::kEAGAIN);
  REQUIRE(table.flock(key, *one, LockType::kRead, 1));
  REQUIRE(table.flock(key, *two, LockType::kRead, 1));
  CHECK(table.flock(key, *two, LockType::kWrite, 1).error() == Errno::kEAGAIN);
  CHECK(table.flock(key, *one, LockType::kWrite, 1).has_value());  // two has lost its own by trying
  one.reset();
  CHECK(table.flock(key, *two, LockType::kWrite, 1).error() == Errno::kEAGAIN);
  files->close_all();
  CHECK(table.flock(key, *two, LockType::kWrite, 1).has_value());
}

TEST_CASE("locks: without memory ENOLCK, and nothing changes") {
  Locks locks;
  const void *a = &locks.owners[0], *b = &locks.owners[1];
  REQUIRE(locks.table.set(request(a, LockType::kWrite, 0, 10)));
  for (uint64_t n = 1; n <= 2; ++n) {
    locks.machine.memory->pages().fail_alloc().fail_nth(n);
    CHECK(locks.table.set(request(a, LockType::kUnlock, 5, 5)).error() == Errno::kENOLCK);
  }
  locks.machine.memory->pages().fail_alloc().off();
  CHECK(locks.table.find_conflict(request(b, LockType::kWrite, 5, 5)) != nullptr);
  REQUIRE(locks.table.set(request(a, LockType::kUnlock, 5, 5)));
}

}  // namespace fl::guest::test
