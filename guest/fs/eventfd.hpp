// EventFile: a counter as a file. Linux counterpart: fs/eventfd.c.
#pragma once

#include <limits>

#include "guest/fs/anon_file.hpp"
#include "guest/task/wait_queue.hpp"

namespace fl::guest {

class EventFile final : public AnonFile {
 public:
  // A read takes 1 or everything. Linux: EFD_SEMAPHORE.
  enum class Semaphore : bool { kNo, kYes };
  EventFile(uint32_t flags, std::shared_ptr<LivePath> path, uint32_t count, Semaphore semaphore)
      : AnonFile(flags, std::move(path)), count_(count), semaphore_(semaphore) {}

  Result<uint32_t> read(IoBuffer& to, uint64_t& at) override;
  Result<uint32_t> write(IoBuffer& from, uint64_t& at) override;
  uint32_t poll() override;
  WaitQueue* wait_queue() override { return &waiting_; }

 private:
  static constexpr uint64_t kMost = std::numeric_limits<uint64_t>::max();  // never reached
  uint64_t count_;
  Semaphore semaphore_;
  WaitQueue waiting_;
};

}  // namespace fl::guest
