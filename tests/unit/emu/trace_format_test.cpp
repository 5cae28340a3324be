// The three trace formats, byte for byte.
#include "emu/trace/trace_format.hpp"

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace fl::emu {
namespace {

// The COW of a zero page by hello, as in the fault rules' list.
struct Sample {
  vm::FaultRecord fault;
  TraceArea area;
  TraceEvent event;

  Sample() {
    fault.addr = VirtAddr(0x080f0a1c);
    fault.access = mmu::Access::kWrite;
    fault.mode = vm::FaultMode::kUser;
    fault.result = vm::FaultResult::kMinor;
    fault.cause = vm::FaultCause::kZeroCow;
    fault.pte_before = mmu::Pte(0x00042225);
    fault.pte_after = mmu::Pte(0x01234067);
    area = {VirtAddr(0x080ee000), VirtAddr(0x080f1000), {'r', 'w', '-', 'p'}, "[heap]", 0};
    event.seq = 22;
    event.time_ns = 1234567890;
    event.pid = 1;
    event.tid = 2;
    event.comm = "hello";
    event.fault = &fault;
    event.ip = VirtAddr(0x08049abc);
    event.insn = "mov dword ptr [eax], 1";
    event.sym = "main";
    event.sym_offset = 28;
    event.area = &area;
  }
};

std::string write(const TraceFormat& format, const TraceEvent& event) {
  std::vector<char> buffer(kMaxRecord);
  Cursor cursor(buffer.data());
  format.write(event, cursor);
  REQUIRE(cursor.end() <= buffer.data() + buffer.size());
  return {buffer.data(), cursor.end()};
}

std::vector<std::string> split_row(const std::string& row) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (const char c : row) {
    if (c == '"') {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      fields.emplace_back();
    } else if (c != '\n' || quoted) {
      fields.back() += c;
    }
  }
  return fields;
}

}  // namespace

TEST_CASE("trace: a jsonl record has every field in order") {
  Sample sample;
  CHECK(
      write(*make_jsonl_format(), sample.event) ==
      R"({"seq":22,"t":1234567890,"pid":1,"tid":2,"comm":"hello","mode":"user","access":"write",)"
      R"("addr":"0x080f0a1c","page":"0x080f0000","ip":"0x08049abc","insn":"mov dword ptr [eax], 1","sym":"main+0x1c",)"
      R"("vma":{"start":"0x080ee000","end":"0x080f1000","perm":"rw-p","name":"[heap]","pgoff":0},"cause":"zero_cow",)"
      R"("major":false,"counted":true,"pfn":"0x1234","pte_before":"0x00042225","pte_after":"0x01234067","around":null})"
      "\n");
}

TEST_CASE("trace: a refused fault without a mapping has nulls in jsonl and empty columns in csv") {
  Sample sample;
  sample.fault.result = vm::FaultResult::kMapErr;
  sample.fault.cause = vm::FaultCause::kSegvMapErr;
  sample.fault.access = mmu::Access::kFetch;
  sample.fault.pte_before = sample.fault.pte_after = mmu::Pte();
  sample.event.area = nullptr;
  sample.event.insn = sample.event.sym = {};
  const auto record = nlohmann::json::parse(write(*make_jsonl_format(), sample.event));
  CHECK(record["vma"].is_null());
  CHECK(record["insn"].is_null());
  CHECK(record["sym"].is_null());
  CHECK(record["pfn"].is_null());
  CHECK(record["counted"] == false);
  CHECK(record["access"] == "exec");
  CHECK(write(*make_csv_format(), sample.event) ==
        "22,1234567890,1,2,hello,user,exec,0x080f0a1c,0x080f0000,0x08049abc,,,,,,,,segv_maperr,0,0,,0x00000000,"
        "0x00000000,,,,,\n");
}

TEST_CASE("trace: a fault-around names its window") {
  Sample sample;
  sample.fault.around = {VirtAddr(0x08049000), VirtAddr(0x08058000), 16};
  sample.fault.result = vm::FaultResult::kMajor;
  const auto record = nlohmann::json::parse(write(*make_jsonl_format(), sample.event));
  CHECK(record["around"] == nlohmann::json({{"from", "0x08049000"}, {"to", "0x08058000"}, {"mapped", 16}}));
  CHECK(record["major"] == true);
}

TEST_CASE("trace: a csv row has as many fields as the header and quotes commas") {
  Sample sample;
  sample.fault.around = {VirtAddr(0x08049000), VirtAddr(0x08058000), 16};
  const auto format = make_csv_format();
  const std::string row = write(*format, sample.event);
  CHECK(row ==
        "22,1234567890,1,2,hello,user,write,0x080f0a1c,0x080f0000,0x08049abc,\"mov dword ptr [eax], 1\",main+0x1c,"
        "0x080ee000,0x080f1000,rw-p,[heap],0,zero_cow,0,1,0x1234,0x00042225,0x01234067,0x08049000,0x08058000,16,,\n");
  CHECK(split_row(row).size() == split_row(std::string(format->header())).size());
  sample.event.area = nullptr;
  sample.fault.around = {};
  CHECK(split_row(write(*format, sample.event)).size() == split_row(std::string(format->header())).size());
  sample.event.sym = "operator,(X)";
  CHECK(split_row(write(*format, sample.event))[11] == "operator,(X)+0x1c");
}

