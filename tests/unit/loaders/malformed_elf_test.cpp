// The loaders' parsers on damaged files: whatever is in them, the answer is an error or a plan that keeps its promises.
// Run it under ASan and UBSan too (preset asan).
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <set>

#include "loaders/elf/elf.hpp"
#include "loaders/elf/symbols.hpp"
#include "loaders/script.hpp"
#include "mmu/layout.hpp"
#include "tests/support/good_elf.hpp"

namespace fl::loaders {
namespace {

// What plan_elf promises; `exec` relies on it.
void check_plan(const ElfPlan& plan) {
  uint64_t end_of_all = 0;
  for (const ElfSegment& segment : plan.segments) {
    const uint64_t map_end = uint64_t{segment.map_start.value()} + segment.map_size;
    const uint64_t bss_end = uint64_t{segment.bss_start.value()} + segment.bss_size;
    CHECK(segment.map_start.page_aligned());
    CHECK(segment.map_size % kPageSize == 0);
    CHECK(segment.file_offset % kPageSize == 0);
    CHECK(map_end <= mmu::kTaskSize);
    CHECK(segment.bss_start.page_aligned());
    CHECK(segment.bss_size % kPageSize == 0);
    CHECK(bss_end <= mmu::kTaskSize);
    if (segment.zero_size != 0) {
      CHECK(segment.zero_size < kPageSize);
      CHECK(segment.zero_start > segment.map_start);
      CHECK(uint64_t{segment.zero_start.value()} + segment.zero_size == map_end);
    }
    if (segment.bss_size != 0 && segment.map_size != 0) {
      CHECK(segment.bss_start.value() == map_end);
    }
    CHECK(segment.map_start >= plan.start);
    end_of_all = std::max({end_of_all, map_end, bss_end});
  }
  CHECK(page_align_up(plan.end_bss.value()) >= end_of_all);
  CHECK(plan.alignment >= kPageSize);
  CHECK((plan.alignment & (plan.alignment - 1)) == 0);
}

// True if the file has a plan by the rules of that kernel.
bool has_plan(const FileReader& file, vm::ElfLoading loading) {
  const auto image = parse_elf(file, loading);
  if (!image) {
    CHECK((image.error() == Errno::kENOEXEC || image.error() == Errno::kEIO));
    return false;
  }
  const auto plan = plan_elf(*image, mmu::kTaskSize);
  if (!plan) {
    CHECK(plan.error() == Errno::kEINVAL);
    return false;
  }
  check_plan(*plan);
  return true;
}

// Gives the file to every parser of the loaders. True if it has a plan on some kernel.
bool survives(const test::Bytes& bytes) {
  const MemoryReader file(bytes);
  const ElfSymbols symbols = ElfSymbols::read(file);
  for (const uint32_t address :
       {0u, test::kTextAddress + test::kTextOffset, test::kDataAddress, 0x80000000u, 0xffffffffu}) {
    if (const auto location = symbols.lookup(VirtAddr(address))) {
      CHECK_FALSE(location->name.empty());
      CHECK(location->name.size() <= ElfSymbols::kMaxNameLength);
    }
  }
  const auto header = read_exec_header(file);
  REQUIRE(header.has_value());
  CHECK((!parse_script(*header).has_value() || (*header)[0] == std::byte{'#'}));

  const bool on_6_1 = has_plan(file, vm::ElfLoading::k6_1);
  const bool on_6_18 = has_plan(file, vm::ElfLoading::k6_18);
  return on_6_1 || on_6_18;
}

TEST_CASE("malformed elf: there are at least 200 different files, each with a name of its own") {
  const auto files = test::malformed_elf_files();
  std::set<std::string> names;
  std::set<test::Bytes> contents;
  for (const auto& file : files) {
    names.insert(file.name);
    CHECK(file.name.find('/') == std::string::npos);
    contents.insert(file.bytes);
  }
  CHECK(names.size() == files.size());
  CHECK(contents.size() >= 200);
}

TEST_CASE("malformed elf: every damaged file is refused or has a sound plan") {
  size_t refused = 0;
  size_t planned = 0;
  for (const auto& file : test::malformed_elf_files()) {
    INFO(file.name);
    ++(survives(file.bytes) ? planned : refused);
  }
  // Both answers must occur, or the files test nothing.
  CHECK(refused >= 100);
  CHECK(planned >= 50);
}

TEST_CASE("malformed elf: 1000 random mutations are refused or have a sound plan") {
  size_t planned = 0;
  for (const auto& file : test::mutated_elf_files(1000, 1)) {
    INFO(file.name);
    planned += survives(file.bytes) ? 1 : 0;
  }
  CHECK(planned > 0);
  CHECK(planned < 1000);
}

TEST_CASE("malformed elf: a file cut anywhere is refused or has a sound plan") {
  const test::Bytes good = test::good_elf();
  for (size_t length = 0; length < good.size(); ++length) {
    INFO(length);
    const bool planned = survives(test::Bytes(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(length)));
    const size_t headers = test::kProgramHeaderOffset + test::kProgramHeaderCount * sizeof(ElfProgramHeader);
    CHECK(planned == (length >= headers));
  }
}

TEST_CASE("malformed elf: the same calls give the same files") {
  const auto first = test::mutated_elf_files(50, 7);
  const auto second = test::mutated_elf_files(50, 7);
  const auto other = test::mutated_elf_files(50, 8);
  for (size_t i = 0; i < first.size(); ++i) {
    CHECK(first[i].bytes == second[i].bytes);
  }
  CHECK_FALSE(std::equal(first.begin(), first.end(), other.begin(),
                         [](const auto& a, const auto& b) { return a.bytes == b.bytes; }));
}

}  // namespace
}  // namespace fl::loaders
