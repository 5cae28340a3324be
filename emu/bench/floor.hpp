// The floor: the same static i386 program on a bare Unicorn, without our MMU, kernel and VM. What faultline costs on
// top of the engine is measured against it.
//
// Memory is 3 GiB of lazily filled host memory with identity mapping; the fill hook answers every address at once, with
// the same rights (W^X, RWX for pages with code), the same TLB growth and the same block count as UnicornCpu. The few
// system calls that the benchmark programs make are answered inside the interrupt hook.
#pragma once

#include <string>
#include <vector>

namespace fl::emu::bench {

// Runs argv[0] to its end and gives its exit status, or 125 with a message on stderr.
int run_on_floor(const std::vector<std::string>& argv);

}  // namespace fl::emu::bench
