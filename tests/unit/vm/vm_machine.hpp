// A small machine for the tests of vm: RAM, the MMU, a CPU that only touches memory, files that live in host memory,
// and a record of every fault and flush. It needs no test framework, so that the fuzz targets can use it too.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "mmu/base/check.hpp"
#include "mmu/mmu.hpp"
#include "mmu/ram.hpp"
#include "vm/cache/backing_store.hpp"
#include "vm/cache/mapping.hpp"
#include "vm/fault/handle_fault.hpp"
#include "vm/memory_system.hpp"
#include "vm/mm/address_space.hpp"
#include "vm/slab/object_cache.hpp"
#include "vm/user_access.hpp"
#include "vm/verify/verify.hpp"

namespace fl::vm::test {

inline constexpr uint32_t kRead = Prot::kRead;
inline constexpr uint32_t kWrite = Prot::kWrite;
inline constexpr uint32_t kExec = Prot::kExec;
inline constexpr uint32_t kRw = kRead | kWrite;
inline constexpr uint32_t kAnonPrivate = MapFlag::kPrivate | MapFlag::kAnonymous;
inline constexpr uint32_t kAnonShared = MapFlag::kShared | MapFlag::kAnonymous;

constexpr uint32_t bytes_of(uint32_t pages) { return pages << kPageShift; }

// A processor's TLB as far as the kernel sees it: remembers what it was given until it is told to forget.
class RecordingTlb final : public mmu::TlbPort {
 public:
  uint32_t flushes = 0;
  std::vector<Pfn> changed;             // code_changed, in order
  std::map<uint32_t, mmu::Pte> cached;  // page number -> entry as it was handed out
  std::set<Pfn> code;                   // frames that code was translated from

  void flush() override {
    ++flushes;
    cached.clear();
  }
  void code_changed(Pfn pfn) override {
    changed.push_back(pfn);
    code.erase(pfn);
  }
  std::vector<mmu::CachedTranslation> cached_translations() const override {
    std::vector<mmu::CachedTranslation> translations;
    for (const auto& [vpn, entry] : cached) {
      translations.push_back({VirtAddr(vpn << kPageShift), entry});
    }
    return translations;
  }
  bool has_code(Pfn pfn) const override { return code.contains(pfn); }
};

// A file in host memory. Its errors can be switched on.
class MemoryStore final : public BackingStore {
 public:
  explicit MemoryStore(uint64_t size) : bytes(size) {}
  uint64_t size() const override { return bytes.size(); }
  Status read_pages(uint64_t first, std::span<std::byte* const> pages) override {
    ++reads;
    if (fail_reads) {
      return fail(Errno::kEIO);
    }
    for (std::byte* page : pages) {
      const uint64_t offset = first++ << kPageShift;
      const uint64_t rest = offset < bytes.size() ? std::min<uint64_t>(bytes.size() - offset, kPageSize) : 0;
      std::copy_n(bytes.begin() + static_cast<ptrdiff_t>(rest != 0 ? offset : 0), rest, page);
      std::fill_n(page + rest, kPageSize - rest, std::byte{0});
    }
    return {};
  }
  Status write_page(uint64_t index, std::span<const std::byte, 4096> page) override {
    ++writes;
    if (fail_writes) {
      return fail(Errno::kEIO);
    }
    const uint64_t offset = index << kPageShift;
    const uint64_t rest = offset < bytes.size() ? std::min<uint64_t>(bytes.size() - offset, kPageSize) : 0;
    std::copy_n(page.begin(), rest, bytes.begin() + static_cast<ptrdiff_t>(rest != 0 ? offset : 0));
    return {};
  }

  uint32_t word(uint64_t offset) const {
    uint32_t value = 0;
    std::memcpy(&value, bytes.data() + offset, sizeof value);
    return value;
  }
  void set_word(uint64_t offset, uint32_t value) { std::memcpy(bytes.data() + offset, &value, sizeof value); }

