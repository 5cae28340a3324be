// SwapNotes: what is to be remembered of few slots of an area and does not fit into their bytes of the swap map: how
// much larger than SWAP_MAP_MAX a count is, and that reading or writing failed. Linux counterpart of the counts:
// add_swap_count_continuation, swap_count_continued, free_swap_count_continuations.
//
// Simplified: Linux keeps the upper digits of counts in pages that run parallel to the swap map; here each such slot
// has an object of its own, from kmalloc. That an I/O error is remembered is not Linux's.
#pragma once

#include <boost/intrusive/set.hpp>
#include <cstdint>

#include "mmu/base/result.hpp"
#include "vm/phys/gfp.hpp"

namespace fl::vm {

class SlabAllocator;

class SwapNotes {
 public:
  explicit SwapNotes(SlabAllocator& slab) : slab_(slab) {}
  SwapNotes(const SwapNotes&) = delete;
  SwapNotes& operator=(const SwapNotes&) = delete;
  ~SwapNotes();

  // How much the count of a slot exceeds SWAP_MAP_MAX.
  uint32_t excess(uint32_t offset) const;
  // One more. ENOMEM.
  Status raise(uint32_t offset, Gfp gfp);
  // One less of an excess that is not 0; what is left.
  uint32_t lower(uint32_t offset);
  // Room for a slot's first excess. ENOMEM.
  Status prepare(uint32_t offset, Gfp gfp);

  bool failed(uint32_t offset) const;
  // Without memory it is forgotten: the slot's next user finds out again.
  void note_failure(uint32_t offset);
  // Forgets all of a slot whose count is 0.
  void forget(uint32_t offset);

  bool empty() const { return notes_.empty(); }

 private:
  struct Note {
    uint32_t offset = 0;
    uint32_t excess = 0;
    bool failed = false;
    boost::intrusive::set_member_hook<> hook = {};
  };
  struct KeyOf {
    using type = uint32_t;
    const type& operator()(const Note& note) const { return note.offset; }
  };
  using Notes =
      boost::intrusive::set<Note, boost::intrusive::member_hook<Note, boost::intrusive::set_member_hook<>, &Note::hook>,
                            boost::intrusive::key_of_value<KeyOf>>;
  Note* find(uint32_t offset);
  const Note* find(uint32_t offset) const { return const_cast<SwapNotes*>(this)->find(offset); }
  Result<Note*> find_or_create(uint32_t offset, Gfp gfp);
  void drop(Note& note);

  SlabAllocator& slab_;
  Notes notes_;
};

}  // namespace fl::vm
