// EventFile: a counter as a file. Linux counterpart: fs/eventfd.c.
#pragma once

#include <limits>
#include <string>

#include "guest/fs/anon_file.hpp"
#include "guest/task/wait_queue.hpp"

namespace fl::guest {

class EventFile final : public AnonFile {
 public:
  // A read takes 1 or everything. Linux: EFD_SEMAPHORE.
  enum class Semaphore : bool { kNo, kYes };
  // `id`: a number of its own. Linux: eventfd_ctx::id.
  EventFile(uint32_t flags, std::shared_ptr<LivePath> path, uint32_t count, Semaphore semaphore, uint32_t id)
      : AnonFile(flags, std::move(path)), count_(count), semaphore_(semaphore), id_(id) {}

  Result<uint32_t> read(IoBuffer& to, uint64_t& at) override;
  Result<uint32_t> write(IoBuffer& from, uint64_t& at) override;
  uint32_t poll() override;
  WaitQueue* wait_queue() override { return &waiting_; }
  std::string fdinfo(const vm::KernelProfile& profile) override;

 private:
  static constexpr uint64_t kMost = std::numeric_limits<uint64_t>::max();  // never reached
  uint64_t count_;
  Semaphore semaphore_;
  uint32_t id_;
  WaitQueue waiting_;
};

}  // namespace fl::guest
