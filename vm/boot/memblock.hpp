// Memblock: the allocator of the time before there are pages. It knows which physical ranges are memory and which of
// them are reserved; what is in the first and not in the second is free. Linux counterpart: mm/memblock.c.
//
// Both lists are sorted and disjoint, neighbours with the same node and flags are one region. Each starts in an array
// of 128 regions inside the kernel's image; when that is full and resizing is allowed, an array twice as large is
// allocated from memblock itself. Simplified: no hotplug, mirrored or nomap regions, so the only flags are none.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "mmu/base/result.hpp"
#include "mmu/ram.hpp"

namespace fl::vm {

// [base, base + size) in bytes. 64 bits because RAM may end at 4 GiB.
struct MemblockRegion {
  uint64_t base = 0;
  uint64_t size = 0;
  uint32_t node = 0;
  uint64_t end() const { return base + size; }
  friend bool operator==(const MemblockRegion&, const MemblockRegion&) = default;
};

inline constexpr uint32_t kInitMemblockRegions = 128;
inline constexpr uint32_t kAnyNode = 0xffffffffu;  // NUMA_NO_NODE
inline constexpr uint64_t kAllocAnywhere = ~uint64_t{0};
inline constexpr uint32_t kSmpCacheBytes = 64;

class Memblock {
 public:
  // One of the two lists. Linux: struct memblock_type.
  class Type {
   public:
    std::span<const MemblockRegion> regions() const { return {regions_, count_}; }
    uint64_t total_size() const { return total_size_; }
    uint32_t capacity() const { return capacity_; }

   private:
    friend class Memblock;
    std::array<MemblockRegion, kInitMemblockRegions> init_{};
    MemblockRegion* regions_ = init_.data();
    uint32_t count_ = 0;
    uint32_t capacity_ = kInitMemblockRegions;
    uint64_t total_size_ = 0;
  };

  // Grown arrays are put into `ram`.
  explicit Memblock(const mmu::Ram& ram) : ram_(ram) {}
  Memblock(const Memblock&) = delete;
  Memblock& operator=(const Memblock&) = delete;

  // All of these answer ENOMEM when a list is full and cannot grow; then nothing has changed.
  // Memory exists at [base, base + size). Overlaps with what is known are fine. Linux: memblock_add_node.
  Status add(uint64_t base, uint64_t size, uint32_t node = 0);
  // There is no memory there after all. Linux: memblock_remove.
  Status remove(uint64_t base, uint64_t size);
  Status reserve(uint64_t base, uint64_t size);
  // Takes a reservation back. Linux: memblock_phys_free.
  Status free(uint64_t base, uint64_t size);
  // Says which node the memory of a range belongs to. Linux: memblock_set_node.
  Status set_node(uint64_t base, uint64_t size, uint32_t node);

  // The physical address of `size` free bytes, reserved from now on, inside [min, max) and on `node` if one is
  // named; the highest fitting address, or the lowest when bottom-up. `align` is a power of two. ENOMEM.
  // What they hold is not touched. Linux: memblock_phys_alloc_range, without the fallback to other nodes.
  Result<uint64_t> alloc(uint64_t size, uint64_t align = kSmpCacheBytes, uint64_t min = 0,
                         uint64_t max = kAllocAnywhere, uint32_t node = kAnyNode);

  // Allocations stay below this address (the end of low memory). Linux: memblock_set_current_limit.
  void set_current_limit(uint64_t limit) { limit_ = limit; }
  uint64_t current_limit() const { return limit_; }
  void set_bottom_up(bool bottom_up) { bottom_up_ = bottom_up; }
  void allow_resize() { can_resize_ = true; }

  const Type& memory() const { return memory_; }
  const Type& reserved() const { return reserved_; }

  // Calls visit(start, end) for each free range of a node (or of all), ascending. Linux: for_each_free_mem_range.
  template <typename Visit>
  void for_each_free(uint32_t node, Visit&& visit) const {
    for (const MemblockRegion& region : memory_.regions()) {
      if (node != kAnyNode && region.node != node) {
        continue;
      }
      uint64_t from = region.base;
      for (const MemblockRegion& taken : reserved_.regions()) {
        if (taken.end() <= from) {
          continue;
        }
        if (taken.base >= region.end()) {
          break;
        }
        if (taken.base > from) {
          visit(from, taken.base);
        }
        from = taken.end();
      }
      if (from < region.end()) {
        visit(from, region.end());
      }
    }
  }

 private:
  Status add_range(Type& type, uint64_t base, uint64_t size, uint32_t node);
  Status remove_range(Type& type, uint64_t base, uint64_t size);
  // Splits regions at both ends of the range. The first and one past the last region inside it.
  struct Inside {
    uint32_t first;
    uint32_t last;
  };
  Result<Inside> isolate_range(Type& type, uint64_t base, uint64_t size);
  Status make_room(Type& type, uint32_t more, uint64_t new_base, uint64_t new_size);
  uint64_t find(uint64_t size, uint64_t align, uint64_t min, uint64_t max, uint32_t node, uint64_t avoid_base,
                uint64_t avoid_size) const;
  static void insert(Type& type, uint32_t at, const MemblockRegion& region);
  static void erase(Type& type, uint32_t at);
  static void merge(Type& type);

  const mmu::Ram& ram_;
  Type memory_;
  Type reserved_;
  uint64_t limit_ = kAllocAnywhere;
  bool bottom_up_ = false;
  bool can_resize_ = false;
};

}  // namespace fl::vm
