// diff: known edit distances, random lists against the quadratic algorithm, and lists too long for anything but a
// search that gives up in time.
#include "emu/compare/diff.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <random>
#include <string_view>

namespace fl::emu {
namespace {

std::vector<DiffKey> keys(std::string_view text) {
  std::vector<DiffKey> list;
  for (const char c : text) {
    list.push_back({static_cast<uint32_t>(c), 7});
  }
  return list;
}

size_t paired(const DiffResult& result) {
  return static_cast<size_t>(std::count_if(result.partner.begin(), result.partner.end(),
                                           [](uint32_t partner) { return partner != DiffResult::kNone; }));
}

// Partners match, ascend, and lie within the second list.
void check_valid(const std::vector<DiffKey>& first, const std::vector<DiffKey>& second, const DiffResult& result) {
  REQUIRE(result.partner.size() == first.size());
  int64_t last = -1;
  for (size_t i = 0; i < first.size(); ++i) {
    if (const uint32_t partner = result.partner[i]; partner != DiffResult::kNone) {
      REQUIRE(partner < second.size());
      REQUIRE(first[i].matches(second[partner]));
      REQUIRE(static_cast<int64_t>(partner) > last);
      last = partner;
    }
  }
}

size_t longest_common(const std::vector<DiffKey>& first, const std::vector<DiffKey>& second) {
  std::vector<size_t> row(second.size() + 1), next(second.size() + 1);
  for (const DiffKey& a : first) {
    for (size_t j = 0; j < second.size(); ++j) {
      next[j + 1] = a.matches(second[j]) ? row[j] + 1 : std::max(row[j + 1], next[j]);
    }
    row = next;
  }
  return row.back();
}

std::vector<DiffKey> random_list(std::mt19937& random, size_t length, uint32_t values, bool choices) {
  std::vector<DiffKey> list(length);
  for (DiffKey& key : list) {
    key.base = random() % values;
    key.choices = static_cast<uint8_t>(choices ? 1 + random() % 7 : 1);
  }
  return list;
}

double seconds_of(const std::vector<DiffKey>& first, const std::vector<DiffKey>& second, DiffResult& result) {
  const auto began = std::chrono::steady_clock::now();
  result = diff(first, second);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
}

}  // namespace

TEST_CASE("diff: known pairs of lists leave over what they must") {
  CHECK(paired(diff(keys(""), keys(""))) == 0);
  CHECK(paired(diff(keys("abc"), keys(""))) == 0);
  CHECK(paired(diff(keys(""), keys("abc"))) == 0);
  CHECK(paired(diff(keys("abc"), keys("abc"))) == 3);
  CHECK(paired(diff(keys("abc"), keys("xyz"))) == 0);
  CHECK(paired(diff(keys("abcabba"), keys("cbabac"))) == 4);
  const DiffResult missing = diff(keys("abcd"), keys("abd"));
  CHECK(missing.partner == std::vector<uint32_t>{0, 1, DiffResult::kNone, 2});
  const DiffResult extra = diff(keys("abd"), keys("abxd"));
  CHECK(extra.partner == std::vector<uint32_t>{0, 1, 3});
}

TEST_CASE("diff: what is not known matches every choice") {
  const std::vector<DiffKey> known{{1, 1}, {1, 2}}, unknown{{1, 7}, {1, 7}};
  CHECK(paired(diff(known, unknown)) == 2);
  CHECK(paired(diff(known, std::vector<DiffKey>{{1, 2}, {1, 1}})) == 1);
}

TEST_CASE("diff: random lists are paired as the quadratic algorithm does") {
  std::mt19937 random(7);
  for (int round = 0; round < 1500; ++round) {
    const uint32_t values = 1 + random() % 8;
    const bool choices = random() % 2 != 0;
    const auto first = random_list(random, random() % 40, values, choices);
    const auto second = random_list(random, random() % 40, values, choices);
    const DiffResult result = diff(first, second);
    check_valid(first, second, result);
    REQUIRE(result.shortest);
    REQUIRE(paired(result) == longest_common(first, second));
  }
}

TEST_CASE("diff: 300,000 elements with few differences are paired exactly in less than a second") {
  std::mt19937 random(1);
  const auto first = random_list(random, 300'000, 100'000, false);
  auto second = first;
  for (size_t i = 0; i < 50; ++i) {
    second.erase(second.begin() + static_cast<ptrdiff_t>(random() % second.size()));
    second.insert(second.begin() + static_cast<ptrdiff_t>(random() % second.size()), {200'000, 1});
  }
  DiffResult result;
  const double seconds = seconds_of(first, second, result);
  check_valid(first, second, result);
  CHECK(result.shortest);
  CHECK(paired(result) == 300'000 - 50);
  CHECK(seconds < 1);
}

TEST_CASE("diff: 300,000 elements that have little or nothing in common end soon, and say that it was cut short") {
  std::mt19937 random(2);
  const auto first = random_list(random, 300'000, 1000, false);
  auto second = random_list(random, 300'000, 1000, false);
  DiffResult result;
  CHECK(seconds_of(first, second, result) < 5);
  check_valid(first, second, result);
  CHECK_FALSE(result.shortest);
  for (DiffKey& key : second) {
    key.base += 1000;
  }
  CHECK(seconds_of(first, second, result) < 5);
  CHECK(paired(result) == 0);
}

}  // namespace fl::emu
