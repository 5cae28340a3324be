// Debugging of slab objects: red zones, poison, last users. A slot of a debugged cache is
//   [padding][red zone][object, to a multiple of 8][red zone][last user]
// What is found wrong is our own bug and ends the program with a report. Linux counterpart: CONFIG_DEBUG_SLAB of
// mm/slab.c; the last user is told by the number of the operation of its cache, which is the same in each run, instead
// of by an address of code.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "vm/kernel_space/direct_map.hpp"
#include "vm/slab/kmem_cache.hpp"

namespace fl::vm {

enum class SlotState : uint8_t { kFree, kAllocated };

class SlabDebugger {
 public:
  SlabDebugger(const DirectMap& direct_map, KmemCache& cache) : map_(direct_map), cache_(cache) {}

  // A slot of a new slab: free. With a constructor the object keeps what that wrote until it is first allocated.
  void init_slot(std::byte* slot);
  // Checks that nobody wrote to the free object, and marks it allocated.
  void on_alloc(std::byte* slot);
  // Checks that the object is allocated and nothing was written beside it, and marks it free.
  void on_free(std::byte* slot);
  // What is wrong with a slot that should be free or allocated; empty if nothing.
  std::string problem(const std::byte* slot, SlotState state) const;

 private:
  [[noreturn]] void report(const std::byte* slot, const std::string& what) const;
  uint64_t red_zone_before(const std::byte* slot) const;
  uint64_t red_zone_after(const std::byte* slot) const;
  void set_red_zones(std::byte* slot, uint64_t value);
  void store_user(std::byte* slot);
  void poison(std::byte* slot);
  std::string poison_problem(const std::byte* slot) const;
  uint32_t after_object() const;

  const DirectMap& map_;
  KmemCache& cache_;
};

}  // namespace fl::vm
