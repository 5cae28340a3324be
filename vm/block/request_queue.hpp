// RequestQueue: when the machine's disk is done with what it was asked. Linux counterparts: struct request_queue,
// submit_bio, io_schedule.
//
// One disk holds all files and swap areas. It does one request after the other; a request takes a seek, unless it is
// close to where the last one ended, and its bytes. What is read is in memory at once, for the host gave it; that it
// comes later is said by its time alone. Who needs the bytes waits: wait_until notes it, and the machine lets the
// running task sleep until then at the end of its fault or system call (take_wait), while others run. Until that end,
// now() counts the wait as over, as it will be when the task goes on.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "mmu/base/addr.hpp"

namespace fl::vm {

// How long the disk takes.
struct DiskModel {
  uint64_t seek_ns = 0;
  uint64_t bytes_per_second = 0;  // 0: nothing takes time

  // "ssd", "hdd", "none", or "SEEK_US,MB_PER_SECOND" as in "100,500". None: it is none of these.
  static std::optional<DiskModel> parse(std::string_view text);
  static constexpr DiskModel ssd() { return {100'000, 500'000'000}; }
  static constexpr DiskModel hdd() { return {8'000'000, 150'000'000}; }
  bool takes_time() const { return bytes_per_second != 0; }
  bool operator==(const DiskModel&) const = default;
};

// The machine's time. Implemented by guest/time.
class IoClock {
 public:
  // Nanoseconds since boot.
  virtual uint64_t now_ns() const = 0;

 protected:
  ~IoClock() = default;
};

class RequestQueue {
 public:
  // Without a clock nothing takes time. `clock` must outlive it.
  void start(const DiskModel& model, const IoClock* clock) {
    model_ = model;
    clock_ = model.takes_time() ? clock : nullptr;
  }
  // Asks for pages [first, first + pages) of a store, to be read or written; when that will be done.
  uint64_t submit(const void* store, uint64_t first, uint32_t pages);

  // Otherwise all is done at once.
  bool takes_time() const { return clock_ != nullptr; }
  // The time as who waits will see it.
  uint64_t now() const { return clock_ == nullptr ? 0 : std::max(clock_->now_ns(), waits_until_); }
  bool done(uint64_t at) const { return clock_ == nullptr || at <= now(); }
  // The task that runs needs what is done then.
  void wait_until(uint64_t at) { waits_until_ = std::max(waits_until_, at); }
  // The kernel works that long for the task.
  void spend(uint64_t ns) {
    if (takes_time()) {
      wait_until(now() + ns);
    }
  }
  // It needs everything that was asked.
  void wait_idle() { wait_until(busy_until_); }
  // How long the disk will be busy with what it has been asked.
  uint64_t backlog_ns() const { return busy_until_ - std::min(busy_until_, now()); }

  // About as many pages as that are.
  uint64_t backlog_pages() const { return backlog_ns() / 1000 * (model_.bytes_per_second / 1'000'000) / kPageSize; }

  // Until when the running task is to sleep; 0: it waits for nothing. It is forgotten.
  uint64_t take_wait() { return std::exchange(waits_until_, 0); }

 private:
  DiskModel model_;
  const IoClock* clock_ = nullptr;
  uint64_t busy_until_ = 0;
  uint64_t waits_until_ = 0;
  // Where the head is.
  const void* store_ = nullptr;
  uint64_t next_page_ = 0;
};

}  // namespace fl::vm
