// SmallMachine: a memory system of 1024 frames (4 MiB: the direct map is one large page) with one address space,
// without a processor, for tests of what describes it.
#pragma once

#include <catch2/catch_test_macros.hpp>
#include <cstring>
#include <memory>
#include <string_view>

#include "mmu/mmu.hpp"
#include "mmu/ram.hpp"
#include "mmu/tlb_port.hpp"
#include "vm/memory_system.hpp"
#include "vm/mm/address_space.hpp"
#include "vm/user_access.hpp"

namespace fl::emu {

class SmallMachine {
 public:
  explicit SmallMachine(const vm::KernelProfile& profile = vm::KernelProfile::i386_6_1())
      : ram_(mmu::Ram::create(1024).value()),
        mmu_(ram_, profile.no_execute),
        memory_(vm::MemorySystem::boot(ram_, mmu_, tlb_, profile).value()) {
    mm = vm::AddressSpace::create(*memory_, vm::MemoryLimits{}).value();
    mm->set_mmap_base(VirtAddr(0x40100000));
  }

  vm::MemorySystem& memory() { return *memory_; }
  // A private, readable and writable mapping at 0x40000000.
  VirtAddr map_anonymous(uint32_t pages) {
    vm::MmapRequest request;
    request.addr = VirtAddr(0x40000000);
    request.length = pages * kPageSize;
    request.prot = vm::Prot::kRead | vm::Prot::kWrite;
    request.flags = vm::MapFlag::kPrivate | vm::MapFlag::kAnonymous | vm::MapFlag::kFixed;
    return mm->mmap(request, faults_).value();
  }
  // Writes the text with its NUL, faulting pages in.
  void store(VirtAddr at, std::string_view text) {
    const std::string bytes(text);
    REQUIRE(
        vm::UserAccess(*mm, faults_).write(at, std::as_bytes(std::span(bytes.c_str(), bytes.size() + 1))).has_value());
  }
  // Reads one byte, faulting its page in.
  void touch(VirtAddr at) { REQUIRE(vm::UserAccess(*mm, faults_).get<char>(at).has_value()); }

 private:
  class NoTlb final : public mmu::TlbPort {
   public:
    void flush() override {}
    void code_changed(Pfn) override {}
  };
  mmu::Ram ram_;
  mmu::Mmu mmu_;
  NoTlb tlb_;
  std::unique_ptr<vm::MemorySystem> memory_;
  vm::FaultCounters faults_;

 public:
  std::shared_ptr<vm::AddressSpace> mm;
};

}  // namespace fl::emu
