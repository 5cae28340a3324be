// Filling, draining and resizing the ring.
#include "guest/fs/pipe_buffer.hpp"

#include <algorithm>

#include "vm/kernel_space/kmap_local.hpp"

namespace fl::guest {

PipeBuffer::PipeBuffer(vm::MemorySystem& memory)
    : memory_(memory), slots_(kPipePages, Slot{}, vm::SlabStlAllocator<Slot>(memory.slab())) {}

PipeBuffer::~PipeBuffer() {
  while (count_ > 0) {
    release_first();
  }
}

Result<uint32_t> PipeBuffer::fill(IoBuffer& from) {
  uint32_t done = 0;
  // What is more than whole pages joins the last page if it fits in there.
  if (const uint32_t odd = from.left() & kPageOffsetMask; odd != 0 && merges(odd)) {
    done = append(last(), from, odd);
    if (done < odd) {
      return done;
    }
  }
  while (from.left() > 0 && !full()) {
    const auto page = memory_.pages().alloc_pages(vm::kGfpHighUser | vm::kGfpAccount);
    if (!page) {
      return done > 0 ? Result<uint32_t>(done) : fail(page.error());
    }
    ++count_;
    last() = {.page = *page};
    const uint32_t wanted = std::min<uint32_t>(from.left(), kPageSize);
    const uint32_t moved = append(last(), from, wanted);
    done += moved;
    if (moved == 0) {
      memory_.pages().free_pages(*page);
      --count_;
    }
    if (moved < wanted) {
      break;
    }
  }
  return done;
}

uint32_t PipeBuffer::drain(IoBuffer& to) {
  uint32_t done = 0;
  while (to.left() > 0 && count_ > 0) {
    Slot& first = slot(0);
    const uint32_t wanted = std::min(to.left(), first.length);
    uint32_t moved = 0;
    {
      const vm::KmapLocal map(memory_.kmap_slots(), first.page);
      moved = to.put(std::span(map.data() + first.offset, wanted));
    }
    first.offset += moved;
    first.length -= moved;
    used_ -= moved;
    done += moved;
    if (first.length == 0) {
      release_first();
    }
    if (moved < wanted) {
      break;
    }
  }
  return done;
}

Status PipeBuffer::resize(uint32_t pages) {
  vm::SlabVector<Slot> ring(slots_.get_allocator());
  FL_TRY(vm::with_memory([&] { ring.resize(pages); }));
  if (count_ > pages) {
    return fail(Errno::kEBUSY);
  }
  for (uint32_t i = 0; i < count_; ++i) {
    ring[i] = slot(i);
  }
  slots_ = std::move(ring);
  first_ = 0;
  return {};
}

bool PipeBuffer::merges(uint32_t bytes) const {
  if (count_ == 0 || bytes == 0) {
    return false;
  }
  const Slot& end = slot(count_ - 1);
  return end.offset + end.length + bytes <= kPageSize;
}

uint32_t PipeBuffer::append(Slot& slot, IoBuffer& from, uint32_t bytes) {
  const vm::KmapLocal map(memory_.kmap_slots(), slot.page);
  const uint32_t moved = from.take(std::span(map.data() + slot.offset + slot.length, bytes));
  slot.length += moved;
  used_ += moved;
  return moved;
}

void PipeBuffer::release_first() {
  memory_.pages().free_pages(slot(0).page);
  used_ -= slot(0).length;
  first_ = (first_ + 1) % static_cast<uint32_t>(slots_.size());
  --count_;
}

}  // namespace fl::guest
