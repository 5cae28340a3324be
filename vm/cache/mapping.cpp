// Finding, reading, dropping and writing back the cached pages of one file.
#include "vm/cache/mapping.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "mmu/base/check.hpp"
#include "vm/memory_system.hpp"
#include "vm/mm/address_space.hpp"

namespace fl::vm {
namespace {

// Pages that one read(2) request asks of the store at once. Linux: read_ahead_kb, 128 KiB.
constexpr uint32_t kReadAheadPages = 32;

// Reads pages from a store. All their frames are mapped at once, longer than a moment: by kmap.
Status read_frames(MemorySystem& memory, BackingStore& store, uint64_t index, std::span<const Pfn> frames) {
  std::array<std::byte*, kReadAheadPages> buffers;
  uint32_t mapped = 0;
  Status done;
  for (; mapped < frames.size(); ++mapped) {
    const auto address = memory.kmap().kmap(frames[mapped]);
    if (!address) {
      done = fail(address.error());
      break;
    }
    buffers[mapped] = memory.kmap().pointer(*address);
  }
  if (done) {
    done = store.read_pages(index, std::span(buffers.data(), frames.size()));
  }
  for (uint32_t i = 0; i < mapped; ++i) {
    memory.kmap().kunmap(frames[i]);
  }
  return done;
}

}  // namespace

std::shared_ptr<Mapping> Mapping::for_file(MemorySystem& memory, std::shared_ptr<BackingStore> store) {
  FL_CHECK(store != nullptr);
  return std::shared_ptr<Mapping>(new Mapping(memory, std::move(store), 0));
}

std::shared_ptr<Mapping> Mapping::for_shmem(MemorySystem& memory, uint64_t bytes) {
  return std::shared_ptr<Mapping>(new Mapping(memory, nullptr, bytes));
}

Mapping::Mapping(MemorySystem& memory, std::shared_ptr<BackingStore> store, uint64_t shmem_bytes)
    : memory_(memory), store_(std::move(store)), shmem_size_(shmem_bytes) {
  id_ = memory_.cache().register_mapping(this);
}

Mapping::~Mapping() {
  FL_CHECK(areas_.empty(), "mapping {} dies while {} areas map it", id_, areas_.size());
  if (auto written = write_back(0, UINT64_MAX); !written) {
    spdlog::error("page cache: cannot write a file's pages back: {}", errno_name(written.error()));
  }
  for (auto& [number, chunk] : chunks_) {
    for (const uint32_t frame : chunk) {
      if (frame != kNoPage) {
        memory_.cache().remove(Pfn(frame));
      }
    }
  }
  memory_.cache().unregister_mapping(id_);
}

uint32_t Mapping::find(uint64_t index) const {
  const auto chunk = chunks_.find(index / kChunkPages);
  return chunk == chunks_.end() ? kNoPage : chunk->second[index % kChunkPages];
}

Result<Pfn> Mapping::get(uint64_t index, uint32_t ahead) {
  const uint64_t size_pages = pages();
  if (index >= size_pages) {
    return fail(Errno::kEFAULT);
  }
  if (const uint32_t frame = find(index); frame != kNoPage) {
    return Pfn(frame);
  }
  if (is_shmem()) {
    FL_TRY_ASSIGN(const Pfn pfn, memory_.pages().alloc_pages(kGfpHighUserMovable | kGfpZero));
    insert(index, pfn);
    return pfn;
  }

  std::array<Pfn, kReadAheadPages> frames;
  const auto wanted =
      static_cast<uint32_t>(std::min<uint64_t>({std::max(ahead, 1u), kReadAheadPages, size_pages - index}));
  uint32_t count = 0;
  while (count < wanted && (count == 0 || find(index + count) == kNoPage)) {
    const auto frame = memory_.pages().alloc_pages(kGfpHighUserMovable);
    if (!frame) {
      break;
    }
    frames[count] = *frame;
    ++count;
  }
  if (count == 0) {
    return fail(Errno::kENOMEM);
  }
  if (const auto read = read_frames(memory_, *store_, index, std::span(frames.data(), count)); !read) {
    for (uint32_t i = 0; i < count; ++i) {
      memory_.pages().free_pages(frames[i]);
    }
    return fail(read.error());
  }
  for (uint32_t i = 0; i < count; ++i) {
    insert(index + i, frames[i]);
  }
  return frames[0];
}

void Mapping::insert(uint64_t index, Pfn pfn) {
  auto [chunk, fresh] = chunks_.try_emplace(index / kChunkPages);
  if (fresh) {
    chunk->second.fill(kNoPage);
  }
  chunk->second[index % kChunkPages] = pfn.value();
  ++cached_;
  memory_.cache().add(pfn, id_, static_cast<uint32_t>(index));
  if (is_shmem()) {
    memory_.page(pfn).set(PageFlag::kShmem);
  }
  memory_.cache().update_inactive(pfn);
}

void Mapping::erase(uint64_t index) {
  const auto chunk = chunks_.find(index / kChunkPages);
  uint32_t& slot = chunk->second[index % kChunkPages];
  memory_.cache().remove(Pfn(slot));
  slot = kNoPage;
  --cached_;
  dirty_.erase(index);
  if (std::all_of(chunk->second.begin(), chunk->second.end(), [](uint32_t frame) { return frame == kNoPage; })) {
    chunks_.erase(chunk);
  }
}

bool Mapping::drop(uint64_t index) {
  if (dirty_.contains(index) && !write_page(index)) {
    return false;
  }
  erase(index);
  return true;
}

Result<uint32_t> Mapping::read(uint64_t offset, std::span<std::byte> to) {
  uint32_t done = 0;
  while (done < to.size()) {
    const uint64_t file_size = size();
    if (offset >= file_size) {
      break;
    }
    const uint32_t in_page = static_cast<uint32_t>(offset & kPageOffsetMask);
    const uint64_t length = std::min<uint64_t>({to.size() - done, kPageSize - in_page, file_size - offset});
    const auto pfn = get(offset >> kPageShift, static_cast<uint32_t>(pages_for(in_page + to.size() - done)));
    if (!pfn) {
      if (done > 0) {
        break;
      }
      return fail(pfn.error() == Errno::kENOMEM ? Errno::kENOMEM : Errno::kEIO);
    }
    std::memcpy(to.data() + done, KmapLocal(memory_.kmap_slots(), *pfn).data() + in_page, length);
    done += static_cast<uint32_t>(length);
    offset += length;
  }
  return done;
}

Result<uint32_t> Mapping::write_shmem(uint64_t offset, std::span<const std::byte> from) {
  FL_CHECK(is_shmem());
  uint32_t done = 0;
  while (done < from.size()) {
    const uint32_t in_page = static_cast<uint32_t>(offset & kPageOffsetMask);
    const uint32_t length = std::min(static_cast<uint32_t>(from.size()) - done, kPageSize - in_page);
    const uint64_t old_size = shmem_size_;
    shmem_size_ = std::max(shmem_size_, offset + length);
    const auto pfn = get(offset >> kPageShift);
    if (!pfn) {
      shmem_size_ = old_size;
      if (done > 0) {
        break;
      }
      return fail(pfn.error());
    }
    std::memcpy(KmapLocal(memory_.kmap_slots(), *pfn).data() + in_page, from.data() + done, length);
    memory_.tlb().code_changed(*pfn);
    done += length;
    offset += length;
  }
  return done;
}

Status Mapping::reload(uint64_t offset, uint64_t length) {
  if (length == 0 || is_shmem()) {
    return {};
  }
  const uint64_t last = (offset + length - 1) >> kPageShift;
  for (uint64_t index = offset >> kPageShift; index <= last; ++index) {
    const uint32_t frame = find(index);
    if (frame == kNoPage) {
      continue;
    }
    const KmapLocal page(memory_.kmap_slots(), Pfn(frame));
    std::byte* const bytes = page.data();
    FL_TRY(store_->read_pages(index, std::span(&bytes, 1)));
    memory_.tlb().code_changed(Pfn(frame));
  }
  return {};
}

template <typename Visit>
void Mapping::for_each_mapped_range(uint64_t first, uint64_t last, Visit&& visit) {
  for (VmArea& area : areas_) {
    const uint64_t area_first = area.pgoff;
    const uint64_t area_last = area_first + area.pages() - 1;
    if (area_last < first || area_first > last) {
      continue;
    }
    const uint64_t from = std::max(first, area_first) - area_first;
    const uint64_t to = std::min(last, area_last) - area_first + 1;
    visit(area, area.start + static_cast<uint32_t>(from << kPageShift),
          area.start + static_cast<uint32_t>(to << kPageShift));
  }
}

void Mapping::drop_range(uint64_t first, uint64_t last) {
  // Copies of private mappings go too. Linux: unmap_mapping_pages(..., even_cows).
  for_each_mapped_range(first, last,
                        [](VmArea& area, VirtAddr from, VirtAddr to) { area.mm->zap_range(area, from, to); });
  std::vector<uint64_t> dropped;
  for (const auto& [number, chunk] : chunks_) {
    for (uint32_t i = 0; i < kChunkPages; ++i) {
      const uint64_t index = number * kChunkPages + i;
      if (chunk[i] != kNoPage && index >= first && index <= last) {
        dropped.push_back(index);
      }
    }
  }
  std::sort(dropped.begin(), dropped.end());
  for (const uint64_t index : dropped) {
    erase(index);
  }
}

void Mapping::punch_hole(uint64_t first, uint64_t last) {
  FL_CHECK(is_shmem(), "a hole in a file of a store");
  drop_range(first, last);
}

void Mapping::truncate(uint64_t bytes) {
  drop_range(pages_for(bytes), UINT64_MAX);
  const uint32_t tail = static_cast<uint32_t>(bytes & kPageOffsetMask);
  if (const uint32_t frame = tail == 0 ? kNoPage : find(bytes >> kPageShift); frame != kNoPage) {
    std::memset(KmapLocal(memory_.kmap_slots(), Pfn(frame)).data() + tail, 0, kPageSize - tail);
    memory_.tlb().code_changed(Pfn(frame));
  }
  if (is_shmem()) {
    shmem_size_ = bytes;
  }
}

void Mapping::mark_dirty(Pfn pfn) {
  if (is_shmem()) {
    return;  // there is nowhere to write it to
  }
  Page& page = memory_.page(pfn);
  page.set(PageFlag::kDirty);
  dirty_.insert(page.index);
}

Status Mapping::write_page(uint64_t index) {
  const Pfn pfn(find(index));
  // Read-only first: a store after the copy must dirty the page again. Linux: page_mkclean.
  for_each_mapped_range(index, index, [&](VmArea& area, VirtAddr va, VirtAddr) {
    mmu::Pte* pte = area.mm->tables().find(va);
    if (area.shared() && pte != nullptr && pte->present() && pte->pfn() == pfn && (pte->writable() || pte->dirty())) {
      const bool seen = pte->accessed();
      *pte = pte->without(mmu::Pte::kWritable | mmu::Pte::kDirty);
      if (seen) {
        memory_.tlb().flush();
      }
    }
  });
  FL_TRY(store_->write_page(index, KmapLocal(memory_.kmap_slots(), pfn).bytes()));
  memory_.page(pfn).clear(PageFlag::kDirty);
  dirty_.erase(index);
  return {};
}

Status Mapping::write_back(uint64_t first, uint64_t last) {
  Status result;
  for (auto at = dirty_.lower_bound(first); at != dirty_.end() && *at <= last;) {
    const uint64_t index = *at;
    if (const auto written = write_page(index); !written) {
      result = written;
    }
    at = dirty_.upper_bound(index);
  }
  return result;
}

}  // namespace fl::vm
