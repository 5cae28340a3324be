// Overcommit: how much memory programs may ask for altogether, and how much they have asked for. Linux counterpart:
// vm_committed_as, __vm_enough_memory, vm_commit_limit (mm/util.c), the sysctls vm.overcommit_*, vm.*_reserve_kbytes.
//
// Charged are private writable areas (VmFlag::kAccount; AreaEditor keeps the sum), shared anonymous memory by its size,
// and tmpfs and MAP_NORESERVE shared memory page by page (Mapping). Simplified: the sum is exact, where Linux's counter
// for each processor may be behind by a batch (an n-th of memory) when mode 2 compares it.
#pragma once

#include <cstdint>

#include "mmu/base/result.hpp"

namespace fl::vm {

class AddressSpace;
class MemorySystem;

// vm.overcommit_memory.
enum class OvercommitMode : uint8_t { kGuess, kAlways, kNever };

struct OvercommitSettings {
  OvercommitMode mode = OvercommitMode::kGuess;
  uint32_t ratio = 50;  // percent of RAM; in use while kbytes is 0
  uint32_t kbytes = 0;
  uint32_t admin_reserve_kbytes = 0;  // kept for root
  uint32_t user_reserve_kbytes = 0;   // kept by each process, so that its user can end it
};

class Overcommit {
 public:
  // The reserves follow from what is free at boot. Linux: init_user_reserve, init_admin_reserve.
  explicit Overcommit(MemorySystem& memory);

  const OvercommitSettings& settings() const { return settings_; }
  void set_settings(const OvercommitSettings& settings) { settings_ = settings; }

  // Whether `pages` more may be promised to `mm`; null: to nobody in particular, and without root's rights. ENOMEM.
  // Charges nothing. Linux: security_vm_enough_memory_mm.
  Status enough_memory(const AddressSpace* mm, uint64_t pages) const;

  // The running process, which shared memory is promised to; null: none. Linux: current->mm.
  void set_current(const AddressSpace* mm) { current_ = mm; }
  const AddressSpace* current() const { return current_; }

  // Pages promised or given back.
  void charge(uint64_t pages) { committed_ += pages; }
  void uncharge(uint64_t pages) { committed_ -= pages; }
  uint64_t committed() const { return committed_; }
  // What may be promised in mode kNever. Linux: vm_commit_limit.
  uint64_t limit() const;

 private:
  MemorySystem& memory_;
  OvercommitSettings settings_;
  const AddressSpace* current_ = nullptr;
  uint64_t committed_ = 0;
};

}  // namespace fl::vm
