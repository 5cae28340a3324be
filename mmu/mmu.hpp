// The memory-management unit: CR3, CR2 and the page-table walk.
//
// translate() does what an i386 does on a TLB miss (Intel SDM vol. 3, 4.3 and 4.7): two table reads in simulated RAM,
// the rights of both levels combined, the accessed bit set in both entries and the dirty bit on a write, or a page
// fault with CR2 and an error code. CR0.WP is set, as Linux sets it: the kernel too may not write a read-only user
// page. Simplified: no PAE, no global pages, no PAT; no-execute is bit 11 of an entry when the kernel profile asks for
// it.
#pragma once

#include <cstdint>

#include "mmu/base/addr.hpp"
#include "mmu/layout.hpp"
#include "mmu/pte.hpp"
#include "mmu/ram.hpp"

namespace fl::mmu {

enum class Access : uint8_t { kRead, kWrite, kFetch };
enum class Privilege : uint8_t { kUser, kSupervisor };
enum class NoExecute : uint8_t { kUnsupported, kHonoured };

// The error code that the processor pushes for a page fault. Linux: enum x86_pf_error_code.
struct PageFaultError {
  enum Bit : uint32_t { kProtection = 1, kWrite = 2, kUser = 4, kReserved = 8, kInstruction = 16 };
};

struct PageFault {
  VirtAddr addr;        // CR2
  uint32_t error_code;  // PageFaultError bits
};

struct Translation {
  bool hit = false;
  // Valid if hit: the entry after A and D were set. For a 4 MiB page, a synthetic entry for this 4 KiB.
  Pte pte;
  // Valid if not hit.
  uint32_t error_code = 0;
};

class Mmu {
 public:
  Mmu(const Ram& ram, NoExecute no_execute) : ram_(&ram), no_execute_(no_execute) {}

  // The frame of the page directory. The caller flushes the TLB.
  void set_cr3(Pfn directory) { cr3_ = directory; }
  Pfn cr3() const { return cr3_; }
  // The address of the last page fault.
  VirtAddr cr2() const { return cr2_; }
  void set_cr2(VirtAddr addr) { cr2_ = addr; }
  const Ram& ram() const { return *ram_; }
  NoExecute no_execute() const { return no_execute_; }

  // Walks from CR3. On a miss sets CR2 and gives the error code.
  Translation translate(VirtAddr va, Access access, Privilege privilege);

 private:
  const Ram* ram_;
  Pfn cr3_;
  VirtAddr cr2_;
  NoExecute no_execute_;
};

}  // namespace fl::mmu
