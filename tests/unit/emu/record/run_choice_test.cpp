// Which run's list is kept, and lists that are put together from several runs.
#include "emu/record/run_choice.hpp"

#include <catch2/catch_test_macros.hpp>

namespace fl::emu {
namespace {

NativeFault fault(uint32_t process, uint32_t task, uint32_t addr, uint64_t time) {
  NativeFault made;
  made.process = process;
  made.task = task;
  made.addr = addr;
  made.ip = 0x8049000;
  made.time_ns = time;
  return made;
}
NativeProcess process(int32_t parent, std::vector<NativeTask> tasks) {
  NativeProcess made;
  made.parent = parent;
  made.tasks = std::move(tasks);
  made.gup_faults = 0;
  return made;
}

// A run of a program with one child; the child has two tasks.
RunList run(std::vector<NativeFault> faults) {
  RunList list;
  list.faults = std::move(faults);
  list.processes = {process(-1, {{100}}), process(0, {{101}, {102}})};
  list.processes[0].gup_faults = 1;
  for (const NativeFault& one : list.faults) {
    ++list.processes[one.process].minflt;
  }
  ++list.processes[0].minflt;
  list.minflt = list.faults.size() + 1;
  list.gup_faults = 1;
  return list;
}
RunList single(std::vector<NativeFault> faults) {
  RunList list;
  list.minflt = faults.size();
  list.processes = {process(-1, {{100}})};
  list.processes[0].minflt = list.minflt;
  list.faults = std::move(faults);
  return list;
}

}  // namespace

TEST_CASE("run choice: the most frequent list wins, and the first of equals") {
  const RunList a = single({fault(0, 0, 0x1000, 1), fault(0, 0, 0x2000, 2)});
  const RunList later = single({fault(0, 0, 0x1000, 101), fault(0, 0, 0x2008, 402)});
  const RunList other = single({fault(0, 0, 0x2000, 1), fault(0, 0, 0x1000, 2)});
  CHECK(same_faults(a, later));
  CHECK_FALSE(same_faults(a, other));
  const RunChoice most = choose_run({other, a, later, a, other});
  CHECK(most.agreeing == 3);
  CHECK(most.run == 1);
  CHECK(most.list.processes[0].agreeing == 3);
  CHECK(choose_run({other, a}).run == 0);
  CHECK(choose_run({other, a}).agreeing == 1);
  RunList more = a;
  more.minflt = 3;
  CHECK_FALSE(same_faults(a, more));
}

TEST_CASE("run choice: tasks may interleave in another way and still be the same") {
  const RunList a = run({fault(0, 0, 0x1000, 1), fault(1, 0, 0x2000, 2), fault(1, 1, 0x3000, 3)});
  const RunList b = run({fault(1, 1, 0x3000, 1), fault(1, 0, 0x2000, 2), fault(0, 0, 0x1000, 3)});
  CHECK(same_faults(a, b));
  const RunList swapped = run({fault(0, 0, 0x1000, 1), fault(1, 1, 0x2000, 2), fault(1, 0, 0x3000, 3)});
  CHECK_FALSE(same_faults(a, swapped));
  CHECK(choose_run({swapped, a, b}).agreeing == 2);
}

TEST_CASE("run choice: without a majority of whole runs each process has its own") {
  // The first process takes another way in the first run, the child in the last; the second has a fault too many in it.
  const RunList one = run({fault(0, 0, 0x9000, 1), fault(1, 0, 0x2000, 2), fault(1, 1, 0x3000, 3)});
  const RunList two = run({fault(0, 0, 0x1000, 1), fault(1, 0, 0x2000, 2), fault(1, 0, 0x5000, 3)});
  const RunList three = run({fault(1, 0, 0x2000, 1), fault(0, 0, 0x1000, 2), fault(1, 1, 0x3000, 3)});
  RunList killed = one;
  killed.exit_status = 137;
  RunList childless = three;
  childless.processes.pop_back();
  const RunChoice choice = choose_run({one, two, three, killed, childless});
  CHECK(choice.agreeing == 2);
  CHECK(choice.run == 1);
  REQUIRE(choice.list.processes.size() == 2);
  CHECK(choice.list.processes[0].agreeing == 2);
  CHECK(choice.list.processes[1].agreeing == 2);
  CHECK(choice.list.minflt == 4);
  CHECK(choice.list.gup_faults == 1);
  REQUIRE(choice.list.faults.size() == 3);
  std::vector<uint32_t> pages;
  for (const NativeFault& each : choice.list.faults) {
    pages.push_back(each.addr >> 12);
  }
  CHECK(pages == std::vector<uint32_t>{1, 2, 3});
}

TEST_CASE("run choice: a process whose order is never the same keeps the most frequent totals") {
  const RunList more = run({fault(0, 0, 0x1000, 1), fault(0, 0, 0x2000, 2), fault(0, 0, 0x3000, 3)});
  const RunList first = run({fault(0, 0, 0x1000, 1), fault(0, 0, 0x2000, 2)});
  const RunList second = run({fault(0, 0, 0x2000, 1), fault(0, 0, 0x1000, 2)});
  const RunChoice choice = choose_run({more, first, second});
  CHECK(choice.agreeing == 1);
  CHECK(choice.run == 1);
  CHECK(choice.list.processes[0].minflt == 3);
  CHECK(choice.list.processes[1].agreeing == 3);
}

TEST_CASE("run choice: where a process's totals are not known they are one run's") {
  RunList one = run({fault(0, 0, 0x1000, 1), fault(1, 0, 0x2000, 2)});
  RunList two = run({fault(0, 0, 0x1000, 1), fault(1, 0, 0x3000, 2)});
  RunList three = run({fault(0, 0, 0x5000, 1), fault(1, 0, 0x2000, 2)});
  for (RunList* list : {&one, &two, &three}) {
    for (NativeProcess& process : list->processes) {
      process.gup_faults.reset();
    }
  }
  const RunChoice choice = choose_run({one, two, three});
  CHECK(choice.list.minflt == 3);
  CHECK(choice.list.gup_faults == 1);
  CHECK(choice.agreeing == 2);
}

}  // namespace fl::emu
