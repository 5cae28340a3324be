// faultline::Vm, as an embedding program sees it.
#include <algorithm>
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <cstring>
#include <faultline/vm.hpp>
#include <optional>
#include <string>
#include <vector>

namespace {

using faultline::Access;
using faultline::FaultResult;
using faultline::kPageSize;
using faultline::MapFlag;
using faultline::Process;
using faultline::Protection;
using faultline::Vm;

// Touches each page once; "anon 3, cow_copy 1".
std::string causes(Process& process, uint32_t at, uint32_t pages, Access access) {
  std::map<std::string, int> counts;
  for (uint32_t page = 0; page < pages; ++page) {
    for (const faultline::Fault& fault : process.touch(at + page * kPageSize, access).faults) {
      ++counts[std::string(fault.cause)];
    }
  }
  std::string text;
  for (const auto& [cause, count] : counts) {
    text += (text.empty() ? "" : ", ") + cause + " " + std::to_string(count);
  }
  return text;
}

std::vector<std::byte> bytes_of(size_t pages, int value) {
  return std::vector<std::byte>(pages * kPageSize, static_cast<std::byte>(value));
}

}  // namespace

TEST_CASE("vm: anonymous memory faults as Linux has it, and the fault tells what it changed") {
  Vm vm = Vm::create({.ram_bytes = 8 << 20}).value();
  Process process = vm.new_process().value();
  const uint32_t at = process.map({.length = 4 * kPageSize}).value();
  faultline::Touch touch = process.touch(at + 5, Access::kRead);
  REQUIRE(touch);
  REQUIRE(touch.faults.size() == 1);
  const faultline::Fault read = touch.faults[0];
  CHECK(read.address == at + 5);
  CHECK(read.page() == at);
  CHECK(read.cause == "anon_zero");
  CHECK(read.result == FaultResult::kMinor);
  CHECK(read.mode == faultline::FaultMode::kUser);
  CHECK(read.entry_before == 0);
  CHECK((read.entry_after & faultline::EntryBit::kWritable) == 0);
  touch = process.touch(at + 5, Access::kWrite);
  REQUIRE(touch.faults.size() == 1);
  CHECK(touch.faults[0].cause == "zero_cow");
  CHECK(touch.faults[0].entry_before == (read.entry_after | faultline::EntryBit::kAccessed));
  CHECK(touch.physical == touch.faults[0].frame * kPageSize + 5);
  CHECK(process.touch(at, Access::kWrite).faults.empty());
  CHECK(causes(process, at, 4, Access::kWrite) == "anon 3");
  const faultline::Walk walk = process.walk(at + 5);
  CHECK(walk.allowed);
  CHECK(walk.physical == touch.physical);
  CHECK(process.use().resident == 4);
  CHECK(process.use().faults.minor == 5);
  CHECK(process.use().faults.by_cause ==
        std::map<std::string, uint64_t>{{"anon", 3}, {"anon_zero", 1}, {"zero_cow", 1}});
  CHECK(faultline::explain_cause("zero_cow").starts_with("write to a page that showed the zero page"));
  CHECK(vm.verify().empty());
}

TEST_CASE("vm: what Linux refuses is refused, with its reason") {
  Vm vm = Vm::create({.ram_bytes = 8 << 20}).value();
  Process process = vm.new_process().value();
  const auto refused = [&](uint32_t address, Access access) {
    const faultline::Touch touch = process.touch(address, access);
    CHECK_FALSE(touch);
    REQUIRE(touch.faults.size() == 1);
    CHECK_FALSE(touch.faults[0].counted());
    return touch.faults[0].result;
  };
  const uint32_t at = process.map({.length = kPageSize, .protection = Protection::kRead}).value();
  CHECK(refused(at, Access::kWrite) == FaultResult::kAccessError);
  CHECK(refused(0x1000, Access::kRead) == FaultResult::kMapError);
  CHECK(refused(faultline::kUserEnd + 5, Access::kRead) == FaultResult::kMapError);
  const faultline::File file = vm.new_file("short", bytes_of(1, 1)).value();
  const uint32_t beyond = process.map({.length = 2 * kPageSize, .flags = MapFlag::kShared, .file = &file}).value();
  CHECK(refused(beyond + kPageSize, Access::kRead) == FaultResult::kBusError);
  CHECK(process.map({.length = 0}).error().number == 22);
  CHECK(process.map({.length = 0}).error().message == "cannot map: EINVAL");
  CHECK(process.map({.length = kPageSize, .flags = MapFlag::kPrivate}).error().number == 9);  // no file
  CHECK(process.unmap(at + 1, kPageSize).error().number == 22);
  CHECK(process.protect(0x1000, kPageSize, Protection::kRead).error().number == 12);
  CHECK(process.use().faults.minor == 0);
  CHECK(vm.counters().faults.by_cause.at("segv_maperr") == 2);
  CHECK(vm.verify().empty());
}

