// Opening the events. See perf_session.hpp.
#include "emu/record/perf_session.hpp"

#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace fl::emu {
namespace {

constexpr size_t kSmallestBuffer = 32u << 10, kLargestBuffer = 16u << 20, kAllBuffers = 64u << 20;

// CLOCK_MONOTONIC, for all: the default clock may differ between processors, and one buffer takes one clock only.
perf_event_attr basic_attr(uint32_t type, uint64_t config) {
  perf_event_attr attr{};
  attr.size = sizeof attr;
  attr.type = type;
  attr.config = config;
  attr.sample_period = 1;
  attr.sample_type = PERF_SAMPLE_IDENTIFIER | PERF_SAMPLE_IP | PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_ADDR;
  attr.sample_id_all = 1;
  attr.inherit = 1;
  attr.use_clockid = 1;
  attr.clockid = CLOCK_MONOTONIC;
  return attr;
}

perf_event_attr fault_attr(uint64_t config) {
  perf_event_attr attr = basic_attr(PERF_TYPE_SOFTWARE, config);
  attr.disabled = 1;
  attr.enable_on_exec = 1;
  return attr;
}

size_t choose_buffer(size_t processors) {
  return std::bit_floor(std::clamp(kAllBuffers / processors, size_t{512} << 10, kLargestBuffer));
}

HostError cannot_open(int error) {
  if (error == EACCES || error == EPERM) {
    return {fmt::format("cannot record: perf_event_open is not allowed: {}; at most 2 lets a program's owner see its "
                        "user-mode page faults, at most 1 (or root) all of them",
                        describe_paranoid()),
            kExitNoReference};
  }
  return {fmt::format("cannot record: perf_event_open: {}", std::strerror(error)), kExitNoReference};
}

}  // namespace

std::string describe_paranoid() {
  int value = 0;
  std::FILE* const file = std::fopen("/proc/sys/kernel/perf_event_paranoid", "re");
  if (file == nullptr) {
    return "this kernel has no perf events";
  }
  const bool read = std::fscanf(file, "%d", &value) == 1;
  std::fclose(file);
  return read ? fmt::format("kernel.perf_event_paranoid is {}", value) : "kernel.perf_event_paranoid cannot be read";
}

HostResult<UniqueFd> PerfSession::open_event(perf_event_attr& attr, int pid, int cpu, EventType type) {
  attr.exclude_kernel = kernel_ ? 0 : 1;
  if (has_raw(type.kind)) {
    attr.sample_type |= PERF_SAMPLE_RAW;
  }
  UniqueFd event(static_cast<int>(::syscall(SYS_perf_event_open, &attr, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC)));
  uint64_t id = 0;
  if (!event.open() || ::ioctl(event.get(), PERF_EVENT_IOC_ID, &id) != 0) {
    return tl::unexpected(cannot_open(errno));
  }
  types_[id] = type;
  return event;
}

// Lets the event write into the buffer of its processor, the last that was made.
HostStatus PerfSession::add(HostResult<UniqueFd> event) {
  if (!event) {
    return tl::unexpected(event.error());
  }
  if (::ioctl(event->get(), PERF_EVENT_IOC_SET_OUTPUT, descriptors_.back()) != 0) {
    return host_error("cannot record: PERF_EVENT_IOC_SET_OUTPUT: {}", std::strerror(errno));
  }
  events_.push_back(std::move(*event));
  return {};
}

HostStatus PerfSession::open_processor(int cpu, const PerfOptions& options) {
  constexpr int kSelf = 0;
  perf_event_attr task = basic_attr(PERF_TYPE_SOFTWARE, PERF_COUNT_SW_DUMMY);
  task.task = task.comm = 1;
  task.watermark = 1;
  task.wakeup_watermark = static_cast<uint32_t>(options.buffer_bytes / 8);
  auto first = open_event(task, kSelf, cpu, {EventKind::kTask});
  if (!first) {
    return tl::unexpected(first.error());
  }
  PerfRing ring;
  if (const int error = ring.map(first->get(), options.buffer_bytes); error != 0) {
    buffer_refused_ = error == EPERM;
    return host_error("cannot record: a perf buffer of {} KiB for each processor: {}: see kernel.perf_event_mlock_kb",
                      options.buffer_bytes >> 10, std::strerror(error));
  }
  rings_.push_back(std::move(ring));
  descriptors_.push_back(first->get());
  events_.push_back(std::move(*first));

  perf_event_attr minor = fault_attr(PERF_COUNT_SW_PAGE_FAULTS_MIN), major = fault_attr(PERF_COUNT_SW_PAGE_FAULTS_MAJ);
  FL_HOST_TRY(add(open_event(minor, kSelf, cpu, {EventKind::kMinor})));
  FL_HOST_TRY(add(open_event(major, kSelf, cpu, {EventKind::kMajor})));
  for (const Exception& exception : exceptions_) {
    perf_event_attr attr = fault_attr(exception.id);
    attr.type = PERF_TYPE_TRACEPOINT;
    FL_HOST_TRY(add(open_event(attr, kSelf, cpu, {EventKind::kException, exception.layout})));
  }
  // From the start, not from execve on: the argument page is filled before the old program is gone.
  if (kprobe_ != nullptr) {
    perf_event_attr attr = basic_attr(PERF_TYPE_TRACEPOINT, kprobe_->tracepoint().id);
    FL_HOST_TRY(add(open_event(attr, kSelf, cpu, {EventKind::kGup, kprobe_->layout()})));
    if (::ioctl(events_.back().get(), PERF_EVENT_IOC_SET_FILTER, KprobeProbe::filter()) != 0) {
      return host_error("cannot record: the filter of the kprobe: {}", std::strerror(errno));
    }
  }
  return {};
}

