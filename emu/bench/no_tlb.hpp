// A processor that keeps no translations, for benchmarks of vm alone.
#pragma once

#include "mmu/tlb_port.hpp"

namespace fl::emu::bench {

class NoTlb final : public mmu::TlbPort {
 public:
  void flush() override {}
  void code_changed(Pfn) override {}
};

}  // namespace fl::emu::bench
