// Random calls against the naive model. A failure prints the seed and the step; the same seed fails again.
#include <catch2/catch_test_macros.hpp>
#include <random>

#include "tests/unit/vm/vm_model.hpp"

namespace fl::vm::test {
namespace {

struct Run {
  uint32_t seed;
  uint32_t frames;
  uint32_t steps;
  const KernelProfile& profile;
  uint32_t swap_pages = 0;
};

// "" or what failed.
std::string run_model(const Run& run, uint32_t* successes = nullptr,
                      const std::function<void(ModelDriver&)>& after_call = nullptr) {
  std::mt19937 random(run.seed);
  // Not a standard distribution: its numbers differ between libraries.
  ModelDriver driver([&](uint32_t n) { return static_cast<uint32_t>(random() % n); }, run.frames, run.profile,
                     run.swap_pages);
  driver.after_call = after_call;
  for (uint32_t step = 0; step < run.steps; ++step) {
    try {
      driver.step();
    } catch (const ModelFailure& failure) {
      return fmt::format("seed {} frames {} step {}: {}", run.seed, run.frames, step, failure.what());
    }
  }
  if (successes != nullptr) {
    *successes += driver.successes();
  }
  try {
    driver.finish();
  } catch (const ModelFailure& failure) {
    return fmt::format("seed {} frames {}: {}", run.seed, run.frames, failure.what());
  }
  return "";
}

}  // namespace

TEST_CASE("model: random calls behave as a naive model says, on machines of 64 to 512 frames") {
  uint32_t successes = 0;
  for (const KernelProfile* profile : {&KernelProfile::i386_6_1(), &KernelProfile::compat_6_18()}) {
    for (const uint32_t frames : {64u, 96u, 160u, 512u}) {
      for (uint32_t seed = 1; seed <= 3; ++seed) {
        REQUIRE(run_model({seed * 1000 + frames, frames, 1000, *profile}, &successes) == "");
      }
    }
  }
  // Most steps must have got somewhere, or the test would test refusals.
  CHECK(successes > 10000);
}

TEST_CASE("model: with swap, too") {
  uint32_t successes = 0;
  for (const KernelProfile* profile : {&KernelProfile::i386_6_1(), &KernelProfile::compat_6_18()}) {
    for (const uint32_t frames : {72u, 128u}) {
      for (uint32_t seed = 1; seed <= 4; ++seed) {
        REQUIRE(run_model({seed * 1000 + frames, frames, 1000, *profile, seed % 2 == 0 ? 40u : 1000u}, &successes) ==
                "");
      }
    }
  }
  CHECK(successes > 6000);
}

TEST_CASE("model: a long random run with swap", "[slow]") {
  for (const KernelProfile* profile : {&KernelProfile::i386_6_1(), &KernelProfile::compat_6_18()}) {
    for (const uint32_t frames : {64u, 80u, 128u}) {
      for (uint32_t seed = 1; seed <= 8; ++seed) {
        REQUIRE(run_model({seed * 7919 + frames, frames, 10000, *profile, seed % 2 == 0 ? 40u : 1000u}) == "");
      }
    }
  }
}

TEST_CASE("model: a long random run behaves as a naive model says", "[slow]") {
  for (const KernelProfile* profile : {&KernelProfile::i386_6_1(), &KernelProfile::compat_6_18()}) {
    for (const uint32_t frames : {64u, 80u, 128u, 256u, 512u}) {
      for (uint32_t seed = 1; seed <= 10; ++seed) {
        REQUIRE(run_model({seed * 7919 + frames, frames, 10000, *profile}) == "");
      }
    }
  }
}

TEST_CASE("model: a byte that changes behind the program's back is noticed, with the seed, and again with that seed") {
  const auto corrupt = [](ModelDriver& driver) {
    Machine& machine = driver.machine();
    machine.mm().tables().for_each(VirtAddr(0), 0xC0000000u, [&](VirtAddr, mmu::Pte& pte) {
      if (pte.writable()) {
        machine.ram().physical(pte.pfn())[0x10] ^= std::byte{1};
      }
    });
  };
  const Run run{1, 512, 2000, KernelProfile::i386_6_1()};
  const std::string first = run_model(run, nullptr, corrupt);
  CHECK(first.find("seed 1 frames 512 step ") == 0);
  CHECK(first.find("expected") != std::string::npos);
  CHECK(run_model(run, nullptr, corrupt) == first);
}

TEST_CASE("model: an entry that is made writable by mistake is noticed") {
  const auto corrupt = [](ModelDriver& driver) {
    driver.machine().mm().tables().for_each(VirtAddr(0), 0xC0000000u, [](VirtAddr, mmu::Pte& pte) {
      if (pte.hw_present() && pte.special()) {
        pte = pte.with(mmu::Pte::kWritable);
      }
    });
  };
  CHECK(run_model({1, 512, 2000, KernelProfile::i386_6_1()}, nullptr, corrupt).find("invariant 8") !=
        std::string::npos);
}

TEST_CASE("model: a flush that is forgotten is noticed") {
  // A CPU that does not forget: what was handed out before comes back after each call.
  std::map<uint32_t, mmu::Pte> remembered;
  const auto corrupt = [&](ModelDriver& driver) {
    remembered.merge(driver.machine().tlb.cached);
    driver.machine().tlb.cached = remembered;
  };
  CHECK(run_model({1, 512, 2000, KernelProfile::i386_6_1()}, nullptr, corrupt).find("invariant 15:") !=
        std::string::npos);
}

}  // namespace fl::vm::test
