// What stands behind faultline::Vm, Process and File.
#pragma once

#include <algorithm>
#include <faultline/vm.hpp>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "mmu/mmu.hpp"
#include "mmu/ram.hpp"
#include "mmu/tlb_port.hpp"
#include "vm/cache/backing_store.hpp"
#include "vm/cache/mapping.hpp"
#include "vm/fault/fault_record.hpp"
#include "vm/memory_system.hpp"
#include "vm/mm/address_space.hpp"
#include "vm/swap/swap_store.hpp"

namespace fl::embed {

// There is no processor that could keep a translation.
class NoTlb final : public mmu::TlbPort {
 public:
  void flush() override {}
  void code_changed(Pfn) override {}
};

// A file's disk: bytes of the host's memory.
class BytesStore final : public vm::BackingStore {
 public:
  explicit BytesStore(std::vector<std::byte> contents) : bytes(std::move(contents)) {}
  uint64_t size() const override { return bytes.size(); }
  Status read_pages(uint64_t first, std::span<std::byte* const> pages) override;
  Status write_page(uint64_t index, std::span<const std::byte, 4096> page) override;

  std::vector<std::byte> bytes;

 private:
  // The part of the file that page `index` has.
  std::span<std::byte> part(uint64_t index);
};

// A swap area's: the same.
class BytesSwap final : public vm::SwapStore {
 public:
  explicit BytesSwap(uint32_t pages);
  vm::SwapKind kind() const override { return vm::SwapKind::kPartition; }
  vm::SwapStoreId id() const override { return {.device = 0, .inode = 1}; }
  uint64_t pages() const override { return bytes_.size() / kPageSize; }
  bool rotational() const override { return false; }
  Status read_page(uint32_t offset, std::span<std::byte, 4096> to) override;
  Status write_page(uint32_t offset, std::span<const std::byte, 4096> from) override;

 private:
  std::span<std::byte, 4096> page(uint32_t offset) {
    return std::span<std::byte, 4096>(bytes_.data() + size_t{offset} * kPageSize, kPageSize);
  }
  std::vector<std::byte> bytes_;
};

struct VmState final : private vm::FaultObserver {
  static faultline::Result<std::shared_ptr<VmState>> create(const faultline::VmOptions& options);
  VmState(mmu::Ram memory_of_machine, const vm::KernelProfile& profile,
          std::function<void(const faultline::Fault&)> listener);

  // The accesses of this process are made from now on.
  void run(vm::AddressSpace& mm);

  mmu::Ram ram;
  mmu::Mmu unit;
  NoTlb tlb;
  std::unique_ptr<vm::MemorySystem> memory;
  // Where the faults of the access that is being made go; null: of none.
  std::vector<faultline::Fault>* collected = nullptr;

 private:
  faultline::Status boot(const faultline::VmOptions& options, const vm::KernelProfile& profile);
  void on_fault(const vm::FaultRecord& record) override;
  std::function<void(const faultline::Fault&)> listener_;
};

struct FileState {
  std::shared_ptr<VmState> vm;
  std::shared_ptr<BytesStore> store;
  std::shared_ptr<vm::MappedFile> file;
};

struct ProcessState {
  // Makes an access until it is made or refused; adds its faults.
  void access(VirtAddr va, mmu::Access access, faultline::Touch& touch);

  std::shared_ptr<VmState> vm;
  vm::AddressSpace::Ptr mm;
  vm::FaultCounters faults;
};

}  // namespace fl::embed