void PerfSession::find_exceptions() {
  for (const char* name : {"page_fault_user", "page_fault_kernel"}) {
    const auto tracepoint = tracefs_->find("exceptions", name);
    const RawLayout layout = tracepoint ? RawLayout{.addr = find_raw_field(tracepoint->format, "address"),
                                                    .code = find_raw_field(tracepoint->format, "error_code")}
                                        : RawLayout{};
    if (layout.addr.size == 0 || layout.code.size == 0) {
      exceptions_.clear();
      return;
    }
    exceptions_.push_back({tracepoint->id, layout});
  }
  // Raw data of a tracepoint needs more rights than the tracepoint's number.
  perf_event_attr attr = fault_attr(exceptions_.front().id);
  attr.type = PERF_TYPE_TRACEPOINT;
  if (!open_event(attr, 0, -1, {EventKind::kException})) {
    exceptions_.clear();
  }
}

void PerfSession::find_gup() {
  if (auto probe = KprobeProbe::create(*tracefs_)) {
    kprobe_ = std::move(*probe);
  }
}

HostResult<std::unique_ptr<PerfSession>> PerfSession::open(const PerfOptions& options) {
  std::unique_ptr<PerfSession> session(new PerfSession);
  // What the caller may see.
  perf_event_attr attr = fault_attr(PERF_COUNT_SW_PAGE_FAULTS_MIN);
  session->kernel_ = options.kernel && session->open_event(attr, 0, -1, {EventKind::kMinor}).has_value();
  if (session->kernel_) {
    session->tracefs_ = Tracefs::open();
    if (session->tracefs_ && options.exceptions) {
      session->find_exceptions();
    }
    if (session->tracefs_ && options.gup) {
      session->find_gup();
    }
  }
  const auto processors = static_cast<int>(std::max(::sysconf(_SC_NPROCESSORS_CONF), 1L));
  PerfOptions chosen = options;
  if (chosen.buffer_bytes == 0) {
    chosen.buffer_bytes = choose_buffer(static_cast<size_t>(processors));
  }
  HostStatus status = session->open_processors(processors, chosen);
  // All buffers have one size: the limit is for their sum, and any of them may be the one that fills up.
  while (!status && session->buffer_refused_ && options.buffer_bytes == 0 && chosen.buffer_bytes > kSmallestBuffer) {
    chosen.buffer_bytes /= 2;
    session->close_events();
    status = session->open_processors(processors, chosen);
  }
  if (!status) {
    return tl::unexpected(status.error());
  }
  // Not polled for: its buffer holds thousands, and to be woken by each exit would come in between.
  if (options.task_exits && session->kernel_) {
    session->exits_ = TaskExits::open();
  }
  return session;
}

HostStatus PerfSession::open_processors(int processors, const PerfOptions& options) {
  for (int cpu = 0; cpu < processors; ++cpu) {
    errno = 0;
    const size_t before = rings_.size();
    if (auto status = open_processor(cpu, options); !status) {
      // A processor that is switched off has no events, and nobody runs on it.
      if (errno == ENODEV && rings_.size() == before) {
        continue;
      }
      return status;
    }
  }
  return {};
}

void PerfSession::close_events() {
  rings_.clear();
  events_.clear();
  descriptors_.clear();
  types_.clear();
  buffer_refused_ = false;
}

PerfRecords PerfSession::take_records() {
  if (!exits_complete_) {
    records_.exits.clear();
  }
  return std::move(records_);
}

HostStatus PerfSession::drain() {
  if (exits_) {
    exits_complete_ = exits_->drain(records_.exits) && exits_complete_;
  }
  return drain_rings();
}

HostStatus PerfSession::drain_rings() {
  for (PerfRing& ring : rings_) {
    bytes_.clear();
    ring.drain(bytes_);
    FL_HOST_TRY(parse_perf_records(bytes_, types_, records_));
  }
  return {};
}

}  // namespace fl::emu
