// Parsing perf's records. Everything is checked against the record's size: a damaged buffer must not be believed.
#include "emu/record/perf_records.hpp"

#include <linux/perf_event.h>

#include <charconv>
#include <cstring>

namespace fl::emu {
namespace {

// Reads numbers one after the other; past the end it gives 0 and remembers.
class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  template <typename T>
  T get() {
    T value{};
    if (bytes_.size() < sizeof value) {
      short_ = true;
      bytes_ = {};
      return value;
    }
    std::memcpy(&value, bytes_.data(), sizeof value);
    bytes_ = bytes_.subspan(sizeof value);
    return value;
  }
  std::span<const std::byte> take(size_t size) {
    if (bytes_.size() < size) {
      short_ = true;
      size = bytes_.size();
    }
    const auto taken = bytes_.first(size);
    bytes_ = bytes_.subspan(size);
    return taken;
  }
  std::span<const std::byte> rest() const { return bytes_; }
  bool ran_out() const { return short_; }

 private:
  std::span<const std::byte> bytes_;
  bool short_ = false;
};

uint64_t raw_number(std::span<const std::byte> raw, RawField field) {
  uint64_t value = 0;
  if (field.size != 0 && field.size <= sizeof value && raw.size() >= field.size &&
      field.offset <= raw.size() - field.size) {
    std::memcpy(&value, raw.data() + field.offset, field.size);
  }
  return value;
}

HostError damaged(const perf_event_header& header) {
  return {fmt::format("cannot read the kernel's perf buffer: a record of type {} and {} bytes is damaged",
                      uint32_t{header.type}, uint16_t{header.size})};
}

HostError lost(uint64_t count) {
  return {
      fmt::format("cannot record: the kernel lost {} perf records because the buffer was full; "
                  "record on a less busy machine, or as root, which allows larger buffers",
                  count)};
}

HostStatus parse_sample(const perf_event_header& header, Reader reader, const EventTable& events, PerfRecords& out) {
  const auto id = reader.get<uint64_t>();
  const auto event = events.find(id);
  if (event == events.end()) {
    return host_error("cannot read the kernel's perf buffer: a sample of the unknown event {}", id);
  }
  PerfSample sample;
  sample.kind = event->second.kind;
  sample.kernel = (header.misc & PERF_RECORD_MISC_CPUMODE_MASK) == PERF_RECORD_MISC_KERNEL;
  sample.ip = reader.get<uint64_t>();
  sample.pid = reader.get<uint32_t>();
  sample.tid = reader.get<uint32_t>();
  sample.time = reader.get<uint64_t>();
  sample.addr = reader.get<uint64_t>();
  if (has_raw(sample.kind)) {
    const auto raw = reader.take(reader.get<uint32_t>());
    const RawLayout& layout = event->second.raw;
    sample.addr = raw_number(raw, layout.addr);
    sample.code = static_cast<uint32_t>(raw_number(raw, layout.code));
  }
  if (reader.ran_out()) {
    return tl::unexpected(damaged(header));
  }
  out.samples.push_back(sample);
  return {};
}

HostStatus parse_fork(const perf_event_header& header, Reader reader, PerfRecords& out) {
  PerfTaskEvent event;
  event.kind = PerfTaskEvent::Kind::kFork;
  event.pid = reader.get<uint32_t>();
  event.parent_pid = reader.get<uint32_t>();
  event.tid = reader.get<uint32_t>();
  (void)reader.get<uint32_t>();  // the parent's thread
  event.time = reader.get<uint64_t>();
  if (reader.ran_out()) {
    return tl::unexpected(damaged(header));
  }
  out.tasks.push_back(std::move(event));
  return {};
}

HostStatus parse_comm(const perf_event_header& header, Reader reader, PerfRecords& out) {
  constexpr size_t kTrailer = 24;  // TID, TIME, IDENTIFIER
  PerfTaskEvent event;
  event.kind = PerfTaskEvent::Kind::kComm;
  event.pid = reader.get<uint32_t>();
  event.tid = reader.get<uint32_t>();
  const auto rest = reader.rest();
  if (reader.ran_out() || rest.size() < kTrailer) {
    return tl::unexpected(damaged(header));
  }
  const auto name = rest.first(rest.size() - kTrailer);
  const char* const text = reinterpret_cast<const char*>(name.data());
  event.comm.assign(text, ::strnlen(text, name.size()));
  std::memcpy(&event.time, rest.data() + name.size() + 8, sizeof event.time);
  out.tasks.push_back(std::move(event));
  return {};
}

HostStatus parse_record(const perf_event_header& header, Reader reader, const EventTable& events, PerfRecords& out) {
  switch (header.type) {
    case PERF_RECORD_SAMPLE:
      return parse_sample(header, reader, events, out);
    case PERF_RECORD_FORK:
      return parse_fork(header, reader, out);
    case PERF_RECORD_COMM:
      return parse_comm(header, reader, out);
    case PERF_RECORD_LOST:
      (void)reader.get<uint64_t>();
      return tl::unexpected(lost(reader.get<uint64_t>()));
    case PERF_RECORD_LOST_SAMPLES:
      return tl::unexpected(lost(reader.get<uint64_t>()));
    case PERF_RECORD_THROTTLE:
      return host_error(
          "cannot record: the kernel throttled the page-fault events (kernel.perf_event_max_sample_rate)");
    default:
      return {};
  }
}

}  // namespace

HostStatus parse_perf_records(std::span<const std::byte> bytes, const EventTable& events, PerfRecords& out) {
  while (!bytes.empty()) {
    perf_event_header header{};
    if (bytes.size() >= sizeof header) {
      std::memcpy(&header, bytes.data(), sizeof header);
    }
    if (header.size < sizeof header || header.size > bytes.size()) {
      return tl::unexpected(damaged(header));
    }
    FL_HOST_TRY(parse_record(header, Reader(bytes.subspan(sizeof header, header.size - sizeof header)), events, out));
    bytes = bytes.subspan(header.size);
  }
  return {};
}

RawField find_raw_field(std::string_view format, std::string_view name) {
  // "\tfield:unsigned long address;\toffset:8;\tsize:8;\tsigned:0;"
  const auto number_after = [](std::string_view line, std::string_view key) {
    uint32_t value = 0;
    if (const size_t at = line.find(key); at != std::string_view::npos) {
      const char* const from = line.data() + at + key.size();
      std::from_chars(from, line.data() + line.size(), value);
    }
    return value;
  };
  while (!format.empty()) {
    const size_t end = format.find('\n');
    const std::string_view line = format.substr(0, end);
    format = end == std::string_view::npos ? std::string_view() : format.substr(end + 1);
    const size_t declared = line.find(';');
    if (line.find("field:") != std::string_view::npos && declared != std::string_view::npos) {
      const std::string_view declaration = line.substr(0, declared);
      if (declaration.ends_with(name) && declaration.size() > name.size() &&
          declaration[declaration.size() - name.size() - 1] == ' ') {
        return {number_after(line, "offset:"), number_after(line, "size:")};
      }
    }
  }
  return {};
}

}  // namespace fl::emu