TEST_CASE("vm: a child's first write copies, the parent's takes the page over; contents stay apart") {
  Vm vm = Vm::create({.ram_bytes = 8 << 20}).value();
  Process parent = vm.new_process().value();
  const uint32_t at = parent.map({.length = 8 * kPageSize}).value();
  REQUIRE(parent.write(at, bytes_of(8, 1)));
  {
    Process child = parent.fork().value();
    CHECK(causes(child, at, 8, Access::kRead).empty());
    CHECK(causes(child, at, 4, Access::kWrite) == "cow_copy 4");
    REQUIRE(child.write(at + 10, std::array{std::byte{9}}));
    CHECK(causes(parent, at, 8, Access::kWrite) == "cow_copy 4, cow_reuse 4");
    CHECK(vm.verify().empty());
  }
  std::array<std::byte, 20> seen{};
  REQUIRE(parent.read(at, seen));
  CHECK(std::all_of(seen.begin(), seen.end(), [](std::byte value) { return value == std::byte{1}; }));
  CHECK(vm.verify().empty());
}

TEST_CASE("vm: shared file pages reach the file when they are written back, private ones never") {
  Vm vm = Vm::create({.ram_bytes = 8 << 20}).value();
  Process process = vm.new_process().value();
  faultline::File file = vm.new_file("data", bytes_of(64, 7)).value();
  const uint32_t shared = process.map({.length = 64 * kPageSize, .flags = MapFlag::kShared, .file = &file}).value();
  const uint32_t copy =
      process.map({.length = 32 * kPageSize, .flags = MapFlag::kPrivate, .file = &file, .file_page = 32}).value();
  const faultline::Fault around = process.touch(shared, Access::kRead).faults.at(0);
  CHECK(around.cause == "file_read");
  CHECK(around.around_mapped > 1);
  CHECK(causes(process, copy, 2, Access::kWrite) == "file_cow 2");
  REQUIRE(process.write(copy, std::array{std::byte{1}}));
  REQUIRE(process.write(shared + 33 * kPageSize - 1, std::array{std::byte{2}, std::byte{3}}));
  CHECK(file.bytes()[33 * kPageSize - 1] == std::byte{7});
  REQUIRE(process.sync(shared, 64 * kPageSize));
  CHECK(file.bytes()[33 * kPageSize - 1] == std::byte{2});
  CHECK(file.bytes()[33 * kPageSize] == std::byte{3});
  CHECK(file.bytes()[32 * kPageSize] == std::byte{7});
  const std::vector<faultline::Area> areas = process.areas();
  REQUIRE(areas.size() == 2);
  CHECK(areas[0].name == "data");
  CHECK(areas[0].file_page == 32);
  CHECK(areas[1].permissions == "rw-s");
  REQUIRE(process.write(shared, std::array{std::byte{4}}));
  REQUIRE(file.sync());
  CHECK(file.bytes()[0] == std::byte{4});
  CHECK(vm.verify().empty());
}

TEST_CASE("vm: reclaim takes pages to swap, and each comes back with one fault and its contents") {
  Vm vm = Vm::create({.ram_bytes = 8 << 20, .swap_bytes = 8 << 20}).value();
  Process process = vm.new_process().value();
  const uint32_t at = process.map({.length = 256 * kPageSize}).value();
  for (uint32_t page = 0; page < 256; ++page) {
    REQUIRE(process.write(at + page * kPageSize, std::as_bytes(std::span(&page, 1))));
  }
  const uint32_t free = vm.counters().free;
  const uint32_t freed = vm.reclaim(100);
  CHECK(freed >= 100);
  CHECK(vm.counters().free == free + freed);
  const uint32_t swapped = process.use().swapped;
  CHECK(swapped >= 100);
  CHECK(vm.counters().swapped_out >= swapped);
  CHECK(vm.verify().empty());
  uint64_t faults = 0, major = 0;
  for (uint32_t page = 0; page < 256; ++page) {
    uint32_t value = 0;
    faultline::Touch touch = process.read(at + page * kPageSize, std::as_writable_bytes(std::span(&value, 1)));
    REQUIRE(touch);
    CHECK(value == page);
    faults += touch.faults.size();
    for (const faultline::Fault& fault : touch.faults) {
      major += fault.result == FaultResult::kMajor;
    }
  }
  CHECK(faults == swapped);
  CHECK(major > 0);
  CHECK(vm.counters().faults.major == major);
  CHECK(vm.verify().empty());
}

TEST_CASE("vm: more than RAM works with swap, and without it ends in no memory") {
  constexpr uint32_t kPages = 3000;  // of 2048 frames
  Vm large = Vm::create({.ram_bytes = 8 << 20, .swap_bytes = 16 << 20, .overcommit = true}).value();
  Process process = large.new_process().value();
  const uint32_t at = process.map({.length = kPages * kPageSize}).value();
  for (int round = 0; round < 2; ++round) {
    for (uint32_t page = 0; page < kPages; ++page) {
      REQUIRE(process.touch(at + page * kPageSize, Access::kWrite));
    }
  }
  CHECK(large.counters().faults.major > 100);
  CHECK(large.verify().empty());

  Vm small = Vm::create({.ram_bytes = 8 << 20, .overcommit = true}).value();
  Process other = small.new_process().value();
  const uint32_t there = other.map({.length = kPages * kPageSize}).value();
  uint32_t touched = 0;
  faultline::Touch last;
  do {
    last = other.touch(there + touched * kPageSize, Access::kWrite);
  } while (last && ++touched < kPages);
  CHECK(touched < 2048);
  REQUIRE_FALSE(last.faults.empty());
  CHECK(last.faults.back().result == FaultResult::kOutOfMemory);
  CHECK(small.verify().empty());
}

