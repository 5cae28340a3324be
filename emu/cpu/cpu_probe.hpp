// CpuProbe: how a plugin sees the processor at work: the translations it is given, the blocks and accesses it makes.
//
// Nothing is told, and nothing costs, unless a probe asks for it (UnicornCpu::set_probe): blocks and accesses are told
// by hooks that the engine compiles into the code it translates.
#pragma once

#include <cstdint>

#include "mmu/base/addr.hpp"
#include "mmu/mmu.hpp"

namespace fl::emu {

class CpuProbe {
 public:
  // What it wants to be told of; several are or-ed.
  enum Point : uint32_t {
    kFills = 1u << 0,
    kFlushes = 1u << 1,
    kBlocks = 1u << 2,
    kAccesses = 1u << 3,
  };
  virtual ~CpuProbe() = default;
  // All are called while the task is in user mode: its registers are in the processor, the kernel is at rest.
  virtual void on_fill(VirtAddr page, mmu::Access access, mmu::Pte pte) = 0;
  // Before the next instruction.
  virtual void on_flush() = 0;
  virtual void on_block(VirtAddr eip, uint32_t bytes) = 0;
  // A read or write of data that the page tables allow, about to be made; `physical`: of its first byte.
  virtual void on_access(VirtAddr addr, uint32_t bytes, mmu::Access access, PhysAddr physical) = 0;
};

}  // namespace fl::emu