TEST_CASE("trace: what else happens to memory has its name and its numbers in every format") {
  Sample sample;
  const vm::MemoryEvent event{
      .kind = vm::MemoryEvent::Kind::kSwapOut, .failed = true, .pfn = Pfn(0x1234), .swap_type = 1, .swap_offset = 77};
  sample.event.fault = nullptr;
  sample.event.event = &event;
  const auto write_event = [&sample](const TraceFormat& format) {
    std::string text(kMaxRecord, '\0');
    Cursor cursor(text.data());
    format.write_event(sample.event, cursor);
    text.resize(static_cast<size_t>(cursor.end() - text.data()));
    return text;
  };
  CHECK(write_event(*make_jsonl_format()) ==
        R"({"seq":22,"t":1234567890,"pid":1,"tid":2,"comm":"hello","event":"swap_out","pfn":"0x1234","area":1,)"
        R"("slot":77,"failed":1})"
        "\n");
  CHECK(write_event(*make_text_format()) ==
        "           hello 1/2 1.234567890: vm:swap_out: pfn 0x1234 area 1 slot 77 failed 1 #22\n");
  const auto csv = make_csv_format();
  const auto row = split_row(write_event(*csv));
  REQUIRE(row.size() == split_row(std::string(csv->header())).size());
  CHECK(row[4] == "hello");
  CHECK(row[5].empty());
  CHECK(row[26] == "swap_out");
  CHECK(row[27] == "pfn=0x1234 area=1 slot=77 failed=1");
}

TEST_CASE("trace: a text line reads like perf script") {
  Sample sample;
  CHECK(
      write(*make_text_format(), sample.event) ==
      "           hello 1/2 1.234567890: page-faults:u: 0x080f0a1c write zero_cow     minor ip 0x08049abc main+0x1c "
      "[mov dword ptr [eax], 1] vma 0x080ee000-0x080f1000 rw-p [heap]+0x0 pte 0x00042225->0x01234067 pfn 0x1234 #22\n");
  sample.event.time_ns = 5;
  sample.fault.mode = vm::FaultMode::kGup;
  sample.fault.result = vm::FaultResult::kAccErr;
  sample.event.area = nullptr;
  const std::string line = write(*make_text_format(), sample.event);
  CHECK(line.find(" 0.000000005: page-faults:g: ") != std::string::npos);
  CHECK(line.find(" refused ") != std::string::npos);
  CHECK(line.find(" no vma ") != std::string::npos);
}

TEST_CASE("trace: names that a guest chose cannot break a format") {
  Sample sample;
  const std::string name = "a\"b\\c\nd\te\x01\x7f,\xc3\xa9\xff\xe2\x82";
  sample.event.comm = name;
  sample.area.name = name;
  sample.event.sym = name;
  const std::string json = write(*make_jsonl_format(), sample.event);
  const auto record = nlohmann::json::parse(json);
  const std::string shown = "a\"b\\c\nd\te\x01\x7f,\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd";
  CHECK(record["comm"] == shown);
  CHECK(record["vma"]["name"] == shown);
  CHECK(record["sym"] == shown + "+0x1c");
  CHECK(json.find('\n') == json.size() - 1);
  const std::string text = write(*make_text_format(), sample.event);
  CHECK(text.find('\n') == text.size() - 1);
  CHECK(text.find("a\"b\\c\\x0ad") != std::string::npos);
  CHECK(split_row(write(*make_csv_format(), sample.event)).size() == 28);
}

TEST_CASE("trace: the longest names fit the reserved record") {
  Sample sample;
  const std::string name(100000, '\x01');
  sample.event.comm = sample.event.insn = sample.event.sym = sample.area.name = name;
  sample.event.seq = sample.event.time_ns = ~uint64_t{0};
  for (const auto& format : {make_jsonl_format(), make_csv_format(), make_text_format()}) {
    CHECK(write(*format, sample.event).size() < kMaxRecord);
  }
}

TEST_CASE("trace: the suffix of the file chooses the format and an unknown one is refused") {
  for (const char* path : {"a.jsonl", "b/c.csv", "d.txt"}) {
    CHECK(TraceFormat::for_path(path).has_value());
  }
  for (const char* path : {"trace", "a.json", "a.jsonl.gz", "jsonl", ""}) {
    const auto format = TraceFormat::for_path(path);
    REQUIRE_FALSE(format.has_value());
    CHECK(format.error().message ==
          fmt::format("cannot write the trace: {}: its name must end in .jsonl, .csv or .txt", path));
  }
}

}  // namespace fl::emu
