// Areas come and go. Linux counterparts: swapon, swapoff, alloc_swap_info, enable_swap_info, reinsert_swap_info.
#include <algorithm>

#include "mmu/base/check.hpp"
#include "vm/swap/priority_list.hpp"
#include "vm/swap/swap_header.hpp"
#include "vm/swap/swap_space.hpp"

namespace fl::vm {

// With slots in use or not: the machine goes away as a whole.
SwapSpace::~SwapSpace() {
  active_.clear();
  avail_.clear();
}

Result<uint32_t> SwapSpace::swapon(std::shared_ptr<SwapStore> store, std::string_view name, std::optional<int> prio) {
  FL_CHECK(!prio || (*prio >= 0 && *prio <= kMaxPriority), "a swap area of priority {}", *prio);
  const auto place = std::find(areas_.begin(), areas_.end(), nullptr);
  if (place == areas_.end()) {
    return fail(Errno::kEPERM);
  }
  if (find(store->id()) != nullptr) {
    return fail(Errno::kEBUSY);
  }
  std::array<std::byte, 4096> header{};
  if (store->pages() != 0) {
    FL_TRY(store->read_page(0, header));
  }
  const auto layout = parse_swap_header(header, store->pages(), store->kind());
  if (!layout) {
    return fail(Errno::kEINVAL);
  }
  const auto type = static_cast<uint32_t>(place - areas_.begin());
  FL_TRY_ASSIGN(SwapArea::Ptr area,
                SwapArea::create(vmalloc_, slab_, type, std::move(store), name, *layout, by_clusters_));
  if (user_ != nullptr) {
    FL_TRY(user_->init_swap_address_space(type, layout->max));
  }
  *place = std::move(area);
  enable(**place, prio);
  return type;
}

void SwapSpace::enable(SwapArea& area, std::optional<int> prio) {
  area.prio = prio ? *prio : --least_priority_;
  area.write_ok = true;
  total_swap_pages_ += area.pages();
  nr_swap_pages_ += area.pages();
  insert_by_priority(active_, area);
  if (!area.full()) {
    insert_by_priority(avail_, area);
  }
}

// No slot is taken from it any more. Areas behind it whose priority nobody asked for move up.
void SwapSpace::disable(SwapArea& area) {
  auto behind = active_.erase(active_.iterator_to(area));
  if (area.prio < 0) {
    for (; behind != active_.end(); ++behind) {
      ++behind->prio;
    }
    ++least_priority_;
  }
  if (area.avail_hook.is_linked()) {
    avail_.erase(avail_.iterator_to(area));
  }
  area.write_ok = false;
  total_swap_pages_ -= area.pages();
  nr_swap_pages_ -= area.pages();
}

Status SwapSpace::swapoff(uint32_t type) {
  if (area(type) == nullptr || !areas_[type]->write_ok) {
    return fail(Errno::kEINVAL);
  }
  SwapArea& area = *areas_[type];
  disable(area);
  Status unused = area.inuse_pages() != 0 && user_ != nullptr ? user_->try_to_unuse(type) : Status();
  if (unused && area.inuse_pages() != 0) {
    unused = fail(Errno::kEBUSY);
  }
  if (!unused) {
    enable(area, area.prio >= 0 ? std::optional(area.prio) : std::nullopt);
    return unused;
  }
  areas_[type].reset();
  if (user_ != nullptr) {
    user_->exit_swap_address_space(type);
  }
  return {};
}

}  // namespace fl::vm
