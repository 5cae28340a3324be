// Mapping and draining a perf buffer. See perf_ring.hpp.
#include "emu/record/perf_ring.hpp"

#include <linux/perf_event.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <utility>

namespace fl::emu {
namespace {

size_t page_bytes() { return static_cast<size_t>(::sysconf(_SC_PAGESIZE)); }

}  // namespace

PerfRing::PerfRing(PerfRing&& other) noexcept
    : header_(std::exchange(other.header_, nullptr)), data_bytes_(other.data_bytes_) {}

PerfRing::~PerfRing() {
  if (header_ != nullptr) {
    ::munmap(header_, data_bytes_ + page_bytes());
  }
}

int PerfRing::map(int event_fd, size_t data_bytes) {
  void* const at = ::mmap(nullptr, data_bytes + page_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED, event_fd, 0);
  if (at == MAP_FAILED) {
    return errno;
  }
  header_ = static_cast<perf_event_mmap_page*>(at);
  data_bytes_ = data_bytes;
  return 0;
}

void PerfRing::drain(std::vector<std::byte>& out) {
  const uint64_t head = std::atomic_ref(header_->data_head).load(std::memory_order_acquire);
  const uint64_t tail = header_->data_tail;
  const std::byte* const data = reinterpret_cast<const std::byte*>(header_) + page_bytes();
  const size_t from = static_cast<size_t>(tail & (data_bytes_ - 1));
  const size_t size = static_cast<size_t>(head - tail);
  const size_t first = std::min(size, data_bytes_ - from);
  out.insert(out.end(), data + from, data + from + first);
  out.insert(out.end(), data, data + (size - first));
  std::atomic_ref(header_->data_tail).store(head, std::memory_order_release);
}

}  // namespace fl::emu
