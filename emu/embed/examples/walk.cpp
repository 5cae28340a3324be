// walk: an MMU without a kernel. Maps a few pages, makes accesses, and shows each step of each walk.
#include <cstdio>

#include <faultline/mmu.hpp>

int main() {
  faultline::Mmu mmu = faultline::Mmu::create({.frames = 64}).value();
  const uint32_t directory = mmu.new_directory().value();
  const uint32_t code = mmu.allocate_frame().value(), data = mmu.allocate_frame().value();
  if (!mmu.map(directory, 0x08048000, code, {.write = false}) || !mmu.map(directory, 0x0804a000, data) ||
      !mmu.set_cr3(directory)) {
    return 1;
  }

  struct Attempt {
    uint32_t address;
    faultline::Access access;
    const char* what;
  };
  constexpr Attempt kAttempts[] = {
      {0x08048010, faultline::Access::kFetch, "fetch"}, {0x08048010, faultline::Access::kWrite, "write"},
      {0x0804a123, faultline::Access::kWrite, "write"}, {0x0804a123, faultline::Access::kRead, "read"},
      {0x0804b000, faultline::Access::kRead, "read"},   {0x40000000, faultline::Access::kRead, "read"},
      {0xc0000000, faultline::Access::kRead, "read"},
  };
  for (const Attempt& attempt : kAttempts) {
    const faultline::Walk walk = mmu.walk(attempt.address, attempt.access);
    std::printf("%-5s %08x:", attempt.what, attempt.address);
    for (const faultline::WalkStep& step : walk.taken()) {
      std::printf(" [%08x] = %08x", step.address, step.entry);
    }
    walk.allowed ? std::printf(" -> %08x\n", walk.physical)
                 : std::printf(" -> page fault, error code %x, cr2 %08x\n", walk.error_code, mmu.cr2());
  }
}
