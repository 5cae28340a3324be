// Notes about slots.
#include "vm/swap/swap_notes.hpp"

#include <new>

#include "mmu/base/check.hpp"
#include "vm/slab/slab_allocator.hpp"

namespace fl::vm {

SwapNotes::~SwapNotes() {
  while (!notes_.empty()) {
    drop(*notes_.begin());
  }
}

SwapNotes::Note* SwapNotes::find(uint32_t offset) {
  const auto found = notes_.find(offset);
  return found != notes_.end() ? &*found : nullptr;
}

Result<SwapNotes::Note*> SwapNotes::find_or_create(uint32_t offset, Gfp gfp) {
  if (Note* const note = find(offset); note != nullptr) {
    return note;
  }
  void* const place = slab_.kmalloc(sizeof(Note), gfp);
  if (place == nullptr) {
    return fail(Errno::kENOMEM);
  }
  if (Note* const meanwhile = find(offset); meanwhile != nullptr) {  // the allocation reclaimed
    slab_.kfree(place);
    return meanwhile;
  }
  Note* const note = new (place) Note{.offset = offset};
  notes_.insert(*note);
  return note;
}

void SwapNotes::drop(Note& note) {
  notes_.erase(notes_.iterator_to(note));
  note.~Note();
  slab_.kfree(&note);
}

uint32_t SwapNotes::excess(uint32_t offset) const {
  const Note* const note = find(offset);
  return note != nullptr ? note->excess : 0;
}

Status SwapNotes::raise(uint32_t offset, Gfp gfp) {
  FL_TRY_ASSIGN(Note* const note, find_or_create(offset, gfp));
  ++note->excess;
  return {};
}

uint32_t SwapNotes::lower(uint32_t offset) {
  Note* const note = find(offset);
  FL_CHECK(note != nullptr && note->excess > 0, "swap slot {:#x} has no continued count", offset);
  const uint32_t left = --note->excess;
  if (left == 0 && !note->failed) {
    drop(*note);
  }
  return left;
}

Status SwapNotes::prepare(uint32_t offset, Gfp gfp) {
  FL_TRY(find_or_create(offset, gfp));
  return {};
}

bool SwapNotes::failed(uint32_t offset) const {
  const Note* const note = find(offset);
  return note != nullptr && note->failed;
}

void SwapNotes::note_failure(uint32_t offset) {
  if (const auto note = find_or_create(offset, kGfpAtomic); note) {
    (*note)->failed = true;
  }
}

void SwapNotes::forget(uint32_t offset) {
  if (Note* const note = find(offset); note != nullptr) {
    FL_CHECK(note->excess == 0, "swap slot {:#x} is freed with a continued count", offset);
    drop(*note);
  }
}

}  // namespace fl::vm
