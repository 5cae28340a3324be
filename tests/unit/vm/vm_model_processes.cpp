// The model's processes, its segment of shared memory, and what makes memory scarce.
#include "tests/unit/vm/vm_model.hpp"
#include "vm/reclaim/page_reclaim.hpp"
#include "vm/swap/swap_space.hpp"

namespace fl::vm::test {

using namespace model;

// The child waits for its turn. It has the parent's private pages as they are now.
void ModelDriver::do_fork() {
  if (others_.size() + 1 == kMostProcesses) {
    return do_exit();
  }
  last_ = fmt::format("fork, {} others", others_.size());
  // Its tables, areas and their chains: what a child that failed has given back.
  constexpr uint32_t kMostOfChild = 40;
  const bool may_fail = exhausted() || machine_.usable_frames() <= kMostOfChild;
  auto child = machine_.mm().fork();
  if (!child) {
    if (child.error() != Errno::kENOMEM || !may_fail) {
      mismatch(fmt::format("fork failed: {}", errno_name(child.error())));
    }
    return;
  }
  ++successes_;
  Pages pages = pages_;
  std::erase_if(pages, [](const auto& entry) { return entry.second.dont_fork; });
  for (auto& [vpn, page] : pages) {
    page.locked = false;
    page.copied = page.copied && !page.wipe_on_fork;
    page.given_up = page.given_up && page.copied;
  }
  others_.push_back({.mm = std::move(*child), .pages = std::move(pages), .brk = brk_});
}

void ModelDriver::do_switch() {
  if (others_.empty()) {
    return do_touch();
  }
  const uint32_t to = choose_(static_cast<uint32_t>(others_.size()));
  last_ = fmt::format("switch to process {} of {}", to, others_.size());
  Process& other = others_[to];
  other.mm = machine_.switch_to(std::move(other.mm));
  std::swap(pages_, other.pages);
  std::swap(brk_, other.brk);
}

// One of those that wait ends.
void ModelDriver::do_exit() {
  if (others_.empty()) {
    return do_touch();
  }
  const uint32_t which = choose_(static_cast<uint32_t>(others_.size()));
  last_ = fmt::format("exit of process {} of {}", which, others_.size());
  others_.erase(others_.begin() + which);
  ++successes_;
}

// write(2) on shared memory, or a hole.
void ModelDriver::do_shm() {
  File& file = *files_.back();
  const uint32_t index = choose_(kMostFilePages);
  const auto size = static_cast<uint32_t>(file.words.size());
  if (choose_(4) == 0) {
    const uint32_t last = index + choose_(4);
    last_ = fmt::format("hole in shared memory {}-{} of {}", index, last, size);
    file.test.mapping().punch_hole(index, last);
    for (uint32_t page = index; page <= last && page < size; ++page) {
      file.words[page] = {};
    }
    ++successes_;
    return;
  }
  last_ = fmt::format("write page {} of shared memory of {}", index, size);
  std::array<std::byte, kPageSize> bytes{};
  Words words{};
  for (size_t i = 0; i < kWordOffsets.size(); ++i) {
    words[i] = next_value_++;
    std::memcpy(bytes.data() + kWordOffsets[i], &words[i], sizeof words[i]);
  }
  const auto written = file.test.mapping().write_shmem(uint64_t{index} << kPageShift, bytes);
  expect(written, Errno{}, "write");
  partial_ = false;
  if (written) {
    file.words.resize(std::max(size, index + 1));
    file.words[index] = words;
  }
}

// Memory gets scarce, and plentiful again.
void ModelDriver::do_pressure() {
  machine_.memory().faulted_pages().clear();
  const uint32_t kind = choose_(4);
  if (kind == 0) {
    last_ = fmt::format("{} frames come back", hoard_.size());
    for (const Pfn frame : std::exchange(hoard_, {})) {
      machine_.pages().free_pages(frame);
    }
  } else if (kind == 1) {
    last_ = "kswapd";
    machine_.memory().reclaim().wakeup_kswapd(ZoneType::kMovable);
    machine_.memory().reclaim().run_kswapds();
  } else if (kind == 2) {
    last_ = "direct reclaim";
    machine_.memory().reclaim().try_to_free_pages(kGfpHighUserMovable, 0, ZoneType::kMovable);
  } else {
    const uint32_t left = 10 + choose_(64);
    last_ = fmt::format("frames go, until {} are left", left);
    while (machine_.usable_frames() > left) {
      const auto frame = machine_.pages().alloc_pages(kGfpHighUserMovable | kGfpNoRetry);
      if (!frame) {
        break;
      }
      hoard_.push_back(*frame);
    }
  }
}

// All that is in swap comes back, if there is memory for it; then there is swap again.
void ModelDriver::do_swapoff() {
  if (swap_ == nullptr || choose_(4) != 0) {
    return do_touch();
  }
  last_ = "swapoff";
  SwapSpace& swap = machine_.memory().swap();
  if (const Status removed = swap.swapoff(0); !removed) {
    if (removed.error() != Errno::kENOMEM || !exhausted()) {
      mismatch(fmt::format("failed: {}", errno_name(removed.error())));
    }
    return;
  }
  ++successes_;
  machine_.pages().fail_allocation(0);
  if (const auto added = swap.swapon(swap_, "/swap", std::nullopt); !added) {
    // Whatever made room for the pages may have left none for the swap map.
    if (added.error() != Errno::kENOMEM || !exhausted()) {
      mismatch(fmt::format("swapon failed: {}", errno_name(added.error())));
    }
    swap_ = nullptr;
  }
}

}  // namespace fl::vm::test