  std::vector<std::byte> bytes;
  uint32_t reads = 0;
  uint32_t writes = 0;
  bool fail_reads = false;
  bool fail_writes = false;
};

// Objects that somebody holds of one cache, or of all (""), the caches themselves apart.
inline uint32_t objects_in_use(MemorySystem& memory, std::string_view cache) {
  uint32_t used = 0;
  for (const SlabInfo& info : memory.slab().slabinfo()) {
    used += (cache.empty() ? info.name != "kmem_cache" : info.name == cache) ? info.used_objs : 0;
  }
  return used;
}

// Keeps every record; the areas they point to may be gone.
class FaultLog final : public FaultObserver {
 public:
  std::vector<FaultRecord> records;
  void on_fault(const FaultRecord& record) override { records.push_back(record); }
};

struct TestFile {
  std::shared_ptr<MemoryStore> store;
  std::shared_ptr<MappedFile> file;
  Mapping& mapping() const { return *file->mapping; }
};

class Machine {
 public:
  explicit Machine(uint32_t frames = 256, const KernelProfile& profile = KernelProfile::i386_6_1(),
                   uint32_t low_frames = mmu::kLowMemoryLimit >> kPageShift)
      : ram_(*mmu::Ram::create(frames, low_frames)),
        mmu_(ram_, profile.no_execute),
        memory_(*MemorySystem::boot(ram_, mmu_, tlb, profile)) {
    memory_->set_observer(&log);
    // These machines are smaller than what is mapped in them.
    memory_->overcommit().set_settings({.mode = OvercommitMode::kAlways});
    new_space({});
  }
  ~Machine() { mm_.reset(); }

  MemorySystem& memory() { return *memory_; }
  PageAllocator& pages() { return memory_->pages(); }
  // Frames that an allocation for a program can still get: those above the min watermark. For machines of one zone.
  uint32_t usable_frames() {
    const uint32_t min = pages().nodes()[0].zone(ZoneType::kDma).watermark.min;
    return pages().free_frames() - std::min(min, pages().free_frames());
  }
  AddressSpace& mm() { return *mm_; }
  mmu::Mmu& mmu() { return mmu_; }
  const mmu::Ram& ram() const { return ram_; }
  UserAccess user() { return UserAccess(*mm_, task); }
  void new_space(const MemoryLimits& limits) {
    mm_.reset();
    mm_ = *AddressSpace::create(*memory_, limits);
    mmu_.set_cr3(mm_->tables().directory());
    tlb.flush();
  }
  // The running process forks; the child's address space. Not allowed to fail.
  AddressSpace::Ptr fork() {
    auto child = mm_->fork();
    FL_CHECK(child.has_value(), "fork: {}", errno_name(child.error()));
    return std::move(*child);
  }
  // Another process runs from now on; gives the one that ran.
  AddressSpace::Ptr switch_to(AddressSpace::Ptr next) {
    mm_.swap(next);
    mmu_.set_cr3(mm_->tables().directory());
    tlb.flush();
    return next;
  }
  // Ends the address space; the machine is of no use but for looking at its memory.
  void drop_space() { mm_.reset(); }

  // Frames that nobody has, those counted in that slabs keep.
  uint32_t free_or_slab_frames() {
    const SlabAllocator& slab = memory_->slab();
    return pages().free_frames() + slab.unreclaimable_pages() + slab.reclaimable_pages();
  }

  // --- mapping ---
  Result<VirtAddr> mmap(uint32_t addr, uint32_t pages, uint32_t prot, uint32_t flags,
                        std::shared_ptr<const MappedFile> file = nullptr, uint32_t pgoff = 0) {
    return mm_->mmap(MmapRequest{.addr = VirtAddr(addr),
                                 .length = bytes_of(pages),
                                 .prot = prot,
                                 .flags = flags,
                                 .file = std::move(file),
                                 .pgoff = pgoff},
                     task);
  }
  // Maps at a fixed place (or anywhere, addr 0); it must succeed.
  VirtAddr map(uint32_t addr, uint32_t pages, uint32_t prot, uint32_t flags,
               std::shared_ptr<const MappedFile> file = nullptr, uint32_t pgoff = 0) {
    const auto mapped = mmap(addr, pages, prot, addr != 0 ? flags | MapFlag::kFixed : flags, std::move(file), pgoff);
    FL_CHECK(mapped.has_value(), "mmap: {}", errno_name(mapped.error()));
    return *mapped;
  }
  VirtAddr map_anon(uint32_t addr, uint32_t pages, uint32_t prot = kRw) { return map(addr, pages, prot, kAnonPrivate); }

