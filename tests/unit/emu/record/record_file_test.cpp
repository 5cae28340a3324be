// The record file: what is written is read back, and nothing that is damaged is believed or brings us down.
#include "emu/record/record_file.hpp"

#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <random>

namespace fl::emu {
namespace {

NativeRecord example(size_t faults) {
  NativeRecord record;
  record.date = "2026-11-23T01:02:03Z";
  record.kernel = {"6.18.44", "#1 SMP", "x86_64", "madvise"};
  record.cpu.brand = "A \"quoted\" processor";
  record.cpu.cpuid = {{0, 0, 0xd, 0x68747541, 0x444d4163, 0x69746e65}, {7, 1, 0, 0xffffffff, 2, 3}};
  record.cpu.hwcap = 0x178bfbff;
  record.cpu.hwcap2 = 2;
  record.cpu.signal_fpstate_bytes = 3376;
  record.command = {"./hello", "a b", "\n\"faults\": [\n", ""};
  record.environment = {"A=1"};
  record.program_path = "/tmp/hello";
  record.program_bytes = 741552;
  record.program_hash = "93f953debde2b790";
  record.filesystem = "ext4";
  record.runs = 5;
  record.agreeing = 4;
  record.kernel_faults_seen = false;
  record.gup = GupView::kFaults;
  record.gup_faults = 1;
  record.exit_status = 137;
  record.minflt = faults;
  record.majflt = 2;
  record.processes = {{-1, 0, 100, "hello", 137, faults, 0, 7, {{100}, {101}}, 4},
                      {0, 1, 102, "ch\tild", -1, 0, 2, std::nullopt, {{102}}, 0}};
  record.output_bytes = 6;
  record.output_hash = "00000000deadbeef";
  for (size_t i = 0; i < faults; ++i) {
    NativeFault fault;
    fault.process = i % 3 == 2 ? 1 : 0;
    fault.task = i % 3 == 1 ? 1 : 0;
    fault.mode = static_cast<vm::FaultMode>(i % vm::kFaultModes);
    if (i % 4 != 3) {
      fault.access = static_cast<mmu::Access>(i % 4);
    }
    fault.major = i % 5 == 0;
    fault.addr = static_cast<uint32_t>(0xfffff000u + i * 4097);
    fault.ip = static_cast<uint32_t>(i);
    fault.time_ns = i * 1'000'000'007ull;
    record.faults.push_back(fault);
  }
  return record;
}

void check_same(const NativeRecord& got, const NativeRecord& want) {
  CHECK(format_record(got) == format_record(want));
  CHECK(got.command == want.command);
  CHECK(got.cpu == want.cpu);
  CHECK(got.gup == want.gup);
  CHECK(got.kernel_faults_seen == want.kernel_faults_seen);
  REQUIRE(got.processes.size() == want.processes.size());
  CHECK(got.processes[1].comm == want.processes[1].comm);
  CHECK(got.processes[0].gup_faults == want.processes[0].gup_faults);
  CHECK(got.processes[0].agreeing == want.processes[0].agreeing);
  CHECK_FALSE(got.processes[1].gup_faults.has_value());
  REQUIRE(got.faults.size() == want.faults.size());
  bool same = true;
  for (size_t i = 0; i < want.faults.size(); ++i) {
    const NativeFault &a = got.faults[i], &b = want.faults[i];
    same = same && a.process == b.process && a.task == b.task && a.mode == b.mode && a.access == b.access &&
           a.major == b.major && a.addr == b.addr && a.ip == b.ip && a.time_ns == b.time_ns;
  }
  CHECK(same);
}

std::string error_of(std::string_view text) {
  const auto record = parse_record(text, "r.json");
  REQUIRE_FALSE(record.has_value());
  CHECK(record.error().message.starts_with("cannot read the record: r.json: "));
  CHECK(record.error().message.find('\n') == std::string::npos);
  return record.error().message;
}

std::string replaced(std::string text, std::string_view what, std::string_view with) {
  const size_t at = text.find(what);
  REQUIRE(at != std::string::npos);
  return text.replace(at, what.size(), with);
}

}  // namespace

TEST_CASE("record file: a record is read back as it was written") {
  for (const size_t faults : {0u, 1u, 2u, 100u}) {
    const NativeRecord record = example(faults);
    const auto back = parse_record(format_record(record), "memory");
    REQUIRE(back.has_value());
    check_same(*back, record);
  }
}

TEST_CASE("record file: one fault stands on one line") {
  const std::string text = format_record(example(3));
  CHECK(text.find("\n[0,0,\"user\",\"read\",1,\"fffff000\",\"00000000\",0],\n") != std::string::npos);
  CHECK(text.find("\n[1,0,\"gup\",\"exec\",0,\"00001002\",\"00000002\",2000000014]\n]\n}\n") != std::string::npos);
}

TEST_CASE("record file: a cut file is an error wherever it is cut") {
  const std::string text = format_record(example(4));
  for (size_t size = 0; size < text.size(); ++size) {
    INFO(size);
    CHECK_FALSE(parse_record(std::string_view(text).substr(0, size), "cut").has_value());
  }
}

TEST_CASE("record file: mutated files are refused or read, never more") {
  const std::string text = format_record(example(6));
  std::mt19937 random(7);
  size_t refused = 0;
  for (int i = 0; i < 5000; ++i) {
    std::string mutated = text;
    for (uint32_t k = 0; k <= random() % 3; ++k) {
      const size_t at = random() % mutated.size();
      switch (random() % 3) {
        case 0:
          mutated[at] = static_cast<char>(random());
          break;
        case 1:
          mutated.erase(at, random() % 40);
          break;
        default:
          mutated.insert(at, mutated.substr(random() % mutated.size(), random() % 40));
      }
    }
    const auto record = parse_record(mutated, "mutated");
    refused += record ? 0 : 1;
    if (record) {
      for (const NativeFault& fault : record->faults) {
        REQUIRE(fault.process < record->processes.size());
        REQUIRE(fault.task < record->processes[fault.process].tasks.size());
      }
    }
  }
  CHECK(refused > 1000);
}

TEST_CASE("record file: what is wrong is said") {
  const std::string text = format_record(example(4));
  CHECK(error_of("").find("not a record") != std::string::npos);
  CHECK(error_of("{}").find("not a record") != std::string::npos);
  CHECK(error_of(replaced(text, "faultline_record\": 1", "faultline_record\": 2")).find("another version") !=
        std::string::npos);
  CHECK(error_of(replaced(text, "faultline_record", "something")).find("not a record") != std::string::npos);
  CHECK(error_of(replaced(text, "\"fault_count\": 4", "\"fault_count\": 5")).find("4 faults instead of 5") !=
        std::string::npos);
  CHECK(error_of(replaced(text, "[0,1,", "[0,2,")).find("fault 1 is damaged") != std::string::npos);
  CHECK(error_of(replaced(text, "[1,0,", "[9,0,")).find("fault 2 is damaged") != std::string::npos);
  CHECK(error_of(replaced(text, "\"exec\"", "\"jump\"")).find("damaged") != std::string::npos);
  CHECK(error_of(replaced(text, "\"parent\": 0", "\"parent\": 1")).find("parent") != std::string::npos);
  CHECK(error_of(replaced(text, "\"runs\": 5", "\"runs\": \"5\"")).find("type") != std::string::npos);
  CHECK(error_of(replaced(text, "\"gup\": \"faults\"", "\"gup\": \"some\"")).find("gup") != std::string::npos);
  CHECK(error_of(replaced(text, "00000007.01 ", "00000007.0x ")).find("cpuid") != std::string::npos);
  std::string deep(2'000'000, '[');
  deep += "\"faults\": [\n]\n}\n";
  CHECK_FALSE(parse_record(deep, "deep").has_value());
}

TEST_CASE("record file: a file that is none is refused") {
  CHECK_FALSE(read_record("/nonexistent/r.json").has_value());
  CHECK_FALSE(read_record("/dev/zero").has_value());
  CHECK_FALSE(read_record("/").has_value());
  CHECK_FALSE(write_record("/nonexistent/r.json", example(1)).has_value());
  const auto status = write_record("/dev/full", example(1));
  REQUIRE_FALSE(status);
  CHECK(status.error().message.find("No space left") != std::string::npos);
}

TEST_CASE("record file: half a million faults take less than two seconds each way") {
  // Of processor time: others may use the machine, too. AddressSanitizer takes several times as much.
#if defined(__SANITIZE_ADDRESS__)
  constexpr double kMostSeconds = 20;
#else
  constexpr double kMostSeconds = 2;
#endif
  const NativeRecord record = example(500'000);
  const std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("faultline_record_test_" + std::to_string(::getpid()));
  const std::clock_t began = std::clock();
  REQUIRE(write_record(path.string(), record));
  const std::clock_t written = std::clock();
  const auto back = read_record(path.string());
  const std::clock_t read = std::clock();
  std::filesystem::remove(path);
  REQUIRE(back.has_value());
  CHECK(back->faults.size() == record.faults.size());
  CHECK(static_cast<double>(written - began) / CLOCKS_PER_SEC < kMostSeconds);
  CHECK(static_cast<double>(read - written) / CLOCKS_PER_SEC < kMostSeconds);
}

}  // namespace fl::emu
