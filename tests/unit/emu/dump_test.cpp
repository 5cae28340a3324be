// --dump: maps, page tables and walks of a small address space.
#include <fmt/format.h>
#include <catch2/catch_test_macros.hpp>

#include "emu/cli/run_options.hpp"
#include "emu/dump/dump.hpp"
#include "emu/dump/dump_collector.hpp"
#include "guest/task.hpp"
#include "tests/unit/emu/lone_task.hpp"
#include "tests/unit/emu/small_machine.hpp"

namespace fl::emu {
namespace {

constexpr DumpSubject kSubject{7, "demo"};

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("dump: entries and error codes are spelled") {
  using mmu::Pte;
  constexpr auto kNo = mmu::NoExecute::kUnsupported;
  CHECK(describe_entry(Pte(0), kNo) == "empty");
  CHECK(describe_entry(Pte(0x1067), kNo) == "present writable user accessed dirty");
  CHECK(describe_entry(Pte(0x1025), kNo) == "present read-only user accessed");
  CHECK(describe_entry(Pte(0x1163), kNo) == "present writable supervisor accessed dirty global");
  CHECK(describe_entry(Pte(0x4000e3), kNo) == "present writable supervisor accessed dirty 4-MiB");
  CHECK(describe_entry(Pte(0x1104), kNo) == "prot-none read-only user");
  CHECK(describe_entry(Pte(0x1000), kNo) == "swap");
  CHECK(describe_entry(Pte(0x1a05), kNo) == "present read-only user special");
  CHECK(describe_entry(Pte(0x1a05), mmu::NoExecute::kHonoured) == "present read-only user special no-execute");
  CHECK(describe_error_code(4) == "not present, read, user");
  CHECK(describe_error_code(7) == "protection, write, user");
  CHECK(describe_error_code(0x14) == "not present, fetch, user");
}

TEST_CASE("dump: maps are the lines of /proc/PID/maps") {
  SmallMachine machine;
  machine.map_anonymous(3);
  CHECK(dump_maps(kSubject, *machine.mm) == "maps of process 7 (demo)\n40000000-40003000 rw-p 00000000 00:00 0 \n");
}

TEST_CASE("dump: page tables show each entry with its bits and what maps it") {
  SmallMachine machine;
  const VirtAddr area = machine.map_anonymous(3);
  machine.store(area + kPageSize, "x");
  machine.touch(area + 2 * kPageSize);
  const std::string text = dump_page_tables(kSubject, *machine.mm);
  const mmu::Pte written = *machine.mm->tables().find(area + kPageSize);
  const mmu::Pte read = *machine.mm->tables().find(area + 2 * kPageSize);
  CHECK(has(text, fmt::format("cr3 {:08x}: page directory; 1 page tables\n",
                              PhysAddr(machine.mm->tables().directory()).value())));
  CHECK(has(text, fmt::format("\npde 100    40000000  {:08x}  present writable user",
                              machine.mm->tables().directory_entry(area).raw())));
  CHECK(has(text, fmt::format("\n  pte 001  40001000  {:08x}  {}; frame {:#x}; rw-p anonymous\n", written.raw(),
                              describe_entry(written, mmu::NoExecute::kUnsupported), written.pfn().value())));
  CHECK(
      has(text, fmt::format("\n  pte 002  40002000  {:08x}  {}; zero page, frame {:#x}; rw-p anonymous\n", read.raw(),
                            describe_entry(read, mmu::NoExecute::kUnsupported), machine.memory().zero_page().value())));
  CHECK_FALSE(has(text, "40000000  00000000"));
  CHECK(has(text, "\npde 300    c0000000"));
  CHECK(has(text, "kernel direct map\n"));
}

TEST_CASE("dump: a walk ends in a physical address or in the error code of the fault") {
  SmallMachine machine;
  const VirtAddr area = machine.map_anonymous(3);
  machine.touch(area);
  const std::string present = dump_walk(kSubject, *machine.mm, area + 0x123);
  const mmu::Pte pte = *machine.mm->tables().find(area);
  CHECK(has(present, "walk of 40000123 in process 7 (demo)\n"));
  CHECK(has(present, "directory index 0x100, table index 0x0, offset 0x123\n"));
  CHECK(has(present, fmt::format("  physical   {:08x}\n", PhysAddr(pte.pfn()).value() + 0x123)));
  CHECK(has(present, "  user read  allowed\n"));
  CHECK(has(present, "  user write page fault, error code 0x7 (protection, write, user), cr2 40000123\n"));
  CHECK(has(present, "  user fetch allowed\n"));
  CHECK(has(present, "  mapping    40000000-40003000 rw-p anonymous\n"));

  const std::string absent = dump_walk(kSubject, *machine.mm, area + kPageSize);
  CHECK(has(absent, "user write page fault, error code 0x6 (not present, write, user)"));
  CHECK_FALSE(has(absent, "physical"));

  const std::string unmapped = dump_walk(kSubject, *machine.mm, VirtAddr(0x1000));
  CHECK(has(unmapped, " = 00000000: empty\n"));
  CHECK_FALSE(has(unmapped, "  pte "));
  CHECK(has(unmapped, "  mapping    none\n"));

  const std::string kernel = dump_walk(kSubject, *machine.mm, VirtAddr(0xC0001234));
  CHECK(has(kernel, "4-MiB"));
  CHECK(has(kernel, "  physical   00001234\n"));
  CHECK(has(kernel, "user read  page fault, error code 0x5 (protection, read, user)"));
  CHECK(has(kernel, "  mapping    the kernel's\n"));
}

TEST_CASE("dump: describing an address space changes no entry and counts no fault") {
  SmallMachine machine;
  const VirtAddr area = machine.map_anonymous(2);
  machine.touch(area);
  const mmu::Pte before = *machine.mm->tables().find(area);
  const uint64_t faults = machine.memory().faults().minor;
  dump_page_tables(kSubject, *machine.mm);
  dump_walk(kSubject, *machine.mm, area);
  dump_walk(kSubject, *machine.mm, area + kPageSize);
  CHECK(*machine.mm->tables().find(area) == before);
  CHECK(machine.memory().faults().minor == faults);
}

TEST_CASE("dump: a collector describes the processes that were asked for and names those that never were") {
  SmallMachine machine;
  machine.map_anonymous(1);
  LoneTask task, thread;
  task->tid = task->tgid = thread->tgid = 7;
  thread->tid = 8;
  task->comm = "demo";
  task->mm = thread->mm = machine.mm;
  DumpCollector collector({{.kind = DumpRequest::Kind::kMaps},
                           {.kind = DumpRequest::Kind::kMaps, .pid = 9},
                           {.kind = DumpRequest::Kind::kWalk, .addr = VirtAddr(0x1000)}});
  collector.on_exit(*thread);
  collector.on_exit(*task);
  CHECK(collector.finish(machine.memory()) == dump_maps(kSubject, *machine.mm) +
                                                  dump_walk(kSubject, *machine.mm, VirtAddr(0x1000)) +
                                                  "faultline: nothing to dump: there was no process 9\n");
}

TEST_CASE("dump: a report about the machine is asked for by name and made at the end") {
  SmallMachine machine;
  const auto requests = parse_dump_spec("meminfo");
  REQUIRE(requests.has_value());
  DumpCollector collector(*requests);
  const VirtAddr area = machine.map_anonymous(1);
  const std::string before = "meminfo:\n" + vm::find_memory_report("meminfo")->text(machine.memory());
  machine.store(area, "x");
  CHECK(collector.finish(machine.memory()) != before);
}

}  // namespace fl::emu