  // A file whose page n starts with the word n + 1.
  TestFile new_file(uint32_t pages, const char* path = "/file") {
    TestFile made{std::make_shared<MemoryStore>(uint64_t{pages} << kPageShift), std::make_shared<MappedFile>()};
    for (uint32_t page = 0; page < pages; ++page) {
      made.store->set_word(uint64_t{page} << kPageShift, page + 1);
    }
    made.file->mapping = *Mapping::for_file(*memory_, made.store);
    made.file->path = path;
    made.file->writable = true;
    return made;
  }

  // --- the CPU ---
  // One access, tried again until it succeeds or is refused. The result of the last fault; nothing if there was none.
  struct Touch {
    std::optional<FaultResult> refused;
    uint32_t faults = 0;  // counted ones
    std::byte* host = nullptr;
  };
  Touch touch(VirtAddr va, mmu::Access access) {
    Touch touched;
    for (int tries = 0; tries < 4; ++tries) {
      const mmu::Translation found = mmu_.translate(va, access, mmu::Privilege::kUser);
      if (found.hit) {
        tlb.cached[va.vpn()] = found.pte;
        touched.host = ram_.physical(found.pte.pfn()) + va.page_offset();
        return touched;
      }
      FL_CHECK(mmu_.cr2() == va, "CR2 is {:#x}", mmu_.cr2().value());
      const FaultResult result = handle_page_fault(*mm_, va, access, found.error_code, FaultMode::kUser, task);
      if (is_error(result)) {
        touched.refused = result;
        return touched;
      }
      ++touched.faults;
    }
    FL_CHECK(false, "access to {:#x} faults for ever", va.value());
  }
  uint32_t load(VirtAddr va) {
    const Touch touched = touch(va, mmu::Access::kRead);
    FL_CHECK(!touched.refused, "load of {:#x} refused", va.value());
    uint32_t value = 0;
    std::memcpy(&value, touched.host, sizeof value);
    return value;
  }
  void store(VirtAddr va, uint32_t value) {
    const Touch touched = touch(va, mmu::Access::kWrite);
    FL_CHECK(!touched.refused, "store to {:#x} refused", va.value());
    std::memcpy(touched.host, &value, sizeof value);
  }
  // Touches each page once; how many faults were counted.
  uint32_t faults_of(VirtAddr start, uint32_t pages, mmu::Access access) {
    const uint64_t before = task.minor + task.major;
    for (uint32_t page = 0; page < pages; ++page) {
      touch(start + bytes_of(page), access);
    }
    return static_cast<uint32_t>(task.minor + task.major - before);
  }
  uint32_t reads(VirtAddr start, uint32_t pages) { return faults_of(start, pages, mmu::Access::kRead); }
  uint32_t writes(VirtAddr start, uint32_t pages) { return faults_of(start, pages, mmu::Access::kWrite); }
  uint64_t faults() const { return task.minor + task.major; }

  mmu::Pte pte(VirtAddr va) const {
    const mmu::Pte* entry = mm_->tables().find(va);
    return entry != nullptr ? *entry : mmu::Pte();
  }
  Page& page_at(VirtAddr va) { return memory_->page(pte(va).pfn()); }

  // --- looking ---
  // "10000-10004 rw-p", one for each area, in page numbers.
  std::vector<std::string> maps() const {
    std::vector<std::string> lines;
    for (const VmArea* area = mm_->areas().first(); area != nullptr; area = area->next) {
      lines.push_back(fmt::format("{:x}-{:x} {}", area->start.vpn(), area->end.vpn(), permissions(*area)));
    }
    return lines;
  }
  // Translations handed out since the last flush that allow what the page tables do not (invariant 15).
  std::vector<std::string> stale_translations() {
    std::vector<std::string> lines = verify(*memory_);
    std::erase_if(lines, [](const std::string& line) { return !line.starts_with("invariant 15:"); });
    return lines;
  }
  // Everything that is wrong with the machine.
  std::vector<std::string> problems() { return verify(*memory_); }

 private:
  mmu::Ram ram_;
  mmu::Mmu mmu_;

 public:
  RecordingTlb tlb;
  FaultLog log;
  FaultCounters task;

 private:
  std::unique_ptr<MemorySystem> memory_;
  AddressSpace::Ptr mm_;
};

}  // namespace fl::vm::test
