// Google Benchmark for memory that is short: faults on swap, a file larger than memory, kswapd beside first touches,
// and whether what other processes have mapped makes reclaim dearer. vm alone: disks are in host memory, nobody
// executes.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <memory>
#include <random>
#include <vector>

#include "emu/bench/no_tlb.hpp"
#include "mmu/mmu.hpp"
#include "mmu/ram.hpp"
#include "vm/fault/handle_fault.hpp"
#include "vm/memory_system.hpp"
#include "vm/reclaim/page_reclaim.hpp"
#include "vm/swap/swap_header.hpp"
#include "vm/swap/swap_space.hpp"

namespace fl::emu::bench {
namespace {

constexpr uint32_t kFrames = (64u << 20) >> kPageShift;
constexpr VirtAddr kStart{0x10000000};

class SwapDisk final : public vm::SwapStore {
 public:
  explicit SwapDisk(uint32_t pages) : bytes_(size_t{pages} << kPageShift) { vm::make_swap_header(page(0), pages); }
  vm::SwapKind kind() const override { return vm::SwapKind::kPartition; }
  vm::SwapStoreId id() const override { return {.device = 1, .inode = 1}; }
  uint64_t pages() const override { return bytes_.size() >> kPageShift; }
  bool rotational() const override { return false; }
  Status read_page(uint32_t offset, std::span<std::byte, 4096> to) override {
    std::copy_n(page(offset).begin(), 4096, to.begin());
    return {};
  }
  Status write_page(uint32_t offset, std::span<const std::byte, 4096> from) override {
    std::copy_n(from.begin(), 4096, page(offset).begin());
    return {};
  }

 private:
  std::span<std::byte, 4096> page(uint32_t offset) {
    return std::span<std::byte, 4096>(bytes_.data() + (size_t{offset} << kPageShift), 4096);
  }
  std::vector<std::byte> bytes_;
};

// A file of zeros.
class Zeros final : public vm::BackingStore {
 public:
  explicit Zeros(uint32_t pages) : pages_(pages) {}
  uint64_t size() const override { return uint64_t{pages_} << kPageShift; }
  Status read_pages(uint64_t, std::span<std::byte* const> pages) override {
    for (std::byte* page : pages) {
      std::fill_n(page, kPageSize, std::byte{0});
    }
    return {};
  }
  Status write_page(uint64_t, std::span<const std::byte, 4096>) override { return {}; }

 private:
  uint32_t pages_;
};

// A machine and its process. Accesses set the A and D bits as a processor does.
struct Short {
  Short() {
    memory->overcommit().set_settings({.mode = vm::OvercommitMode::kAlways});
    space = new_space();
  }
  ~Short() {
    space.reset();
    others.clear();
  }

  vm::AddressSpace::Ptr new_space() { return std::move(*vm::AddressSpace::create(*memory, {})); }
  void map(vm::AddressSpace& mm, uint32_t pages, uint32_t flags, std::shared_ptr<const vm::MappedFile> file = nullptr) {
    const auto mapped = mm.mmap({.addr = kStart,
                                 .length = pages << kPageShift,
                                 .prot = vm::Prot::kRead | vm::Prot::kWrite,
                                 .flags = vm::MapFlag::kPrivate | vm::MapFlag::kFixed | flags,
                                 .file = std::move(file),
                                 .pgoff = 0},
                                faults);
    FL_CHECK(mapped.has_value(), "mmap: {}", errno_name(mapped.error()));
  }
  void touch(vm::AddressSpace& mm, VirtAddr va, mmu::Access access) {
    mmu.set_cr3(mm.tables().directory());
    for (auto found = mmu.translate(va, access, mmu::Privilege::kUser); !found.hit;
         found = mmu.translate(va, access, mmu::Privilege::kUser)) {
      const auto result = vm::handle_page_fault(mm, va, access, found.error_code, vm::FaultMode::kUser, faults);
      FL_CHECK(!is_error(result), "a fault of the benchmark was refused");
      memory->faulted_pages().clear();
      memory->reclaim().run_kswapds();
    }
  }

