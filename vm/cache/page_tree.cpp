// Walking, growing and pruning the tree.
#include "vm/cache/page_tree.hpp"

#include <bit>
#include <utility>

#include "mmu/base/check.hpp"
#include "vm/kernel_caches.hpp"
#include "vm/memory_system.hpp"

namespace fl::vm {
namespace {

uint64_t bit(uint32_t slot) { return uint64_t{1} << slot; }

}  // namespace

PageTree::~PageTree() {
  FL_CHECK(root_ == 0 && size_ == 0 && values_ == 0, "a tree of {} pages and {} values dies", size_, values_);
}

PageTreeNode* PageTree::node_at(uint32_t slot) const { return memory_.kernel_pointer<PageTreeNode>(VirtAddr(slot)); }

uint32_t PageTree::address_of(const PageTreeNode* node) const { return memory_.kernel_address(node).value(); }

// The node of height 1 above the page, or null.
PageTreeNode* PageTree::leaf_of(uint32_t index) const {
  if (height_ == 0 || root_ == 0 || !reaches(height_, index)) {
    return nullptr;
  }
  PageTreeNode* node = node_at(root_);
  for (uint32_t height = height_; height > 1; --height) {
    const uint32_t slot = node->slots[slot_of(index, height)];
    if (slot == 0) {
      return nullptr;
    }
    node = node_at(slot);
  }
  return node;
}

uint32_t PageTree::load(uint64_t index) const {
  if (index > kMaxIndex) {
    return 0;
  }
  if (height_ == 0) {
    return index == 0 ? root_ : 0;
  }
  const PageTreeNode* leaf = leaf_of(static_cast<uint32_t>(index));
  return leaf != nullptr ? leaf->slots[slot_of(static_cast<uint32_t>(index), 1)] : 0;
}

uint32_t PageTree::find(uint64_t index) const {
  const uint32_t slot = load(index);
  return is_page(slot) ? slot - 1 : kNoPage;
}

std::optional<uint32_t> PageTree::find_value(uint64_t index) const {
  const uint32_t slot = load(index);
  return is_value(slot) ? std::optional(slot & ~kValue) : std::nullopt;
}

// The slot of an index that is in use.
uint32_t* PageTree::slot_pointer(uint32_t index) {
  PageTreeNode* const leaf = height_ != 0 ? leaf_of(index) : nullptr;
  uint32_t* const slot =
      height_ == 0 ? (index == 0 ? &root_ : nullptr) : (leaf != nullptr ? &leaf->slots[slot_of(index, 1)] : nullptr);
  FL_CHECK(slot != nullptr && *slot != 0, "page {:#x} is not in the tree", index);
  return slot;
}

// Of the lowest tree that has a place for the index.
uint32_t PageTree::height_for(uint32_t index) {
  uint32_t height = 0;
  while (!reaches(height, index)) {
    ++height;
  }
  return height;
}

// How many nodes an insertion has to make.
uint32_t PageTree::missing_nodes(uint32_t index) const {
  if (root_ == 0) {
    return height_for(index);
  }
  uint32_t missing = 0;
  uint32_t height = height_;
  for (; !reaches(height, index); ++height) {
    ++missing;
  }
  if (missing != 0) {
    // From the new top down to the page all is new.
    return missing + height - 1;
  }
  for (const PageTreeNode* node = height_ != 0 ? node_at(root_) : nullptr; height > 1; --height) {
    const uint32_t slot = node->slots[slot_of(index, height)];
    if (slot == 0) {
      return height - 1;
    }
    node = node_at(slot);
  }
  return 0;
}

void PageTree::free_spares(PageTreeNode* spares) {
  while (spares != nullptr) {
    memory_.caches().page_tree_node.destroy(std::exchange(spares, spares->parent));
  }
}

// Puts a node above the present top.
void PageTree::grow(PageTreeNode* top) {
  top->parent = nullptr;
  top->height = static_cast<uint8_t>(height_ + 1);
  top->slots[0] = root_;
  top->count = 1;
  for (uint32_t tag = 0; tag < kPageTags; ++tag) {
    const bool below = height_ == 0 ? root_tags_[tag] : node_at(root_)->tags[tag] != 0;
    top->tags[tag] = below ? bit(0) : 0;
  }
  if (height_ != 0) {
    node_at(root_)->parent = top;
    node_at(root_)->offset = 0;
  }
  root_tags_ = {};
  root_ = address_of(top);
  ++height_;
}

Status PageTree::insert(uint64_t wide_index, Pfn pfn) {
  if (wide_index > kMaxIndex) {
    return fail(Errno::kEFBIG);
  }
  const auto index = static_cast<uint32_t>(wide_index);
  if (is_value(load(index))) {
    --values_;
    ++size_;
    *slot_pointer(index) = pfn.value() + 1;
    return {};
  }
  // All nodes first, linked by `parent`. Making one may drop pages of this very tree and free nodes, so what is missing
  // is looked up again after each.
  PageTreeNode* spares = nullptr;
  for (uint32_t made = 0; made < missing_nodes(index); ++made) {
    const auto node = memory_.caches().page_tree_node.create();
    if (!node) {
      free_spares(spares);
      return fail(node.error());
    }
    (*node)->parent = std::exchange(spares, *node);
  }
  const auto take = [&] {
    FL_CHECK(spares != nullptr);
    return std::exchange(spares, spares->parent);
  };

  if (root_ == 0 && !reaches(0, index)) {
    PageTreeNode* const top = take();
    top->parent = nullptr;
    height_ = height_for(index);
    top->height = static_cast<uint8_t>(height_);
    root_ = address_of(top);
  }
  while (!reaches(height_, index)) {
    grow(take());
  }
  const uint32_t page = pfn.value() + 1;
  ++size_;
  if (height_ == 0) {
    FL_CHECK(root_ == 0, "page 0 is there already");
    root_ = page;
  } else {
    PageTreeNode* node = node_at(root_);
    for (uint32_t height = height_; height > 1; --height) {
      uint32_t& slot = node->slots[slot_of(index, height)];
      if (slot == 0) {
        PageTreeNode* const fresh = take();
        fresh->parent = node;
        fresh->height = static_cast<uint8_t>(height - 1);
        fresh->offset = static_cast<uint8_t>(slot_of(index, height));
        slot = address_of(fresh);
        ++node->count;
      }
      node = node_at(slot);
    }
    uint32_t& slot = node->slots[slot_of(index, 1)];
    FL_CHECK(slot == 0, "page {:#x} is there already", index);
    slot = page;
    ++node->count;
  }
  free_spares(spares);
  return {};
}

// Takes nodes off the top whose only slot is the first. Linux: xas_shrink.
void PageTree::shrink() {
  while (height_ > 0) {
    PageTreeNode* const top = node_at(root_);
    if (top->count != 1 || top->slots[0] == 0) {
      return;
    }
    root_ = top->slots[0];
    --height_;
    if (height_ == 0) {
      for (uint32_t tag = 0; tag < kPageTags; ++tag) {
        root_tags_[tag] = top->tags[tag] != 0;
      }
    } else {
      node_at(root_)->parent = nullptr;
    }
    memory_.caches().page_tree_node.destroy(top);
  }
}

Pfn PageTree::erase(uint32_t index) {
  for (uint32_t tag = 0; tag < kPageTags; ++tag) {
    clear_tag(index, static_cast<PageTag>(tag));
  }
  const uint32_t slot = *slot_pointer(index);
  FL_CHECK(is_page(slot), "index {:#x} holds a value, no page", index);
  --size_;
  remove_slot(index);
  return Pfn(slot - 1);
}

Pfn PageTree::erase(uint32_t index, uint32_t value) {
  for (uint32_t tag = 0; tag < kPageTags; ++tag) {
    clear_tag(index, static_cast<PageTag>(tag));
  }
  uint32_t* const slot = slot_pointer(index);
  FL_CHECK(is_page(*slot) && (value & kValue) == 0, "index {:#x}: slot {:#x}, value {:#x}", index, *slot, value);
  --size_;
  ++values_;
  return Pfn(std::exchange(*slot, value | kValue) - 1);
}

uint32_t PageTree::erase_value(uint32_t index) {
  const uint32_t slot = *slot_pointer(index);
  FL_CHECK(is_value(slot), "index {:#x} holds a page, no value", index);
  --values_;
  remove_slot(index);
  return slot & ~kValue;
}

// Empties a slot that is in use; nodes without any go.
void PageTree::remove_slot(uint32_t index) {
  if (height_ == 0) {
    root_ = 0;
    return;
  }
  PageTreeNode* node = leaf_of(index);
  node->slots[slot_of(index, 1)] = 0;
  --node->count;
  while (node->count == 0) {
    PageTreeNode* const parent = node->parent;
    const uint32_t offset = node->offset;
    memory_.caches().page_tree_node.destroy(node);
    if (parent == nullptr) {
      root_ = 0;
      height_ = 0;
      return;
    }
    parent->slots[offset] = 0;
    --parent->count;
    node = parent;
  }
  shrink();
}

void PageTree::replace(uint32_t index, Pfn pfn) {
  uint32_t* const slot = slot_pointer(index);
  FL_CHECK(is_page(*slot), "index {:#x} holds a value, no page", index);
  *slot = pfn.value() + 1;
}

bool PageTree::has_tag(uint64_t index, PageTag tag) const {
  if (index > kMaxIndex) {
    return false;
  }
  const auto number = static_cast<size_t>(tag);
  if (height_ == 0) {
    return index == 0 && root_tags_[number];
  }
  const PageTreeNode* leaf = leaf_of(static_cast<uint32_t>(index));
  return leaf != nullptr && (leaf->tags[number] & bit(slot_of(static_cast<uint32_t>(index), 1))) != 0;
}

void PageTree::set_tag(uint32_t index, PageTag tag) {
  const auto number = static_cast<size_t>(tag);
  FL_CHECK(find(index) != kNoPage, "page {:#x} is not in the tree", index);
  if (has_tag(index, tag)) {
    return;
  }
  ++tagged_[number];
  if (height_ == 0) {
    root_tags_[number] = true;
    return;
  }
  uint32_t slot = slot_of(index, 1);
  for (PageTreeNode* node = leaf_of(index); node != nullptr; slot = node->offset, node = node->parent) {
    node->tags[number] |= bit(slot);
  }
}

void PageTree::clear_tag(uint32_t index, PageTag tag) {
  const auto number = static_cast<size_t>(tag);
  if (!has_tag(index, tag)) {
    return;
  }
  --tagged_[number];
  if (height_ == 0) {
    root_tags_[number] = false;
    return;
  }
  uint32_t slot = slot_of(index, 1);
  for (PageTreeNode* node = leaf_of(index); node != nullptr; slot = node->offset, node = node->parent) {
    node->tags[number] &= ~bit(slot);
    if (node->tags[number] != 0) {
      return;
    }
  }
}

// Index and slot of the first one at or after `from` down a path on which mask_of(node) has every slot's bit.
template <typename Test>
std::optional<std::pair<uint32_t, uint32_t>> PageTree::next_where(uint64_t from, Test&& mask_of) const {
  while (from <= kMaxIndex && reaches(height_, from)) {
    // Down as far as slots on the path of `from` can be followed.
    const PageTreeNode* node = node_at(root_);
    uint32_t height = height_;
    for (;;) {
      const uint32_t first = slot_of(static_cast<uint32_t>(from), height);
      const uint64_t mask = mask_of(*node) & (~uint64_t{0} << first);
      const uint32_t shift = (height - 1) * kPageTreeBits;
      if (mask == 0) {
        // Nothing below this node any more: on with the slot after it.
        const uint32_t above = shift + kPageTreeBits;
        from = ((from >> above) + 1) << above;
        break;
      }
      const auto slot = static_cast<uint32_t>(std::countr_zero(mask));
      if (slot != first) {
        const uint64_t base = (from >> (shift + kPageTreeBits)) << (shift + kPageTreeBits);
        from = base + (uint64_t{slot} << shift);
      }
      if (height == 1) {
        return std::pair(static_cast<uint32_t>(from), node->slots[slot]);
      }
      node = node_at(node->slots[slot]);
      --height;
    }
  }
  return std::nullopt;
}

// The first slot that is in use and wanted.
template <typename Want>
std::optional<std::pair<uint32_t, uint32_t>> PageTree::next_slot(uint64_t from, Want&& want) const {
  if (height_ == 0) {
    return from == 0 && root_ != 0 && want(root_) ? std::optional(std::pair(0u, root_)) : std::nullopt;
  }
  // A node above may have nothing that is wanted below it: its slots are followed one after the other.
  return next_where(from, [&want](const PageTreeNode& node) {
    uint64_t mask = 0;
    for (uint32_t slot = 0; slot < kPageTreeSlots; ++slot) {
      mask |= node.slots[slot] != 0 && (node.height > 1 || want(node.slots[slot])) ? bit(slot) : 0;
    }
    return mask;
  });
}

std::optional<PageTree::Entry> PageTree::next(uint64_t from) const {
  const auto found = size_ != 0 ? next_slot(from, [](uint32_t slot) { return is_page(slot); }) : std::nullopt;
  return found ? std::optional(Entry{found->first, Pfn(found->second - 1)}) : std::nullopt;
}

std::optional<PageTree::ValueEntry> PageTree::next_value(uint64_t from) const {
  const auto found = values_ != 0 ? next_slot(from, [](uint32_t slot) { return is_value(slot); }) : std::nullopt;
  return found ? std::optional(ValueEntry{found->first, found->second & ~kValue}) : std::nullopt;
}

std::optional<PageTree::Entry> PageTree::next_tagged(uint64_t from, PageTag tag) const {
  const auto number = static_cast<size_t>(tag);
  if (root_ == 0 || tagged_[number] == 0) {
    return std::nullopt;
  }
  if (height_ == 0) {
    return from == 0 ? std::optional(Entry{0, Pfn(root_ - 1)}) : std::nullopt;
  }
  const auto found = next_where(from, [number](const PageTreeNode& node) { return node.tags[number]; });
  return found ? std::optional(Entry{found->first, Pfn(found->second - 1)}) : std::nullopt;
}

}  // namespace fl::vm
