// faultline::Mmu: frames from a free list, page tables of mmu in them, and the walk.
#include <fmt/format.h>

#include <cstring>
#include <faultline/mmu.hpp>
#include <map>
#include <utility>
#include <vector>

#include "mmu/base/check.hpp"
#include "mmu/embed/convert.hpp"
#include "mmu/frame_source.hpp"
#include "mmu/kernel_map.hpp"
#include "mmu/mmu.hpp"
#include "mmu/page_tables.hpp"
#include "mmu/ram.hpp"

namespace fl::embed {
namespace {

// Frame 0 is nobody's, as on a PC; the kernel's directory is the first one.
constexpr uint32_t kKernelDirectory = 1, kFirstFree = 2;
constexpr uint32_t kLeastFrames = 8, kMostFrames = 1u << 20;

// All frames; those of low memory, where page tables must be, are given last.
class Frames final : public mmu::FrameSource {
 public:
  enum class Use : uint8_t { kFree, kPage, kTable };
  explicit Frames(const mmu::Ram& ram) : ram_(ram), use_(ram.frames(), Use::kFree) {
    use_[0] = use_[kKernelDirectory] = Use::kTable;
    for (uint32_t frame = ram.frames(); frame-- > kFirstFree;) {
      list_of(frame).push_back(frame);
    }
  }
  Result<Pfn> allocate() { return take(high_.empty() ? low_ : high_, Use::kPage); }
  // False: it is no page that was allocated.
  bool free_page(uint32_t frame) {
    const bool known = frame < use_.size() && use_[frame] == Use::kPage;
    if (known) {
      give_back(frame);
    }
    return known;
  }
  Result<Pfn> alloc_table() override { return take(low_, Use::kTable); }
  void free_table(Pfn pfn) override {
    FL_CHECK(pfn.value() < use_.size() && use_[pfn.value()] == Use::kTable, "frame {:#x} is no table", pfn.value());
    give_back(pfn.value());
  }
  uint32_t free() const { return static_cast<uint32_t>(low_.size() + high_.size()); }

 private:
  std::vector<uint32_t>& list_of(uint32_t frame) { return ram_.is_low(Pfn(frame)) ? low_ : high_; }
  void give_back(uint32_t frame) {
    use_[frame] = Use::kFree;
    list_of(frame).push_back(frame);
  }
  Result<Pfn> take(std::vector<uint32_t>& from, Use use) {
    if (from.empty()) {
      return fail(Errno::kENOMEM);
    }
    const Pfn pfn(from.back());
    from.pop_back();
    use_[pfn.value()] = use;
    std::memset(ram_.physical(pfn), 0, kPageSize);
    return pfn;
  }

  const mmu::Ram& ram_;
  std::vector<Use> use_;
  std::vector<uint32_t> low_, high_;  // free; the next one at the end
};

}  // namespace

struct MmuState {
  MmuState(mmu::Ram memory, mmu::NoExecute no_execute)
      : ram(std::move(memory)),
        frames(ram),
        kernel(ram, Pfn(kKernelDirectory), mmu::LargePages::kYes, [this] { return frames.alloc_table().value(); }),
        unit(ram, no_execute) {}
  ~MmuState() {
    for (auto& [frame, tables] : directories) {
      clear(tables);
    }
  }
  static void clear(mmu::PageTables& tables) {
    tables.for_each(VirtAddr(0), mmu::kTaskSize, [](VirtAddr, mmu::Pte& entry) { entry = mmu::Pte(); });
  }
  mmu::PageTables* find(uint32_t directory) {
    const auto found = directories.find(directory);
    return found != directories.end() ? &found->second : nullptr;
  }

  mmu::Ram ram;
  Frames frames;
  mmu::KernelMap kernel;
  mmu::Mmu unit;
  std::map<uint32_t, mmu::PageTables> directories;
};

}  // namespace fl::embed