  mmu::Ram ram{*mmu::Ram::create(kFrames)};
  mmu::Mmu mmu{ram, mmu::NoExecute::kUnsupported};
  NoTlb tlb;
  std::unique_ptr<vm::MemorySystem> memory{*vm::MemorySystem::boot(ram, mmu, tlb, vm::KernelProfile::i386_6_1())};
  vm::FaultCounters faults;
  vm::AddressSpace::Ptr space;
  std::vector<vm::AddressSpace::Ptr> others;
};

// Random stores into twice the memory. The argument: so many other processes have 16 locked pages each.
void swap_random(benchmark::State& state) {
  constexpr uint32_t kPages = 2 * kFrames;
  Short machine;
  FL_CHECK(machine.memory->swap().swapon(std::make_shared<SwapDisk>(kPages), "/disk", std::nullopt).has_value(),
           "swapon");
  for (int64_t i = 0; i < state.range(0); ++i) {
    machine.others.push_back(machine.new_space());
    machine.map(*machine.others.back(), 16, vm::MapFlag::kAnonymous | vm::MapFlag::kLocked);
  }
  machine.map(*machine.space, kPages, vm::MapFlag::kAnonymous);
  std::mt19937 random(1);
  const auto step = [&] {
    machine.touch(*machine.space, kStart + ((random() % kPages) << kPageShift), mmu::Access::kWrite);
  };
  for (uint32_t i = 0; i < 2 * kPages; ++i) {
    step();
  }
  const uint64_t before = machine.faults.major;
  for (auto _ : state) {
    step();
  }
  const auto majors = static_cast<double>(machine.faults.major - before);
  state.counters["majors"] = benchmark::Counter(majors, benchmark::Counter::kIsRate);
  state.counters["ns/major"] = benchmark::Counter(majors, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK(swap_random)->Name("vm: random stores into 2x RAM, other processes")->Arg(0)->Arg(8)->Arg(64);

// A file of four times the memory, read in order again and again.
void stream(benchmark::State& state) {
  constexpr uint32_t kPages = 4 * kFrames;
  Short machine;
  auto file = std::make_shared<vm::MappedFile>();
  file->mapping = *vm::Mapping::for_file(*machine.memory, std::make_shared<Zeros>(kPages));
  machine.map(*machine.space, kPages, 0, file);
  uint32_t page = 0;
  for (auto _ : state) {
    machine.touch(*machine.space, kStart + (page << kPageShift), mmu::Access::kRead);
    page = page + 1 == kPages ? 0 : page + 1;
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(stream)->Name("vm: page of a mapped file of 4x RAM, in order");

// First touches of anonymous memory. 0: of free memory; 1: kswapd has to drop clean pages of a file for it.
void first_touch(benchmark::State& state) {
  constexpr uint32_t kPages = kFrames / 4;
  Short machine;
  auto file = std::make_shared<vm::MappedFile>();
  file->mapping = *vm::Mapping::for_file(*machine.memory, std::make_shared<Zeros>(kFrames));
  std::vector<std::byte> buffer(1 << 20);
  uint32_t page = kPages;
  for (auto _ : state) {
    if (page == kPages) {
      state.PauseTiming();
      machine.space = machine.new_space();
      machine.map(*machine.space, kPages, vm::MapFlag::kAnonymous);
      for (uint64_t at = 0; state.range(0) != 0 && at < uint64_t{kFrames} << kPageShift; at += buffer.size()) {
        FL_CHECK(file->mapping->read(at, buffer).has_value(), "read");
      }
      page = 0;
      state.ResumeTiming();
    }
    machine.touch(*machine.space, kStart + (page++ << kPageShift), mmu::Access::kWrite);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(first_touch)->Name("vm: first touch, kswapd at work")->Arg(0)->Arg(1);

}  // namespace
}  // namespace fl::emu::bench
