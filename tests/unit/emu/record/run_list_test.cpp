// From perf's records to a fault list: order, access kinds, the tree of processes, get_user_pages faults, the choice.
#include "emu/record/run_list.hpp"

#include <catch2/catch_test_macros.hpp>

namespace fl::emu {
namespace {

constexpr uint32_t kRoot = 100;

PerfSample user_fault(uint64_t time, uint32_t addr, uint32_t ip, uint32_t pid = kRoot, uint32_t tid = 0) {
  return {.time = time, .addr = addr, .ip = ip, .pid = pid, .tid = tid != 0 ? tid : pid};
}
PerfSample kernel_fault(uint64_t time, uint32_t addr) {
  PerfSample sample = user_fault(time, addr, 0);
  sample.ip = 0xffffffff81000000;
  sample.kernel = true;
  return sample;
}
PerfSample exception(uint64_t time, uint32_t addr, uint32_t code, uint32_t tid = kRoot) {
  PerfSample sample = user_fault(time, addr, 0, tid, tid);
  sample.kind = EventKind::kException;
  sample.code = code;
  return sample;
}
PerfSample gup(uint64_t time, uint32_t addr, uint32_t flags, uint32_t pid = kRoot) {
  PerfSample sample = user_fault(time, addr, 0, pid);
  sample.kind = EventKind::kGup;
  sample.code = flags;
  return sample;
}
PerfTaskEvent fork_event(uint64_t time, uint32_t parent, uint32_t pid, uint32_t tid) {
  return {.time = time, .kind = PerfTaskEvent::Kind::kFork, .pid = pid, .tid = tid, .parent_pid = parent};
}

RunList make(PerfRecords records, RunFacts facts) {
  facts.root = kRoot;
  auto list = make_run_list(std::move(records), facts);
  REQUIRE(list.has_value());
  return std::move(*list);
}

}  // namespace

TEST_CASE("run list: faults of several processors' buffers come in the order of time") {
  const RunList list = make(
      {.samples = {user_fault(30, 0x3000, 1), user_fault(10, 0x1000, 1), user_fault(20, 0x2000, 1)}}, {.minflt = 3});
  REQUIRE(list.faults.size() == 3);
  CHECK(list.faults[0].addr == 0x1000);
  CHECK(list.faults[0].time_ns == 0);
  CHECK(list.faults[2].addr == 0x3000);
  CHECK(list.faults[2].time_ns == 20);
  CHECK(list.gup_faults == 0);
}

TEST_CASE("run list: the access comes from the exception before the fault") {
  const RunList list =
      make({.samples = {exception(1, 0x1008, 6), user_fault(2, 0x1008, 0x8049000),           // a write
                        exception(3, 0x2000, 4), user_fault(4, 0x2000, 0x8049004),           // a read
                        exception(5, 0x8050000, 0x14), user_fault(6, 0x8050000, 0x8050000),  // a fetch, no-execute
                        exception(7, 0x8051010, 4), user_fault(8, 0x8051010, 0x8051010),     // a fetch without it
                        exception(9, 0x8052000, 4), user_fault(10, 0x8052000, 0x8051ffe),    // the instruction's rest
                        exception(11, 0x3000, 6), exception(12, 0x4000, 2), kernel_fault(13, 0x4000),  // 3000: refused
                        user_fault(14, 0x3000, 0x8049008), exception(15, 0x6000, 6, 999), user_fault(16, 0x6000, 1)}},
           {.minflt = 8});
  using enum mmu::Access;
  const std::vector<std::optional<mmu::Access>> want = {kWrite, kRead,  kFetch,       kFetch,
                                                        kFetch, kWrite, std::nullopt, std::nullopt};
  REQUIRE(list.faults.size() == want.size());
  for (size_t i = 0; i < want.size(); ++i) {
    INFO(i);
    CHECK(list.faults[i].access == want[i]);
  }
  CHECK(list.faults[5].mode == vm::FaultMode::kKernel);
  CHECK(list.faults[5].ip == 0);
}

TEST_CASE("run list: without error codes the instruction says what the access was") {
  const auto decode = [](uint32_t ip) {
    return ip == 0x8049004 ? std::optional(mmu::Access::kWrite) : std::optional<mmu::Access>();
  };
  const RunList list = make({.samples = {user_fault(1, 0x8049000, 0x8049000), user_fault(2, 0x1000, 0x8049004),
                                         user_fault(3, 0x2000, 0x8049008), kernel_fault(4, 0x3000)}},
                            {.minflt = 4, .instruction_access = decode});
  REQUIRE(list.faults.size() == 4);
  CHECK(list.faults[0].access == mmu::Access::kFetch);
  CHECK(list.faults[1].access == mmu::Access::kWrite);
  CHECK_FALSE(list.faults[2].access.has_value());
  CHECK_FALSE(list.faults[3].access.has_value());
}

TEST_CASE("run list: processes have the order of their places, whatever that of their births") {
  PerfRecords records;
  records.tasks = {fork_event(1, 50, kRoot, kRoot), fork_event(10, kRoot, 200, 200), fork_event(20, kRoot, 300, 300),
                   fork_event(30, 300, 400, 400),   fork_event(40, 200, 500, 500),   fork_event(50, 200, 200, 201),
                   fork_event(60, 9999, 9998, 9998)};
  records.tasks.push_back({.time = 35, .kind = PerfTaskEvent::Kind::kComm, .pid = 400, .tid = 400, .comm = "deep"});
  records.samples = {user_fault(70, 0x1000, 1, 400), user_fault(71, 0x2000, 1, 200, 201),
                     user_fault(72, 0x3000, 1, 500)};
  const RunList list = make(std::move(records), {.exit_status = 3, .minflt = 3});
  REQUIRE(list.processes.size() == 5);
  const std::vector<int32_t> pids = {100, 200, 500, 300, 400}, parents = {-1, 0, 1, 0, 3};
  for (size_t i = 0; i < pids.size(); ++i) {
    CHECK(list.processes[i].pid == pids[i]);
    CHECK(list.processes[i].parent == parents[i]);
  }
  CHECK(list.processes[3].child == 1);
  CHECK(list.processes[4].comm == "deep");
  CHECK(list.processes[0].exit_status == 3);
  CHECK(list.processes[1].exit_status == -1);
  REQUIRE(list.processes[1].tasks.size() == 2);
  CHECK(list.faults[0].process == 4);
  CHECK(list.faults[1].process == 1);
  CHECK(list.faults[1].task == 1);
  CHECK(list.faults[2].process == 2);
  CHECK(list.processes[2].minflt == 1);
}

TEST_CASE("run list: a number that is used again is a new process") {
  PerfRecords records;
  records.tasks = {fork_event(10, kRoot, 200, 200), fork_event(30, kRoot, 200, 200)};
  records.samples = {user_fault(20, 0x1000, 1, 200), user_fault(40, 0x2000, 1, 200)};
  const RunList list = make(std::move(records), {.minflt = 2});
  REQUIRE(list.processes.size() == 3);
  CHECK(list.faults[0].process == 1);
  CHECK(list.faults[1].process == 2);
}

TEST_CASE("run list: get_user_pages faults are in the list only if their number is what rusage leaves") {
  const std::vector<PerfSample> samples = {gup(5, 0xbfffffef, 0x81), user_fault(10, 0x1000, 1),
                                           gup(7, 0x5000, 0, 4321)};
  const RunList seen = make({.samples = samples}, {.minflt = 2, .gup_seen = true});
  CHECK(seen.gup == GupView::kFaults);
  CHECK(seen.gup_faults == 1);
  REQUIRE(seen.faults.size() == 2);
  CHECK(seen.faults[0].mode == vm::FaultMode::kGup);
  CHECK(seen.faults[0].access == mmu::Access::kWrite);
  CHECK(seen.faults[0].addr == 0xbfffffef);

  const RunList other = make({.samples = samples}, {.minflt = 5, .gup_seen = true});
  CHECK(other.gup == GupView::kCount);
  CHECK(other.gup_faults == 4);
  CHECK(other.faults.size() == 1);

  const RunList user_only = make({.samples = {user_fault(10, 0x1000, 1)}}, {.minflt = 9, .kernel_seen = false});
  CHECK(user_only.gup_faults == 0);
  CHECK(user_only.minflt == 9);
}

TEST_CASE("run list: the strings that an x86-64 execve copies are where the 32-bit program will find them") {
  PerfSample strings = gup(1, 0, 0x81);
  strings.addr = 0x7fffffffefd5;
  const RunList list = make({.samples = {strings}}, {.minflt = 1, .gup_seen = true});
  REQUIRE(list.faults.size() == 1);
  CHECK(list.faults[0].addr == 0xffffdfd5);
}

TEST_CASE("run list: a get_user_pages fault that waits for I/O comes twice and counts once, as major") {
  const RunList list = make({.samples = {gup(5, 0x5000, 0x4), gup(6, 0x5000, 0x24), gup(7, 0x6000, 0x4)}},
                            {.minflt = 1, .majflt = 1, .gup_seen = true});
  REQUIRE(list.faults.size() == 2);
  CHECK(list.gup == GupView::kFaults);
  CHECK(list.faults[0].major);
  CHECK_FALSE(list.faults[1].major);
}

TEST_CASE("run list: a stranger's fault and a 64-bit address are errors") {
  CHECK_FALSE(make_run_list({.samples = {user_fault(1, 0x1000, 1, 77)}}, {.root = kRoot}));
  PerfSample wide = user_fault(1, 0, 1);
  wide.addr = 0x7ffff7dd0000;
  const auto list = make_run_list({.samples = {wide}}, {.root = kRoot});
  REQUIRE_FALSE(list);
  CHECK(list.error().message.find("not an i386 one") != std::string::npos);
}

TEST_CASE("run list: what each process counted in all comes from the kernel's accounting") {
  PerfRecords records;
  records.tasks = {fork_event(10, kRoot, 200, 200), fork_event(20, 200, 200, 201), fork_event(30, kRoot, 300, 300)};
  records.samples = {user_fault(11, 0x1000, 1), user_fault(21, 0x2000, 1, 200), user_fault(22, 0x3000, 1, 200, 201),
                     user_fault(31, 0x4000, 1, 300)};
  records.exits = {{.tid = 77, .minflt = 1000},  // a stranger
                   {.tid = 201, .minflt = 3},
                   {.tid = 200, .wait_status = 7 << 8, .minflt = 1, .majflt = 1},
                   {.tid = 300, .wait_status = 9, .minflt = 4},
                   {.tid = kRoot, .minflt = 12}};
  const RunFacts facts{.exit_status = 2, .minflt = 11, .majflt = 1, .launcher_minflt = 8};
  const RunList list = make(records, facts);
  REQUIRE(list.processes.size() == 3);
  const auto check = [&list](size_t process, uint64_t minflt, uint64_t majflt, uint64_t gup, int status) {
    INFO(process);
    CHECK(list.processes[process].minflt == minflt);
    CHECK(list.processes[process].majflt == majflt);
    CHECK(list.processes[process].gup_faults == gup);
    CHECK(list.processes[process].exit_status == status);
  };
  check(0, 4, 0, 3, 2);
  check(1, 4, 1, 3, 7);
  check(2, 4, 0, 3, 128 + 9);
  CHECK(list.minflt == 12);  // one more than was waited for: somebody ignored SIGCHLD
  CHECK(list.majflt == 1);
  CHECK(list.gup_faults == 9);

  // Not of every task: then nothing is believed but the events and wait4.
  records.exits.pop_back();
  const RunList unknown = make(records, facts);
  CHECK(unknown.minflt == 11);
  CHECK(unknown.processes[1].minflt == 2);
  CHECK_FALSE(unknown.processes[1].gup_faults.has_value());
  CHECK(unknown.processes[0].exit_status == 2);
}

TEST_CASE("run list: a thread that calls execve ends under its process's number") {
  PerfRecords records;
  records.tasks = {fork_event(10, kRoot, kRoot, 101)};
  records.samples = {user_fault(11, 0x1000, 1), user_fault(12, 0x2000, 1, kRoot, 101), user_fault(20, 0x3000, 1)};
  records.exits = {{.tid = kRoot, .minflt = 1}, {.tid = kRoot, .minflt = 3}};
  const RunList list = make(records, {.minflt = 4});
  CHECK(list.minflt == 4);
  CHECK(list.processes[0].gup_faults == 1u);
}

TEST_CASE("run list: a fault after a thread has told its number is counted, and one of a single process is known") {
  PerfRecords records;
  records.samples = {user_fault(11, 0x1000, 1), kernel_fault(12, 0x2000)};
  records.exits = {{.tid = kRoot, .minflt = 1}};
  const RunList list = make(records, {.minflt = 2});
  CHECK(list.processes[0].minflt == 2);
  CHECK(list.processes[0].gup_faults == 0u);
  records.exits.clear();
  const RunList events = make(records, {.minflt = 5});
  CHECK(events.processes[0].minflt == 5);
  CHECK(events.processes[0].gup_faults == 3u);
}

}  // namespace fl::emu
