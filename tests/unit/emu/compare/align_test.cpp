// align: one list against another, task by task, and what each kind of difference is called.
#include "emu/compare/align.hpp"

#include <catch2/catch_test_macros.hpp>
#include <chrono>

namespace fl::emu {
namespace {

using vm::FaultMode;

ListedFault fault(uint32_t page, uint8_t access = access_bits::kWrite, FaultMode mode = FaultMode::kUser) {
  return {.mode = mode, .access = access, .addr = page << 12};
}

FaultList list(std::vector<ListedFault> faults) { return {.processes = {{-1, 0}}, .faults = std::move(faults)}; }

// The relations in order, a letter each: = other-Task Order Kind Missing eXtra.
std::string shape(const Alignment& alignment) {
  std::string text;
  for (const AlignedFault& aligned : alignment.faults) {
    text += "=TOKMX"[static_cast<size_t>(aligned.relation)];
  }
  return text;
}

std::string shape(std::vector<ListedFault> real, std::vector<ListedFault> ours) {
  return shape(align(list(std::move(real)), list(std::move(ours))));
}

}  // namespace

TEST_CASE("align: equal lists are equal, and empty ones too") {
  CHECK(shape({}, {}).empty());
  const Alignment alignment = align(list({fault(1), fault(2)}), list({fault(1), fault(2)}));
  CHECK(shape(alignment) == "==");
  CHECK(alignment.differences(Level::kOrder) == 0);
  CHECK(alignment.faults[1].real == 1);
  CHECK(alignment.faults[1].ours == 1);
  CHECK_FALSE(alignment.coarse);
}

TEST_CASE("align: a fault that is missing or extra stands where it would be") {
  CHECK(shape({fault(1), fault(2), fault(3)}, {fault(1), fault(3)}) == "=M=");
  CHECK(shape({fault(1), fault(3)}, {fault(1), fault(2), fault(3)}) == "=X=");
  CHECK(shape({fault(1)}, {}) == "M");
  CHECK(shape({}, {fault(1)}) == "X");
}

TEST_CASE("align: two faults that changed places differ in order only") {
  const Alignment alignment = align(list({fault(1), fault(2), fault(3)}), list({fault(1), fault(3), fault(2)}));
  CHECK(alignment.of(Relation::kEqual) == 2);
  CHECK(alignment.of(Relation::kOrder) == 1);
  CHECK(alignment.faults.size() == 3);
  CHECK(alignment.differences(Level::kOrder) == 1);
  CHECK(alignment.differences(Level::kPages) == 0);
}

TEST_CASE("align: the same page with another mode, access or kind is one difference") {
  ListedFault major = fault(1);
  major.major = true;
  CHECK(shape({major, fault(2)}, {fault(1), fault(2)}) == "K=");
  CHECK(shape({fault(1, access_bits::kRead), fault(2)}, {fault(1), fault(2)}) == "K=");
  CHECK(shape({fault(1, access_bits::kWrite, FaultMode::kKernel), fault(2)}, {fault(1), fault(2)}) == "K=");
  // A read-modify-write that one side splits: the write is the same, the read is extra.
  CHECK(shape({fault(1)}, {fault(1, access_bits::kRead), fault(1)}) == "X=");
}

TEST_CASE("align: an access that the reference does not know is equal to each") {
  CHECK(shape({fault(1, access_bits::kAny)}, {fault(1, access_bits::kExec)}) == "=");
  const uint8_t read_or_exec = access_bits::kRead | access_bits::kExec;
  CHECK(shape({fault(1, read_or_exec)}, {fault(1, access_bits::kExec)}) == "=");
  CHECK(shape({fault(1, read_or_exec)}, {fault(1, access_bits::kWrite)}) == "K");
  // Elsewhere in the list: who is sure of its access chooses before who is not.
  const std::vector<ListedFault> real{fault(9, access_bits::kAny), fault(9, access_bits::kRead), fault(1), fault(2),
                                      fault(3)};
  const std::vector<ListedFault> ours{fault(1), fault(2), fault(3), fault(9, access_bits::kRead), fault(9)};
  CHECK(shape(real, ours) == "OO===");
}

TEST_CASE("align: tasks are aligned one by one, however they take turns") {
  const auto of = [](uint32_t task, uint32_t page) {
    ListedFault one = fault(page);
    one.task = task;
    return one;
  };
  CHECK(shape({of(0, 1), of(1, 11), of(0, 2), of(1, 12)}, {of(0, 1), of(0, 2), of(1, 11), of(1, 12)}) == "====");
  // Who of two threads touches a shared page first changes no page, but both lists.
  const Alignment alignment = align(list({of(0, 1), of(1, 11), of(0, 5)}), list({of(0, 1), of(1, 11), of(1, 5)}));
  CHECK(alignment.of(Relation::kOtherTask) == 1);
  CHECK(alignment.differences(Level::kOrder) == 1);
  CHECK(alignment.differences(Level::kPages) == 0);
}

TEST_CASE("align: processes are matched by their place in the tree, not by when they appear") {
  const std::vector<ListedProcess> real{{-1, 0}, {0, 0}, {0, 1}, {1, 0}};
  const std::vector<ListedProcess> ours{{-1, 0}, {0, 0}, {1, 0}, {0, 1}};
  CHECK(match_processes(real, ours) == std::vector<uint32_t>{0, 1, 3, 2});
  CHECK(match_processes(real, {{-1, 0}}) == std::vector<uint32_t>{0, kNoIndex, kNoIndex, kNoIndex});

  FaultList first{real, {}}, second{ours, {}};
  for (uint32_t i = 0; i < 4; ++i) {
    first.faults.push_back(fault(10 + i));
    first.faults.back().process = i;
    second.faults.push_back(fault(10 + (i < 2 ? i : 5 - i)));
    second.faults.back().process = i;
  }
  CHECK(shape(align(first, second)) == "====");
  // A process that is on one side only.
  second.processes.pop_back();
  second.faults.pop_back();
  CHECK(shape(align(first, second)) == "==M=");
  CHECK(shape(align(second, first)) == "===X");
}

TEST_CASE("align: 300,000 faults with few differences take less than a second") {
  std::vector<ListedFault> real;
  for (uint32_t i = 0; i < 300'000; ++i) {
    real.push_back(fault(0x10000 + i % 70'000));
  }
  std::vector<ListedFault> ours = real;
  ours.erase(ours.begin() + 1000);
  ours.insert(ours.begin() + 200'000, fault(5));
  std::swap(ours[100'000], ours[100'001]);
  const FaultList first = list(std::move(real)), second = list(std::move(ours));
  const auto began = std::chrono::steady_clock::now();
  const Alignment alignment = align(first, second);
  CHECK(std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count() < 1);
  CHECK(alignment.of(Relation::kMissing) == 1);
  CHECK(alignment.of(Relation::kExtra) == 1);
  CHECK(alignment.of(Relation::kOrder) == 1);
  CHECK(alignment.of(Relation::kEqual) == 299'998);
}

}  // namespace fl::emu
