// Adding, removing, splitting and merging regions; finding free memory among them.
#include "vm/boot/memblock.hpp"

#include <algorithm>
#include <memory>

#include "mmu/base/check.hpp"

namespace fl::vm {
namespace {

constexpr uint64_t kNotFound = ~uint64_t{0};
constexpr uint64_t align_up(uint64_t value, uint64_t align) { return (value + align - 1) & ~(align - 1); }
constexpr uint64_t align_down(uint64_t value, uint64_t align) { return value & ~(align - 1); }

}  // namespace

Status Memblock::add(uint64_t base, uint64_t size, uint32_t node) { return add_range(memory_, base, size, node); }
Status Memblock::remove(uint64_t base, uint64_t size) { return remove_range(memory_, base, size); }
Status Memblock::reserve(uint64_t base, uint64_t size) { return add_range(reserved_, base, size, 0); }
Status Memblock::free(uint64_t base, uint64_t size) { return remove_range(reserved_, base, size); }

void Memblock::insert(Type& type, uint32_t at, const MemblockRegion& region) {
  FL_CHECK(type.count_ < type.capacity_, "memblock: no room for a region that was provided for");
  std::copy_backward(type.regions_ + at, type.regions_ + type.count_, type.regions_ + type.count_ + 1);
  type.regions_[at] = region;
  ++type.count_;
  type.total_size_ += region.size;
}

void Memblock::erase(Type& type, uint32_t at) {
  type.total_size_ -= type.regions_[at].size;
  std::copy(type.regions_ + at + 1, type.regions_ + type.count_, type.regions_ + at);
  --type.count_;
}

void Memblock::merge(Type& type) {
  uint32_t kept = 0;
  for (uint32_t i = 1; i < type.count_; ++i) {
    MemblockRegion& last = type.regions_[kept];
    const MemblockRegion& next = type.regions_[i];
    if (last.end() == next.base && last.node == next.node) {
      last.size += next.size;
    } else {
      type.regions_[++kept] = next;
    }
  }
  type.count_ = type.count_ == 0 ? 0 : kept + 1;
}

Status Memblock::add_range(Type& type, uint64_t base, uint64_t size, uint32_t node) {
  if (size == 0) {
    return {};
  }
  const uint64_t end = base + size;
  // The parts of the range that no region has yet: at most one before each region and one at the end.
  uint32_t gaps = 0;
  uint64_t from = base;
  for (const MemblockRegion& region : type.regions()) {
    if (region.base >= end) {
      break;
    }
    gaps += region.base > from ? 1 : 0;
    from = std::max(from, region.end());
  }
  gaps += from < end ? 1 : 0;
  FL_TRY(make_room(type, gaps, base, size));

  from = base;
  uint32_t at = 0;
  for (; at < type.count_ && from < end; ++at) {
    const MemblockRegion region = type.regions_[at];
    if (region.end() <= from) {
      continue;
    }
    if (region.base >= end) {
      break;
    }
    if (region.base > from) {
      insert(type, at++, {from, region.base - from, node});
    }
    from = region.end();
  }
  if (from < end) {
    insert(type, at, {from, end - from, node});
  }
  merge(type);
  return {};
}

Result<Memblock::Inside> Memblock::isolate_range(Type& type, uint64_t base, uint64_t size) {
  const uint64_t end = base + size;
  FL_TRY(make_room(type, 2, base, size));
  Inside inside{0, 0};
  bool found = false;
  for (uint32_t i = 0; i < type.count_; ++i) {
    MemblockRegion& region = type.regions_[i];
    if (region.end() <= base) {
      continue;
    }
    if (region.base >= end) {
      break;
    }
    // A cut inside the region: its lower part stays here, the rest is looked at next.
    const uint64_t cut = region.base < base ? base : end;
    if (cut > region.base && cut < region.end()) {
      const MemblockRegion rest{cut, region.end() - cut, region.node};
      type.total_size_ -= rest.size;
      region.size = cut - region.base;
      insert(type, i + 1, rest);
      if (cut == base) {
        continue;
      }
    }
    inside.first = found ? inside.first : i;
    found = true;
    inside.last = i + 1;
  }
  return inside;
}

Status Memblock::remove_range(Type& type, uint64_t base, uint64_t size) {
  if (size == 0) {
    return {};
  }
  FL_TRY_ASSIGN(const Inside inside, isolate_range(type, base, size));
  for (uint32_t i = inside.last; i > inside.first; --i) {
    erase(type, i - 1);
  }
  return {};
}

Status Memblock::set_node(uint64_t base, uint64_t size, uint32_t node) {
  FL_TRY_ASSIGN(const Inside inside, isolate_range(memory_, base, size));
  for (uint32_t i = inside.first; i < inside.last; ++i) {
    memory_.regions_[i].node = node;
  }
  merge(memory_);
  return {};
}

uint64_t Memblock::find(uint64_t size, uint64_t align, uint64_t min, uint64_t max, uint32_t node, uint64_t avoid_base,
                        uint64_t avoid_size) const {
  // Address 0 is no answer: it would read as "none".
  min = std::max<uint64_t>(min, kPageSize);
  max = std::min(max, limit_);
  uint64_t found = kNotFound;
  const auto consider = [&](uint64_t start, uint64_t end) {
    start = std::max(start, min);
    end = std::min(end, max);
    if (start >= end || end - start < size || (bottom_up_ && found != kNotFound)) {
      return;
    }
    const uint64_t at = bottom_up_ ? align_up(start, align) : align_down(end - size, align);
    if (at >= start && at + size <= end) {
      found = at;
    }
  };
  for_each_free(node, [&](uint64_t start, uint64_t end) {
    const uint64_t avoid_end = avoid_base + avoid_size;
    if (avoid_size == 0 || end <= avoid_base || start >= avoid_end) {
      consider(start, end);
      return;
    }
    consider(start, std::max(start, avoid_base));
    consider(std::min(end, avoid_end), end);
  });
  return found;
}

// Linux: memblock_double_array. The new array must not lie in the range that is about to be added.
Status Memblock::make_room(Type& type, uint32_t more, uint64_t new_base, uint64_t new_size) {
  while (type.count_ + more > type.capacity_) {
    if (!can_resize_) {
      return fail(Errno::kENOMEM);
    }
    const uint64_t old_bytes = page_align_up(uint64_t{type.capacity_} * sizeof(MemblockRegion));
    const uint64_t bytes = page_align_up(uint64_t{type.capacity_} * 2 * sizeof(MemblockRegion));
    const uint64_t at = find(bytes, kPageSize, 0, kAllocAnywhere, kAnyNode, new_base, new_size);
    if (at == kNotFound) {
      return fail(Errno::kENOMEM);
    }
    auto* grown = reinterpret_cast<MemblockRegion*>(ram_.at(PhysAddr(static_cast<uint32_t>(at))));
    std::uninitialized_copy_n(type.regions_, type.count_, grown);
    const bool was_init = type.regions_ == type.init_.data();
    const auto old_at = static_cast<uint64_t>(reinterpret_cast<std::byte*>(type.regions_) - ram_.data());
    type.regions_ = grown;
    type.capacity_ *= 2;
    // There is room now: one region more, and after freeing the old array one or two.
    FL_TRY(add_range(reserved_, at, bytes, 0));
    if (!was_init) {
      FL_TRY(remove_range(reserved_, old_at, old_bytes));
    }
  }
  return {};
}

Result<uint64_t> Memblock::alloc(uint64_t size, uint64_t align, uint64_t min, uint64_t max, uint32_t node) {
  FL_CHECK(size != 0 && align != 0 && (align & (align - 1)) == 0, "memblock: {} bytes aligned to {}", size, align);
  // Room for the reservation first: growing the array takes free memory itself.
  FL_TRY(make_room(reserved_, 1, 0, 0));
  const uint64_t at = find(size, align, min, max, node, 0, 0);
  if (at == kNotFound) {
    return fail(Errno::kENOMEM);
  }
  FL_TRY(reserve(at, size));
  return at;
}

}  // namespace fl::vm
