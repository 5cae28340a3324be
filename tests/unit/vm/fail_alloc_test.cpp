// Failing on purpose: which allocations fail in each mode.
#include "vm/phys/fail_alloc.hpp"

#include <catch2/catch_test_macros.hpp>
#include <vector>

namespace fl::vm::test {
namespace {

// The numbers, from 1, of those of the next `count` allocations that fail.
std::vector<int> failing(FailAlloc& failing, int count) {
  std::vector<int> numbers;
  for (int i = 1; i <= count; ++i) {
    if (failing.should_fail()) {
      numbers.push_back(i);
    }
  }
  return numbers;
}
using Numbers = std::vector<int>;

}  // namespace

TEST_CASE("fail_alloc: off unless told otherwise") {
  FailAlloc fails;
  CHECK_FALSE(fails.armed());
  CHECK(failing(fails, 1000).empty());
  CHECK(fails.failures() == 0);
}

TEST_CASE("fail_alloc: the n-th fails, once") {
  FailAlloc fails;
  fails.fail_nth(3);
  CHECK(fails.armed());
  CHECK(failing(fails, 10) == Numbers{3});
  CHECK_FALSE(fails.armed());
  fails.fail_nth(1);
  CHECK(failing(fails, 10) == Numbers{1});
  fails.fail_nth(5);
  fails.off();
  CHECK(failing(fails, 10).empty());
  CHECK(fails.failures() == 2);
}

TEST_CASE("fail_alloc: every n-th fails") {
  FailAlloc fails;
  fails.fail_every(4);
  CHECK(failing(fails, 13) == Numbers{4, 8, 12});
  fails.fail_every(1);
  CHECK(failing(fails, 3) == Numbers{1, 2, 3});
}

TEST_CASE("fail_alloc: a probability is kept to, and a seed names the run") {
  FailAlloc fails;
  fails.fail_with_probability(0.1, 7);
  const Numbers first = failing(fails, 10000);
  CHECK(first.size() > 850);
  CHECK(first.size() < 1150);
  fails.fail_with_probability(0.1, 7);
  CHECK(failing(fails, 10000) == first);
  fails.fail_with_probability(0.1, 8);
  CHECK(failing(fails, 10000) != first);
  fails.fail_with_probability(1, 1);
  CHECK(failing(fails, 3) == Numbers{1, 2, 3});
  fails.fail_with_probability(0, 1);
  CHECK(failing(fails, 1000).empty());
}

TEST_CASE("fail_alloc: the text forms, and what is refused") {
  FailAlloc fails;
  REQUIRE(fails.configure("nth=2", 0));
  CHECK(failing(fails, 5) == Numbers{2});
  REQUIRE(fails.configure("every=2", 0));
  CHECK(failing(fails, 5) == Numbers{2, 4});
  REQUIRE(fails.configure("p=0.5", 1));
  CHECK(failing(fails, 100).size() > 20);
  for (const char* bad : {"", "nth", "nth=", "nth=0", "nth=x", "nth=1x", "nth=-1", "every=0", "p=2", "p=-0.1", "p=x",
                          "p=nan", "p=1e-30", "q=1", "=1"}) {
    INFO(bad);
    CHECK(fails.configure(bad, 0).error() == Errno::kEINVAL);
  }
}

TEST_CASE("fail-alloc: it tells how many allocations asked, and how many failed") {
  FailAlloc failing;
  CHECK(failing.asked() == 0);
  CHECK_FALSE(failing.should_fail());
  CHECK(failing.asked() == 0);  // not armed
  failing.fail_every(3);
  for (int i = 0; i < 10; ++i) {
    failing.should_fail();
  }
  CHECK(failing.asked() == 10);
  CHECK(failing.failures() == 3);
  failing.fail_nth(2);
  for (int i = 0; i < 10; ++i) {
    failing.should_fail();
  }
  CHECK(failing.asked() == 12);  // off after its one failure
  CHECK(failing.failures() == 4);
}

}  // namespace fl::vm::test
