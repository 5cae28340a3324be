// Comparison on hand-made records and runs: verdicts at each level, what a reference cannot see, hints, both reports.
#include "emu/compare/comparison.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "emu/compare/hints.hpp"
#include "emu/compare/report.hpp"

namespace fl::emu {
namespace {

using Catch::Matchers::ContainsSubstring;
using mmu::Access;
using vm::FaultMode;

constexpr uint32_t kText = 0x08049000, kHeap = 0x080f1000, kStack = 0xbfffd000, kShift = 0x40000000;

// A program with a text, a heap and a stack page, on both sides.
struct Sides {
  NativeRecord record;
  OurRun run;
  ComparisonContext context;

  Sides() {
    record.kernel = {.release = "6.18.44", .version = "", .machine = "x86_64", .thp = "madvise"};
    record.runs = record.agreeing = 5;
    record.date = "2026-01-02T03:04:05Z";
    record.command = {"/bin/program"};
    record.processes.resize(1);
    run.names = {"/bin/program", "[heap]", "[stack]", "main", "[vdso]"};
    run.areas = {{kText, kText + 0x10000, {'r', '-', 'x', 'p'}, 0, 1},
                 {kHeap, kHeap + 0x21000, {'r', 'w', '-', 'p'}, 1, 0},
                 {kStack, kStack + 0x1000, {'r', 'w', '-', 'p'}, 2, 0},
                 {0xb7ffc000, 0xb7ffe000, {'r', '-', 'x', 'p'}, 4, 0}};
    run.processes.resize(1);
    context.profile = &vm::KernelProfile::compat_6_18();
    context.source = "recorded live";
    add_ours(FaultMode::kGup, Access::kWrite, kStack, 2);
    record.minflt = record.gup_faults = 1;
    add(FaultMode::kUser, Access::kFetch, kText, 0);
    add(FaultMode::kKernel, Access::kWrite, kHeap, 1);
  }
  void add_real(FaultMode mode, std::optional<Access> access, uint32_t addr) {
    record.faults.push_back({.mode = mode, .access = access, .addr = addr >= 0x80000000 ? addr + kShift : addr});
    ++record.minflt;
  }
  void add_ours(FaultMode mode, Access access, uint32_t addr, uint32_t area) {
    OurFault fault;
    fault.mode = mode;
    fault.access = access;
    fault.addr = addr;
    fault.area = area;
    fault.cause = vm::FaultCause::kAnon;
    fault.ip = kText + 0x20;
    fault.symbol = 3;
    fault.symbol_offset = 0x20;
    fault.code = {0x40};  // inc eax
    fault.code_bytes = 1;
    run.faults.push_back(fault);
    ++run.minflt;
  }
  void add(FaultMode mode, Access access, uint32_t addr, uint32_t area) {
    add_real(mode, access, addr);
    add_ours(mode, access, addr, area);
  }
  Comparison compare(Level level = Level::kOrder) {
    context.level = level;
    return {record, run, context};
  }
};

std::string all_hints(const Comparison& comparison) {
  std::string text;
  for (const std::string& hint : comparison_hints(comparison)) {
    text += hint + "\n";
  }
  return text;
}

nlohmann::json json_of(const Comparison& comparison) {
  std::string directory = (std::filesystem::temp_directory_path() / "faultline-test-XXXXXX").string();
  REQUIRE(mkdtemp(directory.data()) != nullptr);
  const std::string path = directory + "/c.json";
  auto file = OutputFile::create(path, "comparison");
  REQUIRE(file.has_value());
  (*file)->begin();
  write_comparison_json(comparison, **file);
  REQUIRE((*file)->close().has_value());
  std::ifstream in(path);
  auto json = nlohmann::json::parse(in);
  std::filesystem::remove_all(directory);
  return json;
}

}  // namespace

TEST_CASE("comparison: the same faults are equal, also where the profile places the stack lower") {
  Sides sides;
  sides.add(FaultMode::kUser, Access::kWrite, kStack, 2);
  const Comparison comparison = sides.compare();
  CHECK(comparison.verdict == Verdict::kEqual);
  CHECK(comparison.summary == "equal: 4 = 4 faults, in the same order");
  CHECK(comparison.same_output);
  CHECK(comparison.gup.real == 1);
  CHECK(comparison.gup.ours == 1);
  CHECK(all_hints(comparison).empty());
  const std::string text = comparison_text(comparison, Detail::kFirst);
  CHECK_THAT(text, ContainsSubstring("minor                                  4           4\n"));
  CHECK_THAT(text, ContainsSubstring("  r-xp program                         1           1\n"));
  CHECK_THAT(text, ContainsSubstring("  rw-p [heap]                          1           1\n"));
  CHECK_THAT(text, !ContainsSubstring("missing") && !ContainsSubstring("<--"));
}

TEST_CASE("comparison: an extra fault is named with page, area, instruction, symbol and cause") {
  Sides sides;
  sides.add_ours(FaultMode::kUser, Access::kWrite, kHeap + 0x3123, 1);
  const Comparison comparison = sides.compare();
  CHECK(comparison.verdict == Verdict::kDifferent);
  CHECK(comparison.summary == "different: 1 extra here; 4 minor faults here, 3 on real Linux");
  const std::string text = comparison_text(comparison, Detail::kFirst);
  CHECK_THAT(text, ContainsSubstring("extra here, fault 2 here, after write 0x080f1000\n"));
  CHECK_THAT(text, ContainsSubstring("  here      user   write page 0x080f4000 minor: anon\n"));
  CHECK_THAT(text, ContainsSubstring("  at        0x08049020 main+0x20 [inc eax]\n"));
  CHECK_THAT(text, ContainsSubstring("  vma       0x080f1000-0x08112000 rw-p [heap]+0x0\n"));
  const nlohmann::json json = json_of(comparison);
  CHECK(json["verdict"] == "different");
  CHECK(json["minor"]["real"] == 3);
  CHECK(json["minor"]["here"] == 4);
  REQUIRE(json["faults"].size() == 3);
  CHECK(json["faults"][2]["relation"] == "extra");
  CHECK(json["faults"][2]["real"].is_null());
  CHECK(json["faults"][2]["here"]["addr"] == "0x080f4123");
  CHECK(json["faults"][2]["insn"] == "inc eax");
  CHECK(json["faults"][2]["sym"] == "main+0x20");
  CHECK(json["faults"][2]["vma"]["name"] == "[heap]");
}

namespace {

// The program with two children on both sides; each has taken one fault of get_user_pages and one on the heap.
struct Family : Sides {
  Family() {
    run.names.insert(run.names.end(), {"sh", "cat"});
    run.processes[0].comm = 5;
    record.processes[0].comm = "sh";
    for (uint32_t child = 0; child < 2; ++child) {
      NativeProcess native;
      native.parent = 0;
      native.child = child;
      native.comm = "cat";
      native.tasks = {{200}};
      native.exit_status = 3;
      record.processes.push_back(native);
      OurProcess ours;
      ours.parent = 0;
      ours.child = child;
      ours.comm = 6;
      ours.exit_status = 3;
      run.processes.push_back(ours);
      ++record.minflt;
      ++record.gup_faults;
      add_ours(FaultMode::kGup, Access::kWrite, kStack, 2);
      run.faults.back().process = child + 1;
      add(FaultMode::kUser, Access::kWrite, kHeap + 0x1000, 1);
      record.faults.back().process = run.faults.back().process = child + 1;
    }
    for (uint32_t i = 0; i < 3; ++i) {
      record.processes[i].gup_faults = 1;
      record.processes[i].minflt = run.processes[i].minflt = i == 0 ? 3 : 2;
    }
  }
};

}  // namespace

TEST_CASE("comparison: of several processes each has its totals") {
  Family family;
  const Comparison same = family.compare();
  CHECK(same.summary == "equal: 7 = 7 faults of 3 processes, in the same order");
  CHECK(family.compare(Level::kTotal).summary ==
        "equal: 7 minor and 0 major faults, and as many in each of 3 processes");
  CHECK_THAT(comparison_text(same, Detail::kFirst),
             ContainsSubstring("by process\n  0 sh                                 3           3\n"
                               "    1 cat                              2           2\n"
                               "    2 cat                              2           2\n"));
  const nlohmann::json json = json_of(same);
  REQUIRE(json["processes"].size() == 3);
  CHECK(json["processes"][2]["minor"]["here"] == 2);
  CHECK(json["processes"][2]["parent"] == 0);
  CHECK(json["processes"][2]["exit_status"]["real"] == 3);

  // As many in all, but not where they were: a difference at every level.
  Family moved;
  --moved.run.processes[1].minflt;
  ++moved.run.processes[2].minflt;
  CHECK(moved.compare(Level::kTotal).summary == "different: 2 processes with other totals");
  CHECK_THAT(comparison_text(moved.compare(Level::kTotal), Detail::kFirst),
             ContainsSubstring("    1 cat                              2           1   <--\n"));
}

TEST_CASE("comparison: a process's other end, and one that is on one side only, are differences") {
  Family other;
  other.run.processes[2].exit_status = 128 + 9;
  CHECK(other.compare(Level::kTotal).summary == "different: 1 process with another exit status");
  CHECK_THAT(comparison_text(other.compare(Level::kTotal), Detail::kFirst),
             ContainsSubstring("   exit status 3 on real Linux, 137 here\n"));
  other.record.processes[2].exit_status = -1;
  CHECK(other.compare(Level::kTotal).verdict == Verdict::kEqual);

  Family orphan;
  orphan.run.processes[2].parent = 1;
  orphan.run.processes[2].child = 0;
  const Comparison comparison = orphan.compare();
  CHECK(comparison.verdict == Verdict::kDifferent);
  CHECK_THAT(comparison.summary, ContainsSubstring("1 missing here; 1 extra here") &&
                                     ContainsSubstring("1 process missing here; 1 process extra here"));
  CHECK_THAT(comparison_text(comparison, Detail::kFirst), ContainsSubstring(", process 2 (cat), before any equal one"));
}

TEST_CASE("comparison: where a record does not know a process's get_user_pages faults they are left out") {
  Family family;
  for (NativeProcess& process : family.record.processes) {
    process.gup_faults.reset();
    --process.minflt;
  }
  const Comparison comparison = family.compare();
  CHECK(comparison.verdict == Verdict::kEqual);
  CHECK_THAT(comparison_text(comparison, Detail::kFirst), ContainsSubstring("by process (without gup)\n"));
}

TEST_CASE("comparison: another thread's fault is a difference of order") {
  Sides sides;
  sides.record.processes[0].tasks = {{1}, {2}};
  sides.run.processes[0].tasks = 2;
  sides.add(FaultMode::kUser, Access::kWrite, kHeap + 0x5000, 1);
  sides.run.faults.back().task = 1;
  CHECK(sides.compare(Level::kPages).verdict == Verdict::kEqual);
  const Comparison comparison = sides.compare();
  CHECK(comparison.summary == "different: 1 by another thread");
  CHECK_THAT(comparison_text(comparison, Detail::kFirst),
             ContainsSubstring("by another thread here, fault 2 of real Linux, fault 2 here, thread 0, after"));
}

TEST_CASE("comparison: the level decides what counts as a difference") {
  Sides sides;
  sides.add_real(FaultMode::kUser, Access::kWrite, kHeap + 0x1000);
  sides.add(FaultMode::kUser, Access::kWrite, kHeap + 0x2000, 1);
  sides.add_ours(FaultMode::kUser, Access::kWrite, kHeap + 0x1000, 1);
  CHECK(sides.compare(Level::kOrder).verdict == Verdict::kDifferent);
  CHECK(sides.compare(Level::kPages).verdict == Verdict::kEqual);
  CHECK(sides.compare(Level::kTotal).verdict == Verdict::kEqual);
  // One page more on each side: only the totals are equal.
  sides.add_real(FaultMode::kUser, Access::kWrite, kHeap + 0x5000);
  sides.add_ours(FaultMode::kUser, Access::kWrite, kHeap + 0x6000, 1);
  CHECK(sides.compare(Level::kPages).verdict == Verdict::kDifferent);
  CHECK(sides.compare(Level::kTotal).verdict == Verdict::kEqual);
  sides.record.minflt += 1;
  CHECK(sides.compare(Level::kTotal).verdict == Verdict::kDifferent);
}

TEST_CASE("comparison: another exit status is a difference, another output a hint") {
  Sides sides;
  sides.run.output_bytes = 3;
  CHECK(sides.compare().verdict == Verdict::kEqual);
  CHECK_FALSE(sides.compare().same_output);
  CHECK_THAT(comparison_text(sides.compare(), Detail::kFirst),
             ContainsSubstring("output      differs: 0 bytes on real Linux, 3 here\n"));
  sides.run.exit_status = 139;
  CHECK(sides.compare().verdict == Verdict::kDifferent);
  CHECK_THAT(sides.compare().summary, ContainsSubstring("139 as exit status here, 0 on real Linux"));
  CHECK_THAT(all_hints(sides.compare()), ContainsSubstring("output differs (3 bytes here, 0 on real Linux)"));
}

TEST_CASE("comparison: hidden kernel-mode faults are left out, and then nothing is called equal") {
  Sides sides;
  sides.record.kernel_faults_seen = false;
  sides.record.gup_faults = 0;
  std::erase_if(sides.record.faults, [](const NativeFault& fault) { return fault.mode == FaultMode::kKernel; });
  const Comparison comparison = sides.compare();
  CHECK(comparison.verdict == Verdict::kUndecided);
  CHECK(comparison.summary == "user-mode faults equal: 1; kernel-mode faults: 2 in all on both sides");
  CHECK(sides.compare(Level::kPages).verdict == Verdict::kUndecided);
  CHECK(sides.compare(Level::kTotal).verdict == Verdict::kEqual);
  CHECK_THAT(all_hints(comparison), ContainsSubstring("perf_event_paranoid"));
  sides.add_ours(FaultMode::kUser, Access::kWrite, kHeap + 0x1000, 1);
  CHECK(sides.compare().verdict == Verdict::kDifferent);
}

TEST_CASE("comparison: get_user_pages faults are compared one by one where they were seen") {
  Sides sides;
  sides.record.gup = GupView::kFaults;
  sides.record.faults.insert(sides.record.faults.begin(),
                             {.mode = FaultMode::kGup, .access = Access::kWrite, .addr = kStack + kShift});
  CHECK(sides.compare().verdict == Verdict::kEqual);
  sides.record.faults[0].addr -= 0x1000;
  CHECK(sides.compare().verdict == Verdict::kDifferent);
  // Seen as a number only: one more is a difference although both totals are the same.
  Sides counted;
  counted.record.gup_faults = 2;
  CHECK(counted.compare().verdict == Verdict::kDifferent);
}

TEST_CASE("comparison: a reference without no-execute calls fetches reads") {
  Sides sides;
  sides.record.faults[0].access = Access::kRead;
  CHECK(sides.compare().verdict == Verdict::kEqual);
  // It does know fetches elsewhere.
  sides.add(FaultMode::kUser, Access::kFetch, kText + 0x5000, 0);
  CHECK(sides.compare().verdict == Verdict::kDifferent);
}

TEST_CASE("hints: each known reason is named where it applies") {
  Sides sides;
  const auto differing = [](Sides& one) { one.add_ours(FaultMode::kUser, Access::kWrite, kHeap + 0x7000, 1); };
  SECTION("host noise") {
    sides.record.faults[0].major = true;
    sides.record.agreeing = 2;
    const Comparison comparison = sides.compare();
    CHECK_THAT(all_hints(comparison), ContainsSubstring("only 2 of 5 native runs"));
    CHECK_THAT(fault_hint(comparison, comparison.alignment.faults[0]), ContainsSubstring("host noise"));
  }
  SECTION("a program that has changed") {
    sides.context.program_changed = true;
    CHECK_THAT(all_hints(sides.compare()), ContainsSubstring("file has changed"));
  }
  SECTION("ASLR") {
    sides.add_real(FaultMode::kUser, Access::kWrite, kStack - 0x100000);
    CHECK_THAT(all_hints(sides.compare()), ContainsSubstring("ASLR was on"));
    sides.add_real(FaultMode::kUser, Access::kWrite, kStack);
    CHECK_THAT(all_hints(sides.compare()), !ContainsSubstring("ASLR was on"));
  }
  SECTION("huge pages") {
    differing(sides);
    CHECK_THAT(all_hints(sides.compare()), !ContainsSubstring("huge pages"));
    sides.record.kernel.thp = "always";
    CHECK_THAT(all_hints(sides.compare()), ContainsSubstring("huge pages"));
  }
  SECTION("the buffer of standard output") {
    differing(sides);
    CHECK_THAT(all_hints(sides.compare()), !ContainsSubstring("st_blksize"));
    sides.add_real(FaultMode::kUser, Access::kWrite, kHeap + 0x8000);
    CHECK_THAT(all_hints(sides.compare()), ContainsSubstring("st_blksize"));
  }
  SECTION("a newer kernel, or another one than is imitated") {
    differing(sides);
    CHECK_THAT(all_hints(sides.compare()), !ContainsSubstring("newer"));
    sides.record.kernel.release = "7.0.1";
    CHECK_THAT(all_hints(sides.compare()), ContainsSubstring("7.0.1, is newer than profile 6.18-compat"));
    sides.record.kernel.machine = "i686";
    CHECK_THAT(all_hints(sides.compare()), ContainsSubstring("a kernel like 6.1-i386, imitated is 6.18-compat"));
  }
  SECTION("large folios") {
    sides.add_ours(FaultMode::kUser, Access::kFetch, kText + 0x5000, 0);
    sides.run.faults.back().cause = vm::FaultCause::kFileRead;
    const Comparison comparison = sides.compare();
    CHECK_THAT(fault_hint(comparison, comparison.alignment.faults.back()), ContainsSubstring("large folio"));
  }
  SECTION("QEMU's TCG") {
    sides.record.cpu.cpuid.push_back({.leaf = 0x40000000, .ebx = 0x54474354});
    sides.add_real(FaultMode::kUser, Access::kRead, kHeap + 0x1000);
    const Comparison comparison = sides.compare();
    CHECK_THAT(fault_hint(comparison, comparison.alignment.faults.back()), ContainsSubstring("TCG"));
  }
  SECTION("the vDSO's second page") {
    sides.add_real(FaultMode::kUser, Access::kFetch, 0xb7ffd000);
    const Comparison comparison = sides.compare();
    CHECK_THAT(fault_hint(comparison, comparison.alignment.faults.back()), ContainsSubstring("vDSO"));
  }
}

TEST_CASE("report: twenty differences are described unless all are asked for") {
  Sides sides;
  for (uint32_t i = 0; i < 25; ++i) {
    sides.add_ours(FaultMode::kUser, Access::kWrite, kHeap + 0x1000 + i * 0x1000, 1);
  }
  const Comparison comparison = sides.compare();
  const auto count = [&](Detail detail) {
    const std::string text = comparison_text(comparison, detail);
    size_t number = 0;
    for (size_t at = text.find("\nextra here"); at != std::string::npos; at = text.find("\nextra here", at + 1)) {
      ++number;
    }
    return number;
  };
  CHECK(count(Detail::kFirst) == 20);
  CHECK_THAT(comparison_text(comparison, Detail::kFirst), ContainsSubstring("... and 5 more differences: --all"));
  CHECK(count(Detail::kAll) == 25);
}

TEST_CASE("address map: stack, vDSO and mappings of one layout are found in the other") {
  const vm::KernelProfile& i386 = vm::KernelProfile::i386_6_1();
  const vm::KernelProfile& compat = vm::KernelProfile::compat_6_18();
  CHECK(AddressMap(i386, i386).identity());
  const AddressMap same(compat, compat);
  CHECK(same.to_ours(0xffffd000) == 0xbfffd000);
  CHECK(same.to_ours(0xf7ffc123) == 0xb7ffc123);
  CHECK(same.to_ours(0xf7ff5000) == 0xb7ff5000);
  CHECK(same.to_ours(0x08049000) == 0x08049000);
  CHECK(same.to_real(0xbfffd000) == 0xffffd000);
  const AddressMap other(i386, compat);            // a record of 6.1, imitated by 6.18-compat
  CHECK(other.to_ours(0xbffff000) == 0xbfffd000);  // the stack's highest page
  CHECK(other.to_ours(0xb7ffe000) == 0xb7ffc000);  // vDSO
  CHECK(other.to_ours(0xb7ffd000) == 0xb7ffb000);  // the last page of vvar
  CHECK(other.to_ours(0xb7ff9000) == 0xb7ff5000);  // the last page of the first mapping
  CHECK(other.to_ours(0x56555000) == 0x56555000);
  for (const uint32_t address : {0xbffff000u, 0xb7ffe123u, 0xb7ffd000u, 0xb7000000u, 0x08049000u}) {
    CHECK(other.to_real(other.to_ours(address)) == address);
  }
}

}  // namespace fl::emu
