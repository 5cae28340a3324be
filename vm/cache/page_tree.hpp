// PageTree: from page indexes of a file to the frames that hold them, with marks for pages that are dirty or being
// written. Linux counterpart: the xarray mapping->i_pages (lib/xarray.c; before it lib/radix-tree.c) with
// PAGECACHE_TAG_DIRTY and PAGECACHE_TAG_WRITEBACK.
//
// A node has 64 slots for 6 bits of the index; the tree is as high as its largest index needs, and a file of one page
// has no node at all. A node's mark says that a slot below it has it. Nodes come from the cache "radix_tree_node" and
// link by kernel address, so a node has the size that it has on i386.
//
// In place of a page a slot may hold a value of 31 bits: when a page left memory (a shadow entry, see
// vm/reclaim/workingset.hpp), or where in swap a page of shared memory is. Linux: xa_mk_value.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <utility>

#include "mmu/base/addr.hpp"
#include "mmu/base/result.hpp"

namespace fl::vm {

class MemorySystem;

inline constexpr uint32_t kPageTreeBits = 6;
inline constexpr uint32_t kPageTreeSlots = 1u << kPageTreeBits;

enum class PageTag : uint8_t { kDirty, kWriteback };
inline constexpr uint32_t kPageTags = 2;

// In the cache "radix_tree_node". Linux: struct xa_node.
struct PageTreeNode {
  PageTreeNode* parent = nullptr;
  uint8_t height = 0;  // 1: its slots are pages
  uint8_t offset = 0;  // of this node in its parent
  uint8_t count = 0;   // slots in use
  std::array<uint64_t, kPageTags> tags{};
  // Height 1: frame number + 1, or a value with kValue; above: kernel address of a node. 0: empty.
  std::array<uint32_t, kPageTreeSlots> slots{};
};

class PageTree {
 public:
  // The highest index that can be stored (Page::index has 32 bits). Linux on i386: MAX_LFS_FILESIZE >> PAGE_SHIFT.
  static constexpr uint64_t kMaxIndex = 0xffffffffu;

  struct Entry {
    uint32_t index;
    Pfn pfn;
  };
  struct ValueEntry {
    uint32_t index;
    uint32_t value;
  };

  explicit PageTree(MemorySystem& memory) : memory_(memory) {}
  PageTree(const PageTree&) = delete;
  PageTree& operator=(const PageTree&) = delete;
  // The tree must be empty.
  ~PageTree();

  // Pages; values.
  uint32_t size() const { return size_; }
  uint32_t values() const { return values_; }
  uint32_t tagged(PageTag tag) const { return tagged_[static_cast<size_t>(tag)]; }

  // The frame of a page, or kNoPage. Any index may be asked for. Linux: xa_load.
  uint32_t find(uint64_t index) const;
  // The value that stands in the page's place, if one does.
  std::optional<uint32_t> find_value(uint64_t index) const;
  // Stores a page that is not there yet, untagged; a value in its place goes. ENOMEM (nothing has changed) or EFBIG.
  // Making a node may reclaim pages, of this tree too. Linux: xa_store.
  Status insert(uint64_t index, Pfn pfn);
  // Takes a page that is there out, and its tags.
  Pfn erase(uint32_t index);
  // The same, and leaves a value of 31 bits in its place.
  Pfn erase(uint32_t index, uint32_t value);
  // Takes a value that is there out.
  uint32_t erase_value(uint32_t index);
  // Another frame takes the place of the page's; tags stay. For migration.
  void replace(uint32_t index, Pfn pfn);

  // The page must be there.
  void set_tag(uint32_t index, PageTag tag);
  void clear_tag(uint32_t index, PageTag tag);
  bool has_tag(uint64_t index, PageTag tag) const;

  // The first page at or after `from` (with the tag), in order of indexes. The tree may change between two calls.
  // Linux: xas_find, xas_find_marked.
  std::optional<Entry> next(uint64_t from) const;
  std::optional<Entry> next_tagged(uint64_t from, PageTag tag) const;
  std::optional<ValueEntry> next_value(uint64_t from) const;

 private:
  static constexpr uint32_t kValue = 1u << 31;
  static bool is_page(uint32_t slot) { return slot != 0 && (slot & kValue) == 0; }
  static bool is_value(uint32_t slot) { return (slot & kValue) != 0; }
  // What stands in the page's slot; 0 if there is none.
  uint32_t load(uint64_t index) const;
  uint32_t* slot_pointer(uint32_t index);
  void remove_slot(uint32_t index);
  template <typename Want>
  std::optional<std::pair<uint32_t, uint32_t>> next_slot(uint64_t from, Want&& want) const;
  static uint32_t slot_of(uint32_t index, uint32_t height) {
    return (index >> ((height - 1) * kPageTreeBits)) & (kPageTreeSlots - 1);
  }
  // Whether a tree of this height has a place for the index.
  static bool reaches(uint32_t height, uint64_t index) { return index >> (height * kPageTreeBits) == 0; }
  static uint32_t height_for(uint32_t index);
  PageTreeNode* node_at(uint32_t slot) const;
  uint32_t address_of(const PageTreeNode* node) const;
  PageTreeNode* leaf_of(uint32_t index) const;
  uint32_t missing_nodes(uint32_t index) const;
  void free_spares(PageTreeNode* spares);
  void grow(PageTreeNode* top);
  void shrink();
  template <typename Test>
  std::optional<std::pair<uint32_t, uint32_t>> next_where(uint64_t from, Test&& mask_of) const;

  MemorySystem& memory_;
  uint32_t root_ = 0;  // height 0: page 0's slot; else the top node's
  uint32_t height_ = 0;
  std::array<bool, kPageTags> root_tags_{};  // height 0 only
  uint32_t size_ = 0;
  uint32_t values_ = 0;
  std::array<uint32_t, kPageTags> tagged_{};
};

}  // namespace fl::vm
