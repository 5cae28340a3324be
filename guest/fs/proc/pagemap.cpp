// /proc/PID/pagemap. Linux: Documentation/admin-guide/mm/pagemap.rst.
//
// The words are made while they are stored, a piece of the table at a time. Not modelled: soft-dirty bits (bit 55: i386
// has none), userfaultfd (bit 57), PAGEMAP_SCAN.
#include <algorithm>
#include <array>
#include <limits>

#include "guest/fs/proc/area_file.hpp"
#include "guest/fs/proc/mapped_page.hpp"
#include "guest/fs/synthetic.hpp"
#include "mmu/layout.hpp"
#include "mmu/page_tables.hpp"
#include "vm/swap/swap_entry.hpp"

namespace fl::guest {
namespace {

struct PagemapBit {
  static constexpr uint64_t kExclusive = uint64_t{1} << 56;  // Linux: PM_MMAP_EXCLUSIVE
  static constexpr uint64_t kFile = uint64_t{1} << 61;       // Linux: PM_FILE
  static constexpr uint64_t kSwap = uint64_t{1} << 62;       // Linux: PM_SWAP
  static constexpr uint64_t kPresent = uint64_t{1} << 63;    // Linux: PM_PRESENT
};

constexpr uint32_t kWordBytes = sizeof(uint64_t);
constexpr uint32_t kSwapTypeBits = 5;  // Linux: MAX_SWAPFILES_SHIFT

// Linux: pte_to_pagemap_entry.
uint64_t word_of(vm::AddressSpace& mm, const vm::VmArea& area, VirtAddr va, mmu::Pte pte, ShowPfn show_pfn) {
  if (pte.swap()) {
    const vm::SwapEntry entry = vm::pte_to_swp_entry(pte);
    return PagemapBit::kSwap | (show_pfn == ShowPfn::kYes ? entry.type | uint64_t{entry.offset} << kSwapTypeBits : 0);
  }
  uint64_t word = PagemapBit::kPresent | (show_pfn == ShowPfn::kYes ? uint64_t{pte.pfn().value()} : 0);
  if (const auto page = mapped_page(mm, area, va, pte)) {
    word |= page->anonymous ? 0 : PagemapBit::kFile;
    word |= page->mapcount == 1 ? PagemapBit::kExclusive : 0;
  }
  return word;
}

// The words of pages from `first` on. What lies in no area, or in one of frames without pages, is 0.
void make_words(vm::AddressSpace& mm, uint32_t first, std::span<uint64_t> words, ShowPfn show_pfn) {
  std::fill(words.begin(), words.end(), 0);
  const VirtAddr start(first << kPageShift);
  const uint64_t end = (uint64_t{first} + words.size()) << kPageShift;
  for (const vm::VmArea* area = mm.areas().find(start); area != nullptr && area->start.value() < end;
       area = area->next) {
    if (area->has(vm::VmFlag::kPfnMap)) {
      continue;
    }
    mm.tables().for_each(std::max(area->start, start), std::min<uint64_t>(area->end.value(), end),
                         [&](VirtAddr va, const mmu::Pte& pte) {
                           words[(va - start) >> kPageShift] = word_of(mm, *area, va, pte, show_pfn);
                         });
  }
}

}  // namespace

Result<uint32_t> PagemapFile::read(IoBuffer& to, uint64_t& at) {
  const std::shared_ptr<vm::AddressSpace> mm = mm_.lock();
  if (mm == nullptr) {
    return 0;
  }
  if (at % kWordBytes != 0 || to.left() % kWordBytes != 0) {
    return fail(Errno::kEINVAL);
  }
  constexpr uint32_t kPages = mmu::kTaskSize >> kPageShift;
  uint64_t page = at / kWordBytes;
  uint32_t done = 0;
  while (to.left() > 0 && page < kPages) {
    std::array<uint64_t, 128> words;
    const auto count = static_cast<uint32_t>(std::min<uint64_t>({words.size(), to.left() / kWordBytes, kPages - page}));
    const std::span<uint64_t> made = std::span(words).first(count);
    make_words(*mm, static_cast<uint32_t>(page), made, show_pfn_);
    if (to.put(std::as_bytes(made)) < made.size_bytes()) {
      return fail(Errno::kEFAULT);
    }
    page += count;
    done += count * kWordBytes;
  }
  at += done;
  return done;
}

Result<uint64_t> PagemapFile::seek(int64_t offset, uint32_t whence) {
  if (whence != Whence::kSet && whence != Whence::kCurrent) {
    return fail(Errno::kEINVAL);
  }
  pos = static_cast<uint64_t>(offset) + (whence == Whence::kCurrent ? pos : 0);
  return pos;
}

Result<FsStat> PagemapFile::statfs() { return synthetic_statfs(kProcMagic); }

}  // namespace fl::guest
