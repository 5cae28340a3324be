// perf's ring-buffer records, from bytes: what is read, what is an error, and that nothing damaged is believed.
#include "emu/record/perf_records.hpp"

#include <linux/perf_event.h>

#include <catch2/catch_test_macros.hpp>
#include <cstring>
#include <random>

namespace fl::emu {
namespace {

constexpr uint64_t kMinorId = 11, kMajorId = 12, kExceptionId = 13;

EventTable events() {
  return {{kMinorId, {EventKind::kMinor}},
          {kMajorId, {EventKind::kMajor}},
          {kExceptionId, {EventKind::kException, {.addr = {8, 8}, .code = {24, 4}}}}};
}

// Builds a buffer as the kernel would write it.
class Bytes {
 public:
  template <typename T>
  Bytes& put(T value) {
    const auto* const from = reinterpret_cast<const std::byte*>(&value);
    bytes_.insert(bytes_.end(), from, from + sizeof value);
    return *this;
  }
  Bytes& begin(uint32_t type, uint16_t misc) {
    start_ = bytes_.size();
    return put(perf_event_header{type, misc, 0});
  }
  Bytes& end() {
    const auto size = static_cast<uint16_t>(bytes_.size() - start_);
    std::memcpy(bytes_.data() + start_ + offsetof(perf_event_header, size), &size, sizeof size);
    return *this;
  }
  Bytes& sample(uint64_t id, uint16_t misc, uint64_t ip, uint32_t pid, uint32_t tid, uint64_t time, uint64_t addr) {
    return begin(PERF_RECORD_SAMPLE, misc).put(id).put(ip).put(pid).put(tid).put(time).put(addr);
  }
  Bytes& trailer(uint32_t pid, uint32_t tid, uint64_t time) { return put(pid).put(tid).put(time).put(uint64_t{99}); }
  Bytes& text(std::string_view text, size_t padded) {
    for (size_t i = 0; i < padded; ++i) {
      put(i < text.size() ? text[i] : '\0');
    }
    return *this;
  }
  const std::vector<std::byte>& get() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
  size_t start_ = 0;
};

Bytes good_buffer() {
  Bytes bytes;
  bytes.sample(kMinorId, PERF_RECORD_MISC_USER, 0x8049000, 7, 8, 100, 0x80ef03c).end();
  bytes.sample(kExceptionId, PERF_RECORD_MISC_KERNEL, 0xffffffff81000000, 7, 7, 90, 0);
  bytes.put(uint32_t{36}).put(uint64_t{0}).put(uint64_t{0x80ed2b8}).put(uint64_t{1}).put(uint32_t{6}).put(uint64_t{0});
  bytes.end();
  bytes.begin(PERF_RECORD_FORK, 0).put(uint32_t{20}).put(uint32_t{7}).put(uint32_t{21}).put(uint32_t{8});
  bytes.put(uint64_t{110}).trailer(7, 8, 110).end();
  bytes.begin(PERF_RECORD_COMM, PERF_RECORD_MISC_COMM_EXEC).put(uint32_t{7}).put(uint32_t{7}).text("hello", 8);
  bytes.trailer(7, 7, 80).end();
  bytes.sample(kMajorId, PERF_RECORD_MISC_KERNEL, 0xffffffff81000000, 7, 7, 120, 0x80ed000).end();
  return bytes;
}

}  // namespace

TEST_CASE("perf records: samples, forks and names are read from their bytes") {
  PerfRecords records;
  REQUIRE(parse_perf_records(good_buffer().get(), events(), records));
  REQUIRE(records.samples.size() == 3);
  const PerfSample& minor = records.samples[0];
  CHECK(minor.kind == EventKind::kMinor);
  CHECK_FALSE(minor.kernel);
  CHECK(minor.pid == 7);
  CHECK(minor.tid == 8);
  CHECK(minor.time == 100);
  CHECK(minor.ip == 0x8049000);
  CHECK(minor.addr == 0x80ef03c);
  CHECK(records.samples[1].kind == EventKind::kException);
  CHECK(records.samples[1].addr == 0x80ed2b8);
  CHECK(records.samples[1].code == 6);
  CHECK(records.samples[2].kind == EventKind::kMajor);
  CHECK(records.samples[2].kernel);
  REQUIRE(records.tasks.size() == 2);
  CHECK(records.tasks[0].kind == PerfTaskEvent::Kind::kFork);
  CHECK(records.tasks[0].pid == 20);
  CHECK(records.tasks[0].tid == 21);
  CHECK(records.tasks[0].parent_pid == 7);
  CHECK(records.tasks[0].time == 110);
  CHECK(records.tasks[1].comm == "hello");
  CHECK(records.tasks[1].time == 80);
}

TEST_CASE("perf records: a loss is an error that says so") {
  PerfRecords records;
  Bytes lost = good_buffer();
  lost.begin(PERF_RECORD_LOST, 0).put(uint64_t{1}).put(uint64_t{4711}).trailer(7, 7, 1).end();
  auto status = parse_perf_records(lost.get(), events(), records);
  REQUIRE_FALSE(status);
  CHECK(status.error().message.find("lost 4711 perf records") != std::string::npos);

  Bytes samples;
  samples.begin(PERF_RECORD_LOST_SAMPLES, 0).put(uint64_t{3}).trailer(7, 7, 1).end();
  status = parse_perf_records(samples.get(), events(), records);
  REQUIRE_FALSE(status);
  CHECK(status.error().message.find("lost 3 perf records") != std::string::npos);

  Bytes throttled;
  throttled.begin(PERF_RECORD_THROTTLE, 0).put(uint64_t{1}).put(uint64_t{1}).put(uint64_t{1}).trailer(7, 7, 1).end();
  CHECK_FALSE(parse_perf_records(throttled.get(), events(), records));
}

TEST_CASE("perf records: unknown kinds of records are passed over, unknown events are not") {
  PerfRecords records;
  Bytes later;
  later.begin(77, 0).put(uint64_t{1}).end().sample(kMinorId, 0, 1, 7, 7, 1, 2).end();
  REQUIRE(parse_perf_records(later.get(), events(), records));
  CHECK(records.samples.size() == 1);
  Bytes strange;
  strange.sample(12345, 0, 1, 7, 7, 1, 2).end();
  CHECK_FALSE(parse_perf_records(strange.get(), events(), records));
}

TEST_CASE("perf records: a buffer cut anywhere but between records is an error, and mutations are survived") {
  const std::vector<std::byte> good = good_buffer().get();
  std::vector<size_t> ends{0};
  for (size_t at = 0; at < good.size(); at = ends.back()) {
    uint16_t size = 0;
    std::memcpy(&size, good.data() + at + offsetof(perf_event_header, size), sizeof size);
    ends.push_back(at + size);
  }
  for (size_t size = 0; size <= good.size(); ++size) {
    PerfRecords records;
    const bool whole = std::find(ends.begin(), ends.end(), size) != ends.end();
    INFO(size);
    CHECK(parse_perf_records(std::span(good).first(size), events(), records).has_value() == whole);
  }
  std::mt19937 random(1);
  size_t refused = 0;
  for (int i = 0; i < 20000; ++i) {
    std::vector<std::byte> bytes = good;
    for (int k = 0; k < 3; ++k) {
      bytes[random() % bytes.size()] = static_cast<std::byte>(random());
    }
    PerfRecords records;
    refused += parse_perf_records(bytes, events(), records) ? 0 : 1;
  }
  CHECK(refused > 1000);
}

TEST_CASE("perf records: a tracepoint's fields are found by name") {
  constexpr std::string_view kFormat =
      "name: page_fault_user\nID: 190\nformat:\n\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n"
      "\n\tfield:unsigned long address;\toffset:8;\tsize:8;\tsigned:0;\n"
      "\tfield:unsigned long error_code;\toffset:24;\tsize:8;\tsigned:0;\n\nprint fmt: \"address=%ps\", REC->address\n";
  CHECK(find_raw_field(kFormat, "address").offset == 8);
  CHECK(find_raw_field(kFormat, "address").size == 8);
  CHECK(find_raw_field(kFormat, "error_code").offset == 24);
  CHECK(find_raw_field(kFormat, "code").size == 0);
  CHECK(find_raw_field(kFormat, "").size == 0);
  CHECK(find_raw_field("", "address").size == 0);
}

}  // namespace fl::emu
