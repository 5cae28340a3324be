// libFuzzer target: memory calls and accesses decided by the fuzzer's bytes, checked against the naive model after each
// one. Build with the preset fuzz; run build/fuzz/mm_fuzz CORPUS_DIR.
#include <cstdio>
#include <cstdlib>

// The driver's sources: a fuzz target is built from one file.
#include "tests/unit/vm/vm_model.cpp"
#include "tests/unit/vm/vm_model_calls.cpp"
#include "tests/unit/vm/vm_model_processes.cpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace fl::vm;
  size_t at = 0;
  // Two bytes a number; zeros after the end, which the step limit below never lets it reach by much.
  const auto choose = [&](uint32_t n) {
    uint32_t value = 0;
    for (int i = 0; i < (n > 256 ? 2 : 1) && at < size; ++i) {
      value = value << 8 | data[at++];
    }
    return value % n;
  };
  if (size < 2) {
    return 0;
  }
  const KernelProfile& profile = choose(2) == 0 ? KernelProfile::i386_6_1() : KernelProfile::compat_6_18();
  const uint32_t frames = 64 + choose(64);
  test::ModelDriver driver(choose, frames, profile);
  try {
    while (at < size) {
      driver.step();
    }
    driver.finish();
  } catch (const test::ModelFailure& failure) {
    std::fprintf(stderr, "%s\n", failure.what());
    std::abort();
  }
  return 0;
}
