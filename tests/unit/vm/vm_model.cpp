// The driver: accesses by CPU and kernel, the model's memory, and the checks after each step.
#include "tests/unit/vm/vm_model.hpp"

#include "tests/unit/vm/memory_swap_store.hpp"
#include "vm/swap/swap_space.hpp"

namespace fl::vm::test {

using namespace model;

ModelDriver::ModelDriver(Choose choose, uint32_t frames, const KernelProfile& profile, uint32_t swap_pages)
    : choose_(std::move(choose)), machine_(frames, profile) {
  machine_.new_space(MemoryLimits{.stack = bytes_of(kStackLimit)});
  if (swap_pages != 0) {
    auto store = std::make_shared<MemorySwapStore>(swap_pages);
    store->rotates = choose_(2) == 0;
    swap_ = std::move(store);
    FL_CHECK(machine_.memory().swap().swapon(swap_, "/swap", std::nullopt));
  }
  machine_.memory().slab().shrink_all();
  free_at_start_ = machine_.pages().free_frames();
  AddressSpace& mm = machine_.mm();
  mm.set_mmap_base(at(kMmapBase));
  mm.layout().start_brk = mm.layout().brk = at(kHeap);
  brk_ = kHeap;
  FL_CHECK(mm.map_stack(at(kStackTop), bytes_of(2), VmFlag::kRead | VmFlag::kWrite).has_value());
  for (uint32_t vpn = kStackTop - 2; vpn < kStackTop; ++vpn) {
    pages_[vpn] = Page{.prot = kRw, .grows_down = true};
  }
  for (const uint32_t pages : {3u, 40u}) {
    auto file = std::make_shared<File>();
    file->test = machine_.new_file(pages);
    file->read_only = std::make_shared<MappedFile>(*file->test.file);
    file->read_only->writable = false;
    file->words.resize(pages);
    for (uint32_t page = 0; page < pages; ++page) {
      for (size_t i = 0; i < kWordOffsets.size(); ++i) {
        file->words[page][i] = next_value_;
        file->test.store->set_word((uint64_t{page} << kPageShift) + kWordOffsets[i], next_value_++);
      }
    }
    files_.push_back(std::move(file));
  }
  // A segment of shared memory, which is there whether it is mapped or not.
  auto segment = std::make_shared<File>();
  segment->test.file = std::make_shared<MappedFile>();
  segment->test.file->mapping = *Mapping::for_shmem(machine_.memory(), bytes_of(16), ShmemCharge::kByPage);
  segment->test.file->writable = true;
  segment->read_only = std::make_shared<MappedFile>(*segment->test.file);
  segment->read_only->writable = false;
  segment->words.resize(16);
  files_.push_back(std::move(segment));
}

uint32_t ModelDriver::any_page() {
  const uint32_t kind = choose_(16);
  if (kind == 0) {
    return kHeap + choose_(kHeapPages);
  }
  if (kind == 1) {
    return kStackTop - kStackLimit - 2 + choose_(kStackLimit + 3);
  }
  if (kind < 6 && !pages_.empty()) {
    auto page = pages_.lower_bound(kArena - 64 + choose_(kArenaPages + 64));
    return page != pages_.end() ? page->first : kArena;
  }
  return kArena + choose_(kArenaPages);
}

bool ModelDriver::all_free(uint32_t first, uint32_t pages) const {
  const auto next = pages_.lower_bound(first);
  return next == pages_.end() || next->first >= first + pages;
}

// The highest hole below mmap_base, by trying.
uint32_t ModelDriver::search(uint32_t pages) const {
  uint32_t vpn = kMmapBase - pages;
  while (!all_free(vpn, pages)) {
    --vpn;
  }
  return vpn;
}

void ModelDriver::erase(uint32_t first, uint32_t pages) {
  pages_.erase(pages_.lower_bound(first), pages_.lower_bound(first + pages));
}

ModelDriver::Words ModelDriver::content(const Page& page) const {
  if (page.copied) {
    return page.copy;
  }
  return page.file != nullptr && !beyond_end(page) ? page.file->words[page.index] : Words{};
}

// In memory or swap.
bool ModelDriver::has_copy(uint32_t vpn) {
  const mmu::Pte pte = machine_.pte(at(vpn));
  return pte.swap() || (pte.present() && !pte.special() && machine_.memory().page(pte.pfn()).has(PageFlag::kAnon));
}

// Populating stops where memory ends, so which private file pages now have copies is asked of the page tables.
void ModelDriver::sync_copies(uint32_t first, uint32_t pages) {
  for (auto it = pages_.lower_bound(first); it != pages_.end() && it->first < first + pages; ++it) {
    if (!it->second.shared && !it->second.copied && has_copy(it->first)) {
      it->second.copy = content(it->second);
      it->second.copied = true;
    }
  }
}

// What should refuse the access: "" for nothing.
std::string ModelDriver::check_access(uint32_t vpn, mmu::Access access) {
  auto page = pages_.find(vpn);
  if (page == pages_.end() && !grow_stack(vpn)) {
    return "maperr";
  }
  const Page& here = pages_.at(vpn);
  if (access == mmu::Access::kWrite ? (here.prot & kWrite) == 0 : here.prot == 0) {
    return "accerr";
  }
  if (beyond_end(here)) {
    return "bus";
  }
  const bool no_execute = machine_.mmu().no_execute() == mmu::NoExecute::kHonoured;
  return access == mmu::Access::kFetch && no_execute && (here.prot & kExec) == 0 ? "accerr" : "";
}

bool ModelDriver::grow_stack(uint32_t vpn) {
  const auto above = pages_.lower_bound(vpn);
  if (above == pages_.end() || !above->second.grows_down) {
    return false;
  }
  // A fixed mapping may have cut the stack: the limit counts from the end of the area.
  if (machine_.mm().areas().find(at(vpn))->end.vpn() - vpn > kStackLimit) {
    return false;
  }
  if (above != pages_.begin()) {
    const auto& [below, page] = *std::prev(above);
    if (!page.grows_down && page.prot != 0 && vpn - (below + 1) < kStackGuardGap >> kPageShift) {
      return false;
    }
  }
  const Page like = above->second;
  for (uint32_t grown = vpn; !pages_.contains(grown); ++grown) {
    pages_[grown] = Page{.prot = like.prot, .grows_down = true};
  }
  return true;
}

void ModelDriver::compare_word(uint32_t vpn, const std::byte* host, uint32_t which) {
  uint32_t is = 0;
  std::memcpy(&is, host, sizeof is);
  if (Page& page = pages_.at(vpn); page.given_up) {
    const std::byte* const base = static_cast<const std::byte*>(host) - kWordOffsets[which];
    bool dropped = false;
    for (size_t i = 0; i < kWordOffsets.size(); ++i) {
      uint32_t word = 0;
      std::memcpy(&word, base + kWordOffsets[i], sizeof word);
      dropped = dropped || (word == 0 && content(page)[i] != 0);
    }
    if (dropped) {
      page.copy = {};
      page.given_up = false;
    }
  }
  const uint32_t should_be = content(pages_.at(vpn))[which];
  if (is != should_be) {
    mismatch(fmt::format("page {:x} has {:#x} at {:#x}, expected {:#x}", vpn, is, kWordOffsets[which], should_be));
  }
}

void ModelDriver::do_touch() {
  const uint32_t vpn = any_page();
  const auto access = static_cast<mmu::Access>(choose_(5) % 3);
  const uint32_t which = choose_(kWordOffsets.size());
  last_ = fmt::format("{} {:x}+{:#x}", access_name(access), vpn, kWordOffsets[which]);
  const std::string refusal = check_access(vpn, access);
  const VirtAddr va = at(vpn) + kWordOffsets[which];
  const bool was_present = machine_.pte(va).hw_present();
  const Machine::Touch touched = machine_.touch(va, access);
  if (touched.faults > 1) {
    mismatch("one access took more than one fault");
  }
  if (touched.refused == FaultResult::kOom && refusal != "maperr" && exhausted()) {
    return;
  }
  if (touched.refused == FaultResult::kMapErr && grew() && exhausted()) {
    partial_ = true;  // no memory to grow the stack is no stack. Linux: expand_downwards
    return;
  }
  const auto name = [](std::optional<FaultResult> result) -> std::string {
    return !result                           ? ""
           : *result == FaultResult::kMapErr ? "maperr"
           : *result == FaultResult::kAccErr ? "accerr"
           : *result == FaultResult::kBusErr ? "bus"
                                             : "oom";
  };
  if (name(touched.refused) != refusal) {
    mismatch(fmt::format("ended in '{}', expected '{}'", name(touched.refused), refusal));
  }
  if (touched.refused) {
    return;
  }
  ++successes_;
  if (!was_present && touched.faults != 1) {
    mismatch("an absent page did not fault");
  }
  Page& page = pages_.at(vpn);
  compare_word(vpn, touched.host, which);
  if (access != mmu::Access::kWrite) {
    return;
  }
  page.given_up = false;
  if (!page.shared && !page.copied) {
    page.copy = content(page);
    page.copied = true;
  }
  (page.shared ? page.file->words[page.index] : page.copy)[which] = next_value_;
  std::memcpy(touched.host, &next_value_, sizeof next_value_);
  ++next_value_;
}

void ModelDriver::do_kernel_touch() {
  const uint32_t vpn = any_page();
  const bool write = choose_(2) == 0;
  const uint32_t which = choose_(kWordOffsets.size());
  last_ = fmt::format("kernel {} {:x}", write ? "write" : "read", vpn);
  const bool refused = !check_access(vpn, write ? mmu::Access::kWrite : mmu::Access::kRead).empty();
  const auto span =
      machine_.user().chunk(at(vpn) + kWordOffsets[which], 4, write ? mmu::Access::kWrite : mmu::Access::kRead);
  if (!span && (!refused || grew()) && exhausted()) {
    partial_ = grew();
    return;
  }
  expect(span, refused ? Errno::kEFAULT : Errno{}, "the kernel's access");
  if (!span) {
    return;
  }
  Page& page = pages_.at(vpn);
  compare_word(vpn, span->data(), which);
  if (write) {
    page.given_up = false;
    if (!page.shared && !page.copied) {
      page.copy = content(page);
      page.copied = true;
    }
    (page.shared ? page.file->words[page.index] : page.copy)[which] = next_value_;
    std::memcpy(span->data(), &next_value_, sizeof next_value_);
    ++next_value_;
  }
}

void ModelDriver::do_file_read() {
  File& file = *files_[choose_(static_cast<uint32_t>(files_.size()))];
  const uint32_t index = choose_(kMostFilePages);
  last_ = fmt::format("read page {} of a file of {}", index, file.words.size());
  std::array<std::byte, kPageSize> bytes{};
  const auto got = file.test.mapping().read(uint64_t{index} << kPageShift, bytes);
  if (!got && got.error() == Errno::kENOMEM && exhausted()) {
    return;
  }
  expect(got, Errno{}, "read");
  if (*got != (index < file.words.size() ? kPageSize : 0)) {
    mismatch(fmt::format("{} bytes", *got));
  }
  for (size_t i = 0; *got != 0 && i < kWordOffsets.size(); ++i) {
    uint32_t is = 0;
    std::memcpy(&is, bytes.data() + kWordOffsets[i], sizeof is);
    if (is != file.words[index][i]) {
      mismatch(fmt::format("word {} is {:#x}, expected {:#x}", i, is, file.words[index][i]));
    }
  }
}

void ModelDriver::check_areas(const AddressSpace& mm, const Pages& pages) const {
  for (const VmArea* area = mm.areas().first(); area != nullptr; area = area->next) {
    for (uint32_t vpn = area->start.vpn(); vpn < area->end.vpn(); ++vpn) {
      const auto page = pages.find(vpn);
      if (page == pages.end()) {
        mismatch(fmt::format("page {:x} is mapped", vpn));
      }
      if ((area->flags & kVmAccessFlags) != page->second.prot ||
          area->shared() != (page->second.shared && page->second.may_write)) {
        mismatch(fmt::format("page {:x} has rights {}", vpn, permissions(*area)));
      }
      // The model learns of mlock's partial success here.
      if (area->has(VmFlag::kLocked) != page->second.locked) {
        mismatch(fmt::format("page {:x} is {} locked", vpn, area->has(VmFlag::kLocked) ? "" : "not"));
      }
      if (area->has(VmFlag::kDontCopy) != page->second.dont_fork ||
          area->has(VmFlag::kWipeOnFork) != page->second.wipe_on_fork) {
        mismatch(fmt::format("page {:x} has other advice for fork", vpn));
      }
    }
  }
  if (mm.use().total_vm != pages.size()) {
    mismatch(fmt::format("{} pages are mapped, expected {}", mm.use().total_vm, pages.size()));
  }
}

void ModelDriver::check_all() {
  for_each_process([this](const AddressSpace& mm, const Pages& pages) { check_areas(mm, pages); });
  if (const std::vector<std::string> problems = machine_.problems(); !problems.empty()) {
    mismatch(problems.front());
  }
}

void ModelDriver::reconcile() {
  const Pages after = std::exchange(pages_, {});
  const auto take = [&](const Pages& from, uint32_t vpn, const VmArea& area) {
    const auto page = from.find(vpn);
    if (page == from.end() || page->second.prot != (area.flags & kVmAccessFlags)) {
      return false;
    }
    pages_[vpn] = page->second;
    pages_[vpn].locked = area.has(VmFlag::kLocked);
    pages_[vpn].dont_fork = area.has(VmFlag::kDontCopy);
    pages_[vpn].wipe_on_fork = area.has(VmFlag::kWipeOnFork);
    return true;
  };
  for (const VmArea* area = machine_.mm().areas().first(); area != nullptr; area = area->next) {
    for (uint32_t vpn = area->start.vpn(); vpn < area->end.vpn(); ++vpn) {
      if (!take(before_, vpn, *area) && !take(after, vpn, *area)) {
        mismatch(fmt::format("page {:x} is neither as before nor as it should become", vpn));
      }
      sync_copies(vpn, 1);
    }
  }
}

void ModelDriver::step() {
  const uint32_t call = choose_(41);
  before_ = pages_;
  partial_ = false;
  injected_ = choose_(8) == 0;
  machine_.pages().fail_allocation(injected_ ? 1 + choose_(4) : 0);
  if (call < 4) {
    do_mmap();
  } else if (call == 4) {
    do_munmap();
  } else if (call == 5) {
    do_mprotect();
  } else if (call == 6) {
    do_mremap();
  } else if (call == 7) {
    do_madvise();
  } else if (call == 8) {
    do_brk();
  } else if (call == 9) {
    do_lock();
  } else if (call == 10) {
    do_sync();
  } else if (call == 11) {
    do_truncate();
  } else if (call < 15) {
    do_kernel_touch();
  } else if (call == 15) {
    do_file_read();
  } else if (call < 32) {
    do_touch();
  } else if (call == 32) {
    do_fork();
  } else if (call < 36) {
    do_switch();
  } else if (call == 36) {
    do_exit();
  } else if (call < 39) {
    do_shm();
  } else if (call == 39) {
    do_pressure();
  } else {
    do_swapoff();
  }
  machine_.pages().fail_allocation(0);
  if (partial_) {
    reconcile();
  }
  if (after_call) {
    after_call(*this);
  }
  check_all();
}

// Nobody maps it any more.
void ModelDriver::check_file(File& file) {
  if (!file.test.mapping().write_back(0, UINT64_MAX)) {
    mismatch("a file could not be written back");
  }
  for (uint32_t page = 0; page < file.words.size(); ++page) {
    std::array<std::byte, kPageSize> bytes{};
    const uint64_t offset = uint64_t{page} << kPageShift;
    if (file.shmem() && file.test.mapping().holds(page)) {
      if (const auto got = file.test.mapping().read(offset, bytes); !got || *got != kPageSize) {
        mismatch("shared memory cannot be read");
      }
    } else if (!file.shmem()) {
      std::copy_n(file.test.store->bytes.begin() + static_cast<ptrdiff_t>(offset), kPageSize, bytes.begin());
    }
    for (size_t i = 0; i < kWordOffsets.size(); ++i) {
      uint32_t is = 0;
      std::memcpy(&is, bytes.data() + kWordOffsets[i], sizeof is);
      if (is != file.words[page][i]) {
        mismatch(fmt::format("page {} of a file is not what was stored", page));
      }
    }
  }
}

void ModelDriver::finish() {
  last_ = "end";
  others_.clear();
  machine_.drop_space();
  for (const Pfn frame : std::exchange(hoard_, {})) {
    machine_.pages().free_pages(frame);
  }
  for (const std::shared_ptr<File>& file : files_) {
    check_file(*file);
  }
  pages_.clear();
  before_.clear();
  files_.clear();
  if (const std::vector<std::string> problems = verify(machine_.memory()); !problems.empty()) {
    mismatch(problems.front());
  }
  // The directory and its mm_struct were there at the start.
  machine_.memory().slab().shrink_all();
  if (machine_.pages().free_frames() != free_at_start_ + 2) {
    mismatch(fmt::format("{} frames are lost", free_at_start_ + 2 - machine_.pages().free_frames()));
  }
}

}  // namespace fl::vm::test
