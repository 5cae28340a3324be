// PerfRing: the buffer that one processor's events write their records to, and we read while the program runs.
//
// Linux: perf_event_open(2), "MMAP layout". The kernel writes at data_head, we move data_tail; a full buffer loses
// records and says so with PERF_RECORD_LOST.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

struct perf_event_mmap_page;

namespace fl::emu {

class PerfRing {
 public:
  PerfRing() = default;
  PerfRing(PerfRing&& other) noexcept;
  PerfRing& operator=(PerfRing&&) = delete;
  ~PerfRing();

  // Maps the event's buffer of `data_bytes`, a power of two of pages. 0, or an errno: EPERM means that it is more than
  // kernel.perf_event_mlock_kb and RLIMIT_MEMLOCK allow.
  int map(int event_fd, size_t data_bytes);
  // Appends the records that are there, whole ones, and gives their room back.
  void drain(std::vector<std::byte>& out);

 private:
  perf_event_mmap_page* header_ = nullptr;
  size_t data_bytes_ = 0;
};

}  // namespace fl::emu
