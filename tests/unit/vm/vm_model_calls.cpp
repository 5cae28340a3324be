// The model's calls: what Linux's manual pages say should happen, page by page.
#include "tests/unit/vm/vm_model.hpp"

namespace fl::vm::test {

using namespace model;

void ModelDriver::do_mmap() {
  const uint32_t length = 1 + choose_(8);
  uint32_t prot = choose_(8);
  uint32_t flags = 0;
  std::shared_ptr<File> file;
  std::shared_ptr<const MappedFile> handle;
  uint32_t pgoff = 0;
  const uint32_t kind = choose_(4);
  const bool shared = kind == 1 || kind == 3;
  flags |= shared ? MapFlag::kShared : MapFlag::kPrivate;
  bool may_write = true;
  if (kind < 2) {
    flags |= MapFlag::kAnonymous;
  } else {
    file = files_[choose_(static_cast<uint32_t>(files_.size()))];
    const bool writable = choose_(3) != 0;
    handle = writable ? file->test.file : file->read_only;
    may_write = writable || !shared;
    pgoff = choose_(static_cast<uint32_t>(file->words.size()) + 2);
  }
  if (pages_.size() > kMostMapped) {
    last_ = "munmap of everything";
    const auto cleared = machine_.mm().munmap(at(kArena - 256), bytes_of(256 + kArenaPages));
    expect(cleared, Errno{}, "munmap");
    if (!cleared) {
      return;  // an area that reaches beyond could not be split
    }
    erase(kArena - 256, 256 + kArenaPages);
  }
  enum Place { kFixed, kNoReplace, kHint, kAnywhere };
  const uint32_t place = choose_(4);
  // Fixed ones may replace heap and stack too.
  const uint32_t asked = place == kAnywhere ? 0 : place == kHint ? kArena + choose_(kArenaPages) : any_page();
  uint32_t first = asked;
  Errno error{};
  if (place == kFixed) {
    flags |= MapFlag::kFixed;
  } else if (place == kNoReplace) {
    flags |= MapFlag::kFixedNoReplace;
    error = all_free(first, length) ? Errno{} : Errno::kEEXIST;
  } else if (place == kAnywhere || !all_free(first, length)) {
    first = search(length);
  }
  if (error == Errno{} && shared && (prot & kWrite) != 0 && !may_write) {
    error = Errno::kEACCES;
  }
  const bool populate = choose_(6) == 0;
  flags |= populate ? uint32_t{MapFlag::kPopulate} : 0u;
  last_ = fmt::format("mmap {:x}+{} prot {} flags {:#x} file pages {} pgoff {}", asked, length, prot, flags,
                      file != nullptr ? file->words.size() : 0, pgoff);
  const auto mapped = machine_.mmap(bytes_of(asked), length, prot, flags, handle, pgoff);
  expect(mapped, error, "mmap");
  if (!mapped) {
    return;
  }
  if (*mapped != at(first)) {
    mismatch(fmt::format("mapped at {:x}, expected {:x}", mapped->vpn(), first));
  }
  if (file == nullptr && shared) {
    file = std::make_shared<File>();
    file->words.resize(length);
  }
  erase(first, length);
  for (uint32_t i = 0; i < length; ++i) {
    pages_[first + i] = Page{.prot = prot, .file = file, .index = pgoff + i, .shared = shared, .may_write = may_write};
  }
  if (populate) {
    sync_copies(first, length);
  }
}

void ModelDriver::do_munmap() {
  const uint32_t first = kArena - 8 + choose_(kArenaPages + 8);
  const uint32_t length = 1 + choose_(choose_(4) == 0 ? 24 : 5);
  last_ = fmt::format("munmap {:x}+{}", first, length);
  expect(machine_.mm().munmap(at(first), bytes_of(length)), Errno{}, "munmap");
  erase(first, length);
}

void ModelDriver::do_mprotect() {
  const uint32_t first = kArena - 4 + choose_(kArenaPages + 4);
  const uint32_t length = 1 + choose_(8);
  const uint32_t prot = choose_(8);
  last_ = fmt::format("mprotect {:x}+{} prot {}", first, length, prot);
  Errno error{};
  for (uint32_t vpn = first; vpn < first + length && error == Errno{}; ++vpn) {
    const auto page = pages_.find(vpn);
    if (page == pages_.end()) {
      error = Errno::kENOMEM;
    } else if ((prot & kWrite) != 0 && !page->second.may_write) {
      error = Errno::kEACCES;
    } else {
      page->second.prot = prot;
    }
  }
  const auto done = machine_.mm().mprotect(at(first), bytes_of(length), prot, machine_.task);
  sync_copies(first, length);  // a locked area that becomes writable is copied
  expect(done, error, "mprotect");
}

void ModelDriver::do_mremap() {
  const uint32_t old_first = kArena + choose_(kArenaPages);
  uint32_t old_length = choose_(8) == 0 ? 0 : 1 + choose_(6);
  const uint32_t new_length = choose_(3) == 0 && old_length != 0 ? old_length : 1 + choose_(8);
  static constexpr std::array<uint32_t, 6> kFlags{0, 1, 1, 3, 5, 7};
  const uint32_t flags = kFlags[choose_(kFlags.size())];
  const bool fixed = (flags & MremapFlag::kFixed) != 0;
  const bool dont_unmap = (flags & MremapFlag::kDontUnmap) != 0;
  uint32_t target = kArena + choose_(kArenaPages);
  last_ = fmt::format("mremap {:x}+{} to +{} flags {} at {:x}", old_first, old_length, new_length, flags, target);
  const auto call = [&, asked = old_length] {
    return machine_.mm().mremap(at(old_first), bytes_of(asked), bytes_of(new_length), flags, at(target), machine_.task);
  };
  if (dont_unmap && old_length != new_length) {
    return expect(call(), Errno::kEINVAL, "mremap");
  }
  // Since 6.17 everything is checked before anything is unmapped.
  const bool checked_first = machine_.memory().profile().mremap_moves_many;
  const bool overlaps = (fixed || dont_unmap) && old_first + old_length > target && target + new_length > old_first;
  if (checked_first && overlaps) {
    return expect(call(), Errno::kEINVAL, "mremap");
  }
  if (checked_first && fixed && old_length == new_length) {
    return do_move_many(old_first, new_length, target, flags);
  }
  const VmArea* area = machine_.mm().areas().lookup(at(old_first));
  if (area == nullptr) {
    return expect(call(), Errno::kEFAULT, "mremap");
  }
  if (overlaps) {
    return expect(call(), Errno::kEINVAL, "mremap");
  }
  uint32_t area_end = area->end.vpn();
  uint32_t area_start = area->start.vpn();
  if (checked_first && fixed) {
    if (old_length == 0 && !pages_.at(old_first).shared) {
      return expect(call(), Errno::kEINVAL, "mremap");
    }
    if (old_first + std::min(old_length, new_length) > area_end) {
      return expect(call(), Errno::kEFAULT, "mremap");
    }
  }
  if (fixed) {
    erase(target, new_length);
    if (!pages_.contains(old_first)) {
      return expect(call(), Errno::kEFAULT, "mremap");  // nothing overlaps an empty old range
    }
    area_start = target < old_first ? std::max(area_start, target + new_length) : area_start;
    area_end = target > old_first ? std::min(area_end, target) : area_end;
  }
  if (old_length > new_length) {
    erase(old_first + new_length, old_length - new_length);
    area_end = std::min(area_end, old_first + new_length);
    old_length = new_length;
    if (!fixed) {
      expect(call(), Errno{}, "mremap");
      return;
    }
  }
  if (old_length == new_length && !fixed && !dont_unmap) {
    return expect(call(), Errno{}, "mremap");
  }
  const Page like = pages_.at(old_first);
  if (old_length == 0 && !like.shared) {
    return expect(call(), Errno::kEINVAL, "mremap");
  }
  if (old_first + old_length > area_end) {
    return expect(call(), Errno::kEFAULT, "mremap");
  }
  if (!fixed && !dont_unmap && old_first + old_length == area_end && all_free(area_end, new_length - old_length)) {
    const auto grown = call();
    expect(grown, Errno{}, "mremap");
    if (!grown) {
      return;
    }
    for (uint32_t i = old_length; i < new_length; ++i) {
      pages_[old_first + i] = fresh(like, i);
    }
    sync_copies(old_first, new_length);
    return *grown == at(old_first) ? void() : mismatch("grew elsewhere");
  }
  if ((flags & MremapFlag::kMayMove) == 0) {
    return expect(call(), Errno::kENOMEM, "mremap");
  }
  const uint32_t hint = target;
  if (!fixed) {
    target = dont_unmap && all_free(hint, new_length) ? hint : search(new_length);
  }
  const uint32_t moved_to = std::exchange(target, hint);
  const auto moved = call();
  if (!moved && moved.error() == Errno::kENOMEM && exhausted()) {
    partial_ = true;  // nothing has moved, but what stood at the target may be gone
    return;
  }
  expect(moved, Errno{}, "mremap");
  if (*moved != at(moved_to)) {
    mismatch(fmt::format("moved to {:x}, expected {:x}", moved->vpn(), moved_to));
  }
  move_pages({.from = old_first, .length = old_length, .area_start = area_start, .area_end = area_end}, moved_to,
             new_length, dont_unmap);
}

ModelDriver::Page ModelDriver::fresh(const Page& like, uint32_t offset) {
  Page page = like;
  page.index = like.index + offset;
  page.copied = false;
  return page;
}

// The pages of a piece of one area went to `to`, where there are `new_length` now.
void ModelDriver::move_pages(const Piece& piece, uint32_t to, uint32_t new_length, bool dont_unmap) {
  const Page like = pages_.at(piece.from);
  Pages arrived;
  for (uint32_t i = 0; i < new_length; ++i) {
    arrived[to + i] = i < piece.length ? pages_.at(piece.from + i) : fresh(like, i);
  }
  const VmArea* const left = machine_.mm().areas().lookup(at(piece.from));
  // Without memory to split its area, the old range stays mapped, empty. Linux: move_vma.
  const bool kept = !dont_unmap && piece.length != 0 && exhausted() &&
                    (to + new_length <= piece.from || piece.from + piece.length <= to) && left != nullptr;
  if (dont_unmap || kept) {
    for (uint32_t i = 0; i < piece.length; ++i) {
      pages_.at(piece.from + i).copied = false;
    }
  } else {
    erase(piece.from, piece.length);
  }
  for (auto& [vpn, page] : arrived) {
    pages_[vpn] = page;
  }
  if (dont_unmap) {
    // The whole old area is no longer locked, nor are the moved pages if they became part of it.
    const bool one_area = left != nullptr && left->contains(at(to));
    for (auto it = pages_.lower_bound(piece.area_start); it != pages_.end() && it->first < piece.area_end; ++it) {
      it->second.locked = it->second.locked && arrived.contains(it->first);
    }
    for (uint32_t i = 0; one_area && i < new_length; ++i) {
      pages_.at(to + i).locked = false;
    }
  }
  sync_copies(to, new_length);
}

// Whether a piece is at its new place. Asked when a call ended without memory half-way.
bool ModelDriver::has_moved(const Piece& piece, uint32_t to) {
  for (uint32_t i = 0; i < piece.length; ++i) {
    const Page& page = before_.at(piece.from + i);
    const VmArea* const area = machine_.mm().areas().lookup(at(to + i));
    const mmu::Pte left = machine_.pte(at(piece.from + i));
    if (area == nullptr || (area->flags & kVmAccessFlags) != page.prot || area->has(VmFlag::kMayShare) != page.shared ||
        (area->file != nullptr) != (page.file != nullptr)) {
      return false;
    }
    if (page.file != nullptr && (area->page_index(at(to + i)) != page.index || area->file->mapping != piece.mapping)) {
      return false;
    }
    // Nothing is left behind, and what had no copy has none now.
    if (left.present() || left.swap() || (!page.shared && !page.copied && has_copy(to + i))) {
      return false;
    }
  }
  return true;
}

// Each area of the range moves for itself, as if it were called for alone. Linux: remap_move.
void ModelDriver::do_move_many(uint32_t first, uint32_t length, uint32_t target, uint32_t flags) {
  const bool dont_unmap = (flags & MremapFlag::kDontUnmap) != 0;
  std::vector<Piece> pieces;
  for (const VmArea* area = machine_.mm().areas().find(at(first)); area != nullptr && area->start < at(first + length);
       area = area->next) {
    const uint32_t from = std::max(first, area->start.vpn());
    const uint32_t to = target + (from - first);
    Piece piece{.from = from, .length = std::min(first + length, area->end.vpn()) - from};
    piece.mapping = area->file != nullptr ? area->file->mapping : nullptr;
    // What stands at the new place goes first, perhaps a part of the same area; so it went for earlier pieces.
    piece.area_start = to < from ? std::max(area->start.vpn(), to + piece.length) : area->start.vpn();
    piece.area_end = to > from ? std::min(area->end.vpn(), target) : area->end.vpn();
    pieces.push_back(piece);
  }
  const auto moved =
      machine_.mm().mremap(at(first), bytes_of(length), bytes_of(length), flags, at(target), machine_.task);
  if (pieces.empty() || pieces.front().from != first) {
    return expect(moved, Errno::kEFAULT, "mremap");
  }
  expect(moved, Errno{}, "mremap");
  if (moved && *moved != at(target)) {
    mismatch(fmt::format("moved to {:x}, expected {:x}", moved->vpn(), target));
  }
  for (const Piece& piece : pieces) {
    const uint32_t to = target + (piece.from - first);
    if (!moved && !has_moved(piece, to)) {
      before_ = pages_;  // as far as it came
      erase(to, piece.length);
      return;
    }
    erase(to, piece.length);
    move_pages(piece, to, piece.length, dont_unmap);
  }
}

void ModelDriver::do_madvise() {
  static constexpr std::array<int, 16> kAdvice{0, 1, 3, 4, 4, 4, 8, 10, 11, 18, 19, 20, 21, 21, 22, 23};
  const int advice = kAdvice[choose_(kAdvice.size())];
  const uint32_t first = kArena - 4 + choose_(kArenaPages + 4);
  const uint32_t length = 1 + choose_(10);
  last_ = fmt::format("madvise {:x}+{} {}", first, length, advice);
  const bool populate = advice == 22 || advice == 23;
  Errno error{};
  for (uint32_t vpn = first; vpn < first + length; ++vpn) {
    const auto page = pages_.find(vpn);
    if (page == pages_.end()) {
      error = Errno::kENOMEM;
      if (populate && !machine_.memory().profile().populate_passes_holes) {
        break;
      }
      continue;
    }
    Page& here = page->second;
    if ((advice == 4 && here.locked) || (advice == 8 && (here.locked || here.file != nullptr)) ||
        ((advice == 20 || advice == 21) && here.locked) || (advice == 18 && (here.file != nullptr || here.shared)) ||
        (populate && (here.prot & (advice == 23 ? kWrite : kRead)) == 0)) {
      error = Errno::kEINVAL;
      break;
    }
    if (populate && beyond_end(here)) {
      error = Errno::kEFAULT;
      break;
    }
    here.dont_fork = advice == 10 || (here.dont_fork && advice != 11);
    here.wipe_on_fork = advice == 18 || (here.wipe_on_fork && advice != 19);
    here.copied = here.copied && advice != 4;
    here.given_up = here.copied && (here.given_up || (advice == 8 && here.file == nullptr && !here.shared));
  }
  const auto done = machine_.mm().madvise(at(first), bytes_of(length), advice, machine_.task);
  sync_copies(first, length);
  expect(done, error, "madvise");
  // DONTNEED and FREE take no memory: what they could do is done.
  partial_ = partial_ && advice != 4 && advice != 8;
}

void ModelDriver::do_brk() {
  const uint32_t wanted = kHeap + choose_(kHeapPages);
  last_ = fmt::format("brk {:x}", wanted);
  bool ok = true;
  if (wanted < brk_) {
    ok = !all_free(wanted, brk_ - wanted);
  } else if (wanted > brk_) {
    ok = all_free(brk_, wanted - brk_ + 1);
  }
  const VirtAddr got = machine_.mm().brk(at(wanted), machine_.task);
  if (ok && got == at(brk_) && wanted != brk_ && exhausted()) {
    return;
  }
  if (got != at(ok ? wanted : brk_)) {
    mismatch(fmt::format("brk is {:x}", got.vpn()));
  }
  if (ok && wanted < brk_) {
    erase(wanted, brk_ - wanted);
  }
  for (uint32_t vpn = brk_; ok && vpn < wanted; ++vpn) {
    pages_[vpn] = Page{.prot = kRw};
  }
  brk_ = ok ? wanted : brk_;
  ++successes_;
}

void ModelDriver::do_lock() {
  const uint32_t first = kArena + choose_(kArenaPages);
  const uint32_t length = 1 + choose_(6);
  const bool lock = choose_(2) == 0;
  last_ = fmt::format("{} {:x}+{}", lock ? "mlock" : "munlock", first, length);
  Errno error{};
  for (uint32_t vpn = first; vpn < first + length && error == Errno{}; ++vpn) {
    const auto page = pages_.find(vpn);
    error = page == pages_.end() ? Errno::kENOMEM : Errno{};
    if (page != pages_.end()) {
      page->second.locked = lock;
    }
  }
  if (!lock) {
    return expect(machine_.mm().munlock(at(first), bytes_of(length)), error, "munlock");
  }
  bool unreadable = false;
  for (uint32_t vpn = first; vpn < first + length && error == Errno{}; ++vpn) {
    unreadable = unreadable || pages_.at(vpn).prot == 0 || beyond_end(pages_.at(vpn));
  }
  const auto done = machine_.mm().mlock(at(first), bytes_of(length), machine_.task);
  sync_copies(first, length);
  if (error == Errno{} && !done && done.error() == Errno::kEAGAIN && exhausted()) {
    return;  // locked, but not all is in memory
  }
  expect(done, unreadable ? Errno::kENOMEM : error, "mlock");
}

void ModelDriver::do_sync() {
  const uint32_t first = kArena + choose_(kArenaPages);
  const uint32_t length = 1 + choose_(16);
  last_ = fmt::format("msync {:x}+{}", first, length);
  Errno error{};
  for (uint32_t vpn = first; vpn < first + length; ++vpn) {
    error = pages_.contains(vpn) ? error : Errno::kENOMEM;
  }
  expect(machine_.mm().msync(at(first), bytes_of(length), /*MS_SYNC*/ 4), error, "msync");
  for (auto it = pages_.lower_bound(first); it != pages_.end() && it->first < first + length; ++it) {
    const Page& page = it->second;
    if (page.file == nullptr || page.file->shmem() || !page.shared || beyond_end(page)) {
      continue;
    }
    for (size_t i = 0; i < kWordOffsets.size(); ++i) {
      const uint64_t offset = (uint64_t{page.index} << kPageShift) + kWordOffsets[i];
      if (page.may_write && page.file->test.store->word(offset) != page.file->words[page.index][i]) {
        mismatch(fmt::format("page {} of the file was not written back", page.index));
      }
    }
  }
}

void ModelDriver::do_truncate() {
  File& file = *files_[choose_(static_cast<uint32_t>(files_.size()))];
  const auto old_size = static_cast<uint32_t>(file.words.size());
  const uint32_t size = std::min(kMostFilePages, choose_(3) == 0 ? old_size + choose_(6) : choose_(old_size + 1));
  last_ = fmt::format("truncate {} to {} pages", file.shmem() ? "shared memory" : "a file", size);
  if (!file.shmem()) {
    file.test.store->bytes.resize(uint64_t{size} << kPageShift);
  }
  file.test.mapping().truncate(uint64_t{size} << kPageShift);
  file.words.resize(size);
  for_each_process([&](const AddressSpace&, Pages& pages) {
    for (auto& [vpn, page] : pages) {
      page.copied = page.copied && !(page.file.get() == &file && page.index >= size);
    }
  });
  ++successes_;
}

}  // namespace fl::vm::test
