// Random calls of several processes against the naive model. A failure prints the seed and the few steps that bring it
// about; the same seed fails again.
#include <algorithm>
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <map>

#include "tests/unit/vm/model_script.hpp"

namespace fl::vm::test {
namespace {

const std::array<const KernelProfile*, 2> kProfiles{&KernelProfile::i386_6_1(), &KernelProfile::compat_6_18()};

// So many seeds of so many steps each, for both kernels.
uint32_t check_seeds(ModelSetup setup, uint32_t first_seed, uint32_t seeds, uint32_t steps) {
  uint32_t successes = 0;
  for (const KernelProfile* profile : kProfiles) {
    setup.profile = profile;
    for (uint32_t seed = first_seed; seed < first_seed + seeds; ++seed) {
      REQUIRE(failure_of(setup, seed, steps, &successes) == "");
    }
  }
  return successes;
}

// The failure of a machine that is spoilt, shrunk, does not need any step more.
std::string check_shrinks(const ModelSetup& spoilt, size_t most_steps) {
  const ModelOutcome found = run_random(spoilt, 1, 2000);
  REQUIRE(found.failed());
  CHECK(run_random(spoilt, 1, 2000).failure == found.failure);
  const ModelScript small = shrink(spoilt, found.script);
  CHECK(small.size() <= 1 + most_steps);
  for (size_t step = 1; step < small.size(); ++step) {
    ModelScript smaller = small;
    smaller.erase(smaller.begin() + static_cast<ptrdiff_t>(step));
    CHECK_FALSE(run_script(spoilt, smaller).failed());
  }
  ModelSetup healthy = spoilt;
  healthy.after_call = {};
  CHECK(run_script(healthy, small).failure == "");
  const std::string text = failure_of(spoilt, 1, 2000);
  INFO(text);
  CHECK(text.starts_with("seed 1 frames 512 swap "));
  CHECK(std::count(text.begin(), text.end(), '\n') == static_cast<ptrdiff_t>(2 + small.size()));
  return run_script(spoilt, small).failure;
}

}  // namespace

TEST_CASE("model: random calls behave as a naive model says, on machines of 64 to 512 frames") {
  uint32_t successes = 0;
  for (const uint32_t frames : {72u, 96u, 160u, 512u}) {
    successes += check_seeds({.frames = frames}, 1000 + frames, 2, 1000);
  }
  // Most steps must have got somewhere, or the test would test refusals.
  CHECK(successes > 6000);
}

TEST_CASE("model: with swap, too") {
  uint32_t successes = 0;
  successes += check_seeds({.frames = 80, .swap_pages = 40}, 1, 2, 1000);
  successes += check_seeds({.frames = 128, .swap_pages = 1000}, 11, 2, 1000);
  successes += check_seeds({.frames = 512, .swap_pages = 1000}, 21, 3, 1000);
  CHECK(successes > 6000);
}

TEST_CASE("model: with swap, invariants checked after each fault") {
  check_seeds({.frames = 512, .swap_pages = 1000, .verify = VerifyLevel::kFaults}, 31, 1, 700);
}

TEST_CASE("model: a million random steps on 2 MiB with swap", "[slow]") {
  CHECK(check_seeds({.frames = 512, .swap_pages = 1000}, 100, 25, 20000) > 500000);
}

TEST_CASE("model: a hundred thousand random steps, invariants checked after each fault", "[slow]") {
  check_seeds({.frames = 512, .swap_pages = 1000, .verify = VerifyLevel::kFaults}, 200, 5, 10000);
}

TEST_CASE("model: long random runs on small machines, with little swap and with none", "[slow]") {
  for (const uint32_t frames : {72u, 96u, 160u, 512u}) {
    check_seeds({.frames = frames}, 300 + frames, 4, 10000);
    check_seeds({.frames = frames, .swap_pages = 40}, 400 + frames, 4, 10000);
  }
}

TEST_CASE("model: a byte that changes behind the program's back is noticed, and few steps show it") {
  const auto corrupt = [](ModelDriver& driver) {
    Machine& machine = driver.machine();
    machine.mm().tables().for_each(VirtAddr(0), 0xC0000000u, [&](VirtAddr, mmu::Pte& pte) {
      if (pte.present() && pte.writable()) {
        machine.ram().physical(pte.pfn())[0x10] ^= std::byte{1};
      }
    });
  };
  const std::string failure = check_shrinks({.frames = 512, .after_call = corrupt}, 4);
  CHECK((failure.find("expected") != std::string::npos || failure.find("is not what was stored") != std::string::npos));
}

TEST_CASE("model: an entry that is made writable by mistake is noticed, and few steps show it") {
  const auto corrupt = [](ModelDriver& driver) {
    driver.machine().mm().tables().for_each(VirtAddr(0), 0xC0000000u, [](VirtAddr, mmu::Pte& pte) {
      if (pte.hw_present() && pte.special()) {
        pte = pte.with(mmu::Pte::kWritable);
      }
    });
  };
  CHECK(check_shrinks({.frames = 512, .after_call = corrupt}, 4).find("invariant 8") != std::string::npos);
}

TEST_CASE("model: a flush that is forgotten is noticed, and few steps show it") {
  // A CPU that does not forget: what was handed out before comes back after each call.
  std::map<uint32_t, mmu::Pte> remembered;
  const auto corrupt = [&](ModelDriver& driver) {
    remembered.merge(driver.machine().tlb.cached);
    driver.machine().tlb.cached = remembered;
  };
  CHECK(check_shrinks({.frames = 512, .after_call = corrupt}, 6).find("invariant 15:") != std::string::npos);
}

TEST_CASE("model: a check that fails inside is shrunk like any other failure") {
  const auto dies = [](ModelDriver& driver) {
    FL_CHECK(driver.machine().mm().use().swap_entries < 2, "two pages are in swap");
  };
  const std::string failure = check_shrinks({.frames = 512, .swap_pages = 1000, .after_call = dies}, 6);
  CHECK(failure.find("two pages are in swap") != std::string::npos);
}

}  // namespace fl::vm::test