TEST_CASE("vm: machines do not see one another, and what comes from them may go in any order") {
  std::vector<std::string> alone, together;
  const auto work = [](Process& process, std::vector<std::string>& log) {
    const uint32_t at = process.map({.length = 32 * kPageSize}).value();
    log.push_back(std::to_string(at) + causes(process, at, 32, Access::kRead));
    log.push_back(causes(process, at, 32, Access::kWrite));
    log.push_back(std::to_string(process.walk(at).physical));
  };
  {
    Vm vm = Vm::create({.ram_bytes = 8 << 20}).value();
    Process process = vm.new_process().value();
    const faultline::File file = vm.new_file("f", bytes_of(2, 1)).value();
    work(process, alone);
  }
  std::optional<Vm> first = Vm::create({.ram_bytes = 8 << 20}).value();
  Vm second = Vm::create({.ram_bytes = 16 << 20, .kernel = "6.18-compat"}).value();
  std::optional<Process> one = first->new_process().value();
  Process two = second.new_process().value();
  std::vector<std::string> ignored;
  work(two, ignored);
  std::optional<faultline::File> file = first->new_file("f", bytes_of(2, 1)).value();
  first.reset();
  work(*one, together);
  CHECK(alone == together);
  one.reset();
  CHECK(file->size() == 2 * kPageSize);
  work(two, ignored);
  CHECK(second.verify().empty());
}

TEST_CASE("vm: a listener hears all faults, also those of calls; memory can be limited; /proc's files are there") {
  std::vector<faultline::Fault> heard;
  Vm vm = Vm::create({.ram_bytes = 16 << 20,
                      .swap_bytes = 8 << 20,
                      .memory_limit = 64 * kPageSize,
                      .on_fault = [&](const faultline::Fault& fault) { heard.push_back(fault); }})
              .value();
  Process process = vm.new_process().value();
  const uint32_t at =
      process.map({.length = 8 * kPageSize, .flags = MapFlag::kPrivate | MapFlag::kAnonymous | MapFlag::kPopulate})
          .value();
  CHECK(heard.size() == 8);
  CHECK(std::all_of(heard.begin(), heard.end(),
                    [](const faultline::Fault& fault) { return fault.mode == faultline::FaultMode::kGup; }));
  const uint32_t more = process.map({.length = 256 * kPageSize}).value();
  CHECK(causes(process, more, 256, Access::kWrite) == "anon 256");
  CHECK(process.use().resident <= 64);
  CHECK(process.use().swapped >= 8 + 256 - 64);
  CHECK(heard.size() == 8 + 256);
  REQUIRE(process.advise(at, 8 * kPageSize, faultline::Advice::kDontNeed));
  CHECK(process.remap(more, 256 * kPageSize, 512 * kPageSize).has_value());
  CHECK(vm.report("meminfo").value().starts_with("MemTotal:"));
  CHECK(vm.report("nonsense").error().number == 22);
  for (const std::string& name : Vm::report_names()) {
    CHECK(vm.report(name).has_value());
  }
  CHECK(vm.verify().empty());
}

TEST_CASE("vm: cold files are read from the disk first") {
  Vm vm = Vm::create({.ram_bytes = 16 << 20, .cold_files = true}).value();
  Process process = vm.new_process().value();
  const faultline::File file = vm.new_file("cold", bytes_of(64, 1)).value();
  const uint32_t at =
      process
          .map({.length = 64 * kPageSize, .protection = Protection::kRead, .flags = MapFlag::kPrivate, .file = &file})
          .value();
  CHECK(process.touch(at, Access::kRead).faults.at(0).result == FaultResult::kMajor);
  CHECK(file.cached_pages() > 1);
  CHECK(file.cached_pages() < 64);
}

TEST_CASE("vm: options that make no sense are refused, with one line") {
  CHECK(Vm::create({.kernel = "2.4"}).error().message == "cannot imitate the kernel: 2.4: 6.1-i386 or 6.18-compat");
  CHECK(Vm::create({.reclaim = "best"}).error().number == 22);
  CHECK(Vm::create({.ram_bytes = 12345}).error().number == 22);
  CHECK(Vm::create({.ram_bytes = 5ull << 30}).error().number == 22);
  CHECK(Vm::create({.ram_bytes = 16 << 12}).error().message.starts_with("cannot boot: 65536 bytes of RAM"));
  CHECK(Vm::create({.swap_bytes = 4096}).error().number == 22);
  CHECK(Vm::create({.nodes = 99}).error().number == 22);
}
