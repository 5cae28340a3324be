// Lists of areas by priority, the highest first; among equals the one that came last is the last. Linux counterpart:
// plist_add.
#pragma once

#include <algorithm>

#include "vm/swap/swap_area.hpp"

namespace fl::vm {

template <typename List>
void insert_by_priority(List& list, SwapArea& area) {
  list.insert(std::find_if(list.begin(), list.end(), [&](const SwapArea& other) { return other.prio < area.prio; }),
              area);
}

}  // namespace fl::vm
