// The three ways to promise memory.
#include "vm/mm/overcommit.hpp"

#include <algorithm>

#include "vm/info/totals.hpp"
#include "vm/memory_system.hpp"
#include "vm/mm/address_space.hpp"
#include "vm/swap/swap_space.hpp"

namespace fl::vm {
namespace {

constexpr uint32_t kKibPerPageShift = kPageShift - 10;
constexpr uint32_t kMostAdminReserve = 1u << 13;
constexpr uint32_t kMostUserReserve = 1u << 17;

}  // namespace

Overcommit::Overcommit(MemorySystem& memory) : memory_(memory) {
  const uint32_t part = (memory.pages().free_frames() << kKibPerPageShift) / 32;
  settings_.admin_reserve_kbytes = std::min(part, kMostAdminReserve);
  settings_.user_reserve_kbytes = std::min(part, kMostUserReserve);
}

uint64_t Overcommit::limit() const {
  const uint64_t allowed = settings_.kbytes != 0 ? settings_.kbytes >> kKibPerPageShift
                                                 : memory_totals(memory_).managed * settings_.ratio / 100;
  return allowed + memory_.swap().total_swap_pages();
}

Status Overcommit::enough_memory(const AddressSpace* mm, uint64_t pages) const {
  if (settings_.mode == OvercommitMode::kAlways) {
    return {};
  }
  if (settings_.mode == OvercommitMode::kGuess) {
    // An obvious mistake only: more than there is.
    return pages > memory_totals(memory_).managed + memory_.swap().total_swap_pages() ? Status(fail(Errno::kENOMEM))
                                                                                      : Status();
  }
  auto allowed = static_cast<int64_t>(limit());
  if (mm == nullptr || !mm->may_map_low()) {
    allowed -= settings_.admin_reserve_kbytes >> kKibPerPageShift;
  }
  if (mm != nullptr) {
    allowed -= std::min(mm->use().total_vm / 32, settings_.user_reserve_kbytes >> kKibPerPageShift);
  }
  return static_cast<int64_t>(committed_ + pages) < allowed ? Status() : Status(fail(Errno::kENOMEM));
}

}  // namespace fl::vm