namespace faultline {

using fl::Errno;
using fl::Pfn;
using fl::VirtAddr;
using fl::embed::refuse;
using fl::mmu::Pte;

std::string_view version() { return FL_VERSION; }

Result<Mmu> Mmu::create(const MmuOptions& options) {
  if (options.frames < fl::embed::kLeastFrames || options.frames > fl::embed::kMostFrames) {
    return tl::unexpected<Error>(Error{fmt::format("cannot make RAM: {} frames: {} to {} are possible", options.frames,
                                                   fl::embed::kLeastFrames, fl::embed::kMostFrames),
                                       static_cast<int>(Errno::kEINVAL)});
  }
  auto ram = fl::mmu::Ram::create(options.frames);
  if (!ram) {
    return refuse("make RAM", ram.error());
  }
  const auto no_execute = options.no_execute ? fl::mmu::NoExecute::kHonoured : fl::mmu::NoExecute::kUnsupported;
  return Mmu(std::make_unique<fl::embed::MmuState>(std::move(*ram), no_execute));
}

Mmu::Mmu(std::unique_ptr<fl::embed::MmuState> state) : state_(std::move(state)) {}
Mmu::Mmu(Mmu&&) noexcept = default;
Mmu& Mmu::operator=(Mmu&&) noexcept = default;
Mmu::~Mmu() = default;

Result<uint32_t> Mmu::allocate_frame() {
  const auto frame = state_->frames.allocate();
  if (!frame) {
    return refuse("allocate a frame", frame.error());
  }
  return frame->value();
}

Status Mmu::free_frame(uint32_t frame) {
  if (!state_->frames.free_page(frame)) {
    return refuse("free the frame", Errno::kEINVAL);
  }
  return {};
}

uint32_t Mmu::free_frames() const { return state_->frames.free(); }

std::span<std::byte> Mmu::memory() { return {state_->ram.data(), state_->ram.bytes()}; }

Result<uint32_t> Mmu::new_directory() {
  auto tables = fl::mmu::PageTables::create(state_->ram, state_->frames, state_->kernel);
  if (!tables) {
    return refuse("make a page directory", tables.error());
  }
  const uint32_t frame = tables->directory().value();
  state_->directories.emplace(frame, std::move(*tables));
  return frame;
}

Status Mmu::free_directory(uint32_t directory) {
  fl::mmu::PageTables* const tables = state_->find(directory);
  if (tables == nullptr || state_->unit.cr3() == Pfn(directory)) {
    return refuse("free the page directory", Errno::kEINVAL);
  }
  state_->clear(*tables);
  state_->directories.erase(directory);
  return {};
}

Status Mmu::map(uint32_t directory, uint32_t address, uint32_t frame, const Rights& rights) {
  fl::mmu::PageTables* const tables = state_->find(directory);
  if (tables == nullptr || frame >= state_->ram.frames() || address >= kUserEnd) {
    return refuse("map", Errno::kEINVAL);
  }
  const auto entry = tables->find_or_create(VirtAddr(address));
  if (!entry) {
    return refuse("map", entry.error());
  }
  uint32_t bits = Pte::kPresent;
  bits |= rights.write ? uint32_t{Pte::kWritable} : 0u;
  bits |= rights.user ? uint32_t{Pte::kUser} : 0u;
  bits |=
      !rights.execute && state_->unit.no_execute() == fl::mmu::NoExecute::kHonoured ? uint32_t{Pte::kNoExecute} : 0u;
  **entry = Pte(Pfn(frame), bits);
  return {};
}

Status Mmu::unmap(uint32_t directory, uint32_t address) {
  fl::mmu::PageTables* const tables = state_->find(directory);
  Pte* const entry = tables != nullptr && address < kUserEnd ? tables->find(VirtAddr(address)) : nullptr;
  if (entry == nullptr || entry->none()) {
    return refuse("unmap", Errno::kEINVAL);
  }
  *entry = Pte();
  return {};
}

uint32_t Mmu::entry(uint32_t directory, uint32_t address) const {
  fl::mmu::PageTables* const tables = state_->find(directory);
  const Pte* const entry = tables != nullptr && address < kUserEnd ? tables->find(VirtAddr(address)) : nullptr;
  return entry != nullptr ? entry->raw() : 0;
}

Status Mmu::set_cr3(uint32_t directory) {
  if (state_->find(directory) == nullptr) {
    return refuse("set CR3", Errno::kEINVAL);
  }
  state_->unit.set_cr3(Pfn(directory));
  return {};
}

uint32_t Mmu::cr3() const { return state_->unit.cr3().value(); }
uint32_t Mmu::cr2() const { return state_->unit.cr2().value(); }

Walk Mmu::walk(uint32_t address, Access access, Privilege privilege) {
  if (state_->find(cr3()) == nullptr) {
    return {};
  }
  const VirtAddr va(address);
  Walk walk = fl::embed::read_steps(state_->ram, state_->unit.cr3(), va);
  const auto ours = privilege == Privilege::kUser ? fl::mmu::Privilege::kUser : fl::mmu::Privilege::kSupervisor;
  fl::embed::add_outcome(walk, state_->unit.translate(va, fl::embed::to_ours(access), ours), va);
  return walk;
}

std::optional<uint32_t> Mmu::translate(uint32_t address, Access access, Privilege privilege) {
  const Walk found = walk(address, access, privilege);
  return found.allowed ? std::optional(found.physical) : std::nullopt;
}

}  // namespace faultline
