// Checks and marks of debugged slab objects.
#include "vm/slab/slab_debug.hpp"

#include <algorithm>
#include <cstring>

#include "mmu/base/check.hpp"
#include "vm/slab/slab_geometry.hpp"

namespace fl::vm {
namespace {

uint64_t load(const std::byte* at) {
  uint64_t value = 0;
  std::memcpy(&value, at, sizeof value);
  return value;
}

}  // namespace

uint32_t SlabDebugger::after_object() const { return cache_.obj_offset + align_up(cache_.object_size, kSlabMinAlign); }

uint64_t SlabDebugger::red_zone_before(const std::byte* slot) const {
  return load(slot + cache_.obj_offset - sizeof(uint64_t));
}

uint64_t SlabDebugger::red_zone_after(const std::byte* slot) const { return load(slot + after_object()); }

void SlabDebugger::set_red_zones(std::byte* slot, uint64_t value) {
  if (cache_.flags.has(kSlabRedZone)) {
    std::memcpy(slot + cache_.obj_offset - sizeof value, &value, sizeof value);
    std::memcpy(slot + after_object(), &value, sizeof value);
  }
}

void SlabDebugger::store_user(std::byte* slot) {
  if (cache_.flags.has(kSlabStoreUser)) {
    const uint32_t red_zone = cache_.flags.has(kSlabRedZone) ? sizeof(uint64_t) : 0;
    std::memcpy(slot + after_object() + red_zone, &cache_.operations, sizeof cache_.operations);
  }
}

void SlabDebugger::poison(std::byte* slot) {
  if (cache_.flags.has(kSlabPoison)) {
    std::memset(slot + cache_.obj_offset, kPoisonFree, cache_.object_size - 1);
    slot[cache_.obj_offset + cache_.object_size - 1] = std::byte{kPoisonEnd};
  }
}

std::string SlabDebugger::poison_problem(const std::byte* slot) const {
  if (!cache_.flags.has(kSlabPoison)) {
    return "";
  }
  const std::byte* object = slot + cache_.obj_offset;
  for (uint32_t i = 0; i < cache_.object_size; ++i) {
    const uint8_t expected = i + 1 == cache_.object_size ? kPoisonEnd : kPoisonFree;
    if (object[i] != std::byte{expected}) {
      return fmt::format("written after it was freed: byte {:#x} is {:#04x}, should be {:#04x}", i,
                         static_cast<unsigned>(object[i]), expected);
    }
  }
  return "";
}

std::string SlabDebugger::problem(const std::byte* slot, SlotState state) const {
  if (cache_.flags.has(kSlabRedZone)) {
    const uint64_t expected = state == SlotState::kAllocated ? kRedActive : kRedInactive;
    const uint64_t before = red_zone_before(slot);
    const uint64_t after = red_zone_after(slot);
    if (state == SlotState::kAllocated && before == kRedInactive && after == kRedInactive) {
      return "freed twice, or never allocated";
    }
    if (state == SlotState::kFree && before == kRedActive && after == kRedActive) {
      return "free, but marked as allocated";
    }
    if (before != expected || after != expected) {
      return fmt::format(
          "memory outside the object was overwritten: red zones {:#x} before, {:#x} after, should be {:#x}", before,
          after, expected);
    }
  }
  return state == SlotState::kAllocated ? "" : poison_problem(slot);
}

void SlabDebugger::report(const std::byte* slot, const std::string& what) const {
  std::string user;
  if (cache_.flags.has(kSlabStoreUser)) {
    const uint32_t red_zone = cache_.flags.has(kSlabRedZone) ? sizeof(uint64_t) : 0;
    user = fmt::format("; last user: operation {} of {}", load(slot + after_object() + red_zone), cache_.operations);
  }
  std::string bytes;
  for (uint32_t i = 0; i < std::min(cache_.object_size, 32u); ++i) {
    bytes += fmt::format(" {:02x}", static_cast<unsigned>(slot[cache_.obj_offset + i]));
  }
  FL_CHECK(false, "slab error in cache '{}', object {:#010x} of {} bytes: {}{}; it begins{}", cache_.name(),
           map_.address_of(slot + cache_.obj_offset).value(), cache_.object_size, what, user, bytes);
  __builtin_unreachable();
}

void SlabDebugger::init_slot(std::byte* slot) {
  set_red_zones(slot, kRedInactive);
  store_user(slot);
  if (cache_.ctor != nullptr) {
    cache_.ctor(slot + cache_.obj_offset);
    if (cache_.flags.has(kSlabRedZone) &&
        (red_zone_before(slot) != kRedInactive || red_zone_after(slot) != kRedInactive)) {
      report(slot, "the constructor wrote outside the object");
    }
  }
  poison(slot);
}

void SlabDebugger::on_alloc(std::byte* slot) {
  ++cache_.operations;
  if (const std::string wrong = problem(slot, SlotState::kFree); !wrong.empty()) {
    report(slot, wrong);
  }
  set_red_zones(slot, kRedActive);
  store_user(slot);
  if (cache_.flags.has(kSlabPoison)) {
    std::memset(slot + cache_.obj_offset, kPoisonInUse, cache_.object_size);
    if (cache_.ctor != nullptr) {
      cache_.ctor(slot + cache_.obj_offset);
    }
  }
}

void SlabDebugger::on_free(std::byte* slot) {
  ++cache_.operations;
  if (const std::string wrong = problem(slot, SlotState::kAllocated); !wrong.empty()) {
    report(slot, wrong);
  }
  set_red_zones(slot, kRedInactive);
  store_user(slot);
  poison(slot);
}

}  // namespace fl::vm
