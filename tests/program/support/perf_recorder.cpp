// Page-fault samples through perf_event_open. See perf_recorder.hpp.
//
// The events are opened on ourselves, disabled, with inherit and enable_on_exec: the child's copies start to count at
// its execve, ours never do. An inherited event that is mapped must belong to one CPU, so there is a buffer for each.
#include "tests/program/support/perf_recorder.hpp"

#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <memory>
#include <stdexcept>

namespace fl::test {
namespace {

constexpr size_t kPage = 4096;
constexpr size_t kDataPages = 256;

struct TimedFault {
  uint64_t time;
  NativeFault fault;
};

int open_event(uint64_t config, int cpu) {
  perf_event_attr attr{};
  attr.size = sizeof attr;
  attr.type = PERF_TYPE_SOFTWARE;
  attr.config = config;
  attr.sample_period = 1;
  attr.sample_type = PERF_SAMPLE_IP | PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_ADDR;
  attr.disabled = 1;
  attr.inherit = 1;
  attr.enable_on_exec = 1;
  return static_cast<int>(::syscall(SYS_perf_event_open, &attr, 0, cpu, -1, PERF_FLAG_FD_CLOEXEC));
}

// The events and the buffer of one CPU.
class CpuBuffer {
 public:
  explicit CpuBuffer(int cpu) {
    minor_ = open_event(PERF_COUNT_SW_PAGE_FAULTS_MIN, cpu);
    error_ = errno;
    if (minor_ < 0) {
      return;
    }
    major_ = open_event(PERF_COUNT_SW_PAGE_FAULTS_MAJ, cpu);
    void* map = ::mmap(nullptr, (kDataPages + 1) * kPage, PROT_READ | PROT_WRITE, MAP_SHARED, minor_, 0);
    error_ = errno;
    if (map == MAP_FAILED || major_ < 0 || ::ioctl(major_, PERF_EVENT_IOC_SET_OUTPUT, minor_) != 0) {
      return;
    }
    header_ = static_cast<perf_event_mmap_page*>(map);
  }
  CpuBuffer(const CpuBuffer&) = delete;
  CpuBuffer& operator=(const CpuBuffer&) = delete;
  ~CpuBuffer() {
    if (header_ != nullptr) {
      ::munmap(header_, (kDataPages + 1) * kPage);
    }
    for (const int fd : {minor_, major_}) {
      if (fd >= 0) {
        ::close(fd);
      }
    }
  }
  bool ready() const { return header_ != nullptr; }
  int error() const { return error_; }

  void read(uint32_t pid, std::vector<TimedFault>& out) const {
    const uint64_t head = std::atomic_ref(header_->data_head).load(std::memory_order_acquire);
    const char* data = reinterpret_cast<const char*>(header_) + kPage;
    std::vector<char> bytes(head);
    if (head > kDataPages * kPage) {
      throw std::runtime_error("the perf buffer overflowed");
    }
    std::copy_n(data, head, bytes.begin());
    for (uint64_t at = 0; at < head;) {
      perf_event_header record{};
      std::memcpy(&record, bytes.data() + at, sizeof record);
      if (record.type == PERF_RECORD_LOST || record.type == PERF_RECORD_LOST_SAMPLES) {
        throw std::runtime_error("perf lost records");
      }
      if (record.type == PERF_RECORD_SAMPLE) {
        struct {
          uint64_t ip;
          uint32_t pid, tid;
          uint64_t time, addr;
        } sample{};
        std::memcpy(&sample, bytes.data() + at + sizeof record, sizeof sample);
        if (sample.pid == pid) {
          const bool kernel = (record.misc & PERF_RECORD_MISC_CPUMODE_MASK) == PERF_RECORD_MISC_KERNEL;
          out.push_back({sample.time, {static_cast<uint32_t>(sample.addr), static_cast<uint32_t>(sample.ip), kernel}});
        }
      }
      at += record.size;
    }
  }

 private:
  int minor_ = -1, major_ = -1, error_ = 0;
  perf_event_mmap_page* header_ = nullptr;
};

std::vector<std::unique_ptr<CpuBuffer>> open_all() {
  std::vector<std::unique_ptr<CpuBuffer>> buffers;
  const long cpus = ::sysconf(_SC_NPROCESSORS_ONLN);
  for (int cpu = 0; cpu < cpus; ++cpu) {
    buffers.push_back(std::make_unique<CpuBuffer>(cpu));
  }
  return buffers;
}

}  // namespace

std::string perf_unavailable() {
  for (const auto& buffer : open_all()) {
    if (!buffer->ready()) {
      return std::string("perf_event_open: ") + std::strerror(buffer->error()) +
             " (root or kernel.perf_event_paranoid <= 1 is needed)";
    }
  }
  return {};
}

RecordedRun record_faults(const RunSpec& spec) {
  const auto buffers = open_all();
  for (const auto& buffer : buffers) {
    if (!buffer->ready()) {
      throw std::runtime_error("perf_event_open failed");
    }
  }
  RecordedRun result{run_process(spec), {}};
  std::vector<TimedFault> faults;
  for (const auto& buffer : buffers) {
    buffer->read(static_cast<uint32_t>(result.run.pid), faults);
  }
  std::stable_sort(faults.begin(), faults.end(),
                   [](const TimedFault& a, const TimedFault& b) { return a.time < b.time; });
  for (const TimedFault& fault : faults) {
    result.faults.push_back(fault.fault);
  }
  return result;
}

}  // namespace fl::test
