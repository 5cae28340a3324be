// FaultTracer on a small machine: what it gathers, what it holds back, and that it stops a run that cannot be traced.
#include "emu/trace/fault_tracer.hpp"

#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <vector>

#include "guest/task.hpp"
#include "tests/unit/emu/lone_task.hpp"
#include "tests/unit/emu/small_machine.hpp"
#include "vm/fault/handle_fault.hpp"

namespace fl::emu {
namespace {

class FakeContext final : public TraceContext {
 public:
  const guest::Task* current_task() const override { return task; }
  uint64_t now_ns() const override { return now; }
  void on_trace_error() override { stopped = true; }
  guest::Task* task = nullptr;
  uint64_t now = 0;
  bool stopped = false;
};

// A machine whose faults go to a trace in a fresh directory.
class TracedMachine : public SmallMachine {
 public:
  explicit TracedMachine(const std::string& path) {
    mmu::Mmu& mmu = memory().mmu();
    mmu.set_cr3(mm->tables().directory());
    tracer = FaultTracer::create(path, mmu, memory().profile(), "/").value();
    tracer->attach(context);
    memory().set_observer(tracer.get());
    task.tid = task.tgid = 7;
    task.comm = "demo";
    task.mm = mm;
  }
  ~TracedMachine() { memory().set_observer(nullptr); }

  FakeContext context;
  LoneTask lone;
  guest::Task& task = *lone;
  std::unique_ptr<FaultTracer> tracer;
};

std::vector<nlohmann::json> read_records(const std::string& path) {
  std::vector<nlohmann::json> records;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    records.push_back(nlohmann::json::parse(line));
  }
  return records;
}

std::string fresh_directory() {
  std::string name = (std::filesystem::temp_directory_path() / "faultline-test-XXXXXX").string();
  REQUIRE(mkdtemp(name.data()) != nullptr);
  return name;
}

}  // namespace

TEST_CASE("tracer: faults before the first task are held back and then named after it") {
  const std::string directory = fresh_directory();
  const std::string path = directory + "/t.jsonl";
  {
    TracedMachine machine(path);
    const VirtAddr area = machine.map_anonymous(4);
    machine.context.now = 10;
    machine.store(area, "x");
    machine.context.task = &machine.task;
    machine.task.regs.eip = 0x40001234;
    machine.context.now = 20;
    machine.touch(area + kPageSize);
    REQUIRE(machine.tracer->finish().has_value());
    CHECK(machine.tracer->records() == 2);
    CHECK_FALSE(machine.context.stopped);
  }
  const auto records = read_records(path);
  REQUIRE(records.size() == 2);
  for (size_t i = 0; i < records.size(); ++i) {
    CHECK(records[i]["seq"] == i);
    CHECK(records[i]["t"] == 10 * (i + 1));
    CHECK(records[i]["pid"] == 7);
    CHECK(records[i]["comm"] == "demo");
    CHECK(records[i]["mode"] == "kernel");
    CHECK(records[i]["insn"].is_null());
    CHECK(records[i]["vma"]["start"] == "0x40000000");
    CHECK(records[i]["vma"]["end"] == "0x40004000");
  }
  CHECK(records[0]["ip"] == "0x00000000");
  CHECK(records[0]["cause"] == "anon");
  CHECK(records[1]["ip"] == "0x40001234");
  CHECK(records[1]["cause"] == "anon_zero");
  std::filesystem::remove_all(directory);
}

TEST_CASE("tracer: a user fault shows its instruction as it is now, and reading it sets no accessed bit") {
  const std::string directory = fresh_directory();
  const std::string path = directory + "/t.jsonl";
  {
    TracedMachine machine(path);
    machine.context.task = &machine.task;
    const VirtAddr area = machine.map_anonymous(4);
    machine.store(area, "\x40");  // inc eax
    machine.task.regs.eip = area.value();
    vm::FaultCounters faults;
    const mmu::Pte before = *machine.mm->tables().find(area);
    const auto fault = [&](uint32_t page) {
      return vm::handle_page_fault(*machine.mm, area + page * kPageSize, mmu::Access::kWrite, 6, vm::FaultMode::kUser,
                                   faults);
    };
    REQUIRE(fault(1) == vm::FaultResult::kMinor);
    CHECK(*machine.mm->tables().find(area) == before);
    machine.store(area, "\x43");  // inc ebx at the same address
    REQUIRE(fault(2) == vm::FaultResult::kMinor);
    REQUIRE(machine.tracer->finish().has_value());
  }
  const auto records = read_records(path);
  REQUIRE(records.size() == 3);
  CHECK(records[1]["insn"] == "inc eax");
  CHECK(records[2]["insn"] == "inc ebx");
  CHECK(records[2]["addr"] == "0x40002000");
  std::filesystem::remove_all(directory);
}

TEST_CASE("tracer: a file that cannot be written stops the run and is reported at the end") {
  const std::string directory = fresh_directory();
  const std::string path = directory + "/full.csv";
  std::filesystem::create_symlink("/dev/full", path);
  {
    TracedMachine machine(path);
    machine.context.task = &machine.task;
    const VirtAddr area = machine.map_anonymous(1);
    const auto in_one_buffer = OutputFile::kBuffer / 100;
    for (size_t i = 0; i < in_one_buffer && !machine.context.stopped; ++i) {
      machine.touch(area);
      REQUIRE(machine.mm->munmap(area, kPageSize).has_value());
      machine.map_anonymous(1);
    }
    CHECK(machine.context.stopped);
    const HostStatus finished = machine.tracer->finish();
    REQUIRE_FALSE(finished.has_value());
    CHECK(finished.error().message == "cannot write the trace file: " + path + ": No space left on device");
  }
  std::filesystem::remove_all(directory);
}

}  // namespace fl::emu
