// A machine for tests of the CPU alone: a small RAM, page tables written by hand, machine code as bytes, no kernel.
//
// Frame 0 is left unused, frame 1 is the page directory. Page tables and pages are taken from a counter.
#pragma once

#include <cstring>
#include <initializer_list>
#include <vector>

#include "emu/cpu/unicorn_cpu.hpp"
#include "mmu/mmu.hpp"
#include "mmu/ram.hpp"

namespace fl::test {

inline constexpr VirtAddr kCode{0x08048000};
inline constexpr VirtAddr kData{0x10000000};
inline constexpr VirtAddr kStackTop{0x20001000};  // one page below it is mapped

enum class Rights : uint8_t { kReadOnly, kReadWrite };

class CpuMachine {
 public:
  explicit CpuMachine(const emu::CpuConfig& config = {}, mmu::NoExecute no_execute = mmu::NoExecute::kUnsupported,
                      uint32_t frames = 4096)
      : ram(std::move(*mmu::Ram::create(frames))), mmu(ram, no_execute), next_(2), cpu(mmu, ram, config) {
    mmu.set_cr3(Pfn(1));
    regs.cs = config.segments.user_code;
    regs.ss = regs.ds = regs.es = config.segments.user_data;
    regs.esp = kStackTop.value();
    regs.eip = kCode.value();
    map(kStackTop - kPageSize, Rights::kReadWrite);
  }

  Pfn new_frame() { return Pfn(next_++); }

  mmu::Pte& pte(VirtAddr va, Pfn directory = Pfn(1)) {
    auto* entries = reinterpret_cast<mmu::Pte*>(ram.frame(directory));
    mmu::Pte& pde = entries[mmu::pgd_index(va)];
    if (!pde.hw_present()) {
      pde = mmu::Pte(new_frame(), mmu::Pte::kPresent | mmu::Pte::kWritable | mmu::Pte::kUser);
    }
    return reinterpret_cast<mmu::Pte*>(ram.frame(pde.pfn()))[mmu::pte_index(va)];
  }

  void map_frame(VirtAddr va, Pfn frame, Rights rights, uint32_t extra = 0) {
    pte(va, mmu.cr3()) = mmu::Pte(frame, mmu::Pte::kPresent | mmu::Pte::kUser | extra |
                                             (rights == Rights::kReadWrite ? uint32_t{mmu::Pte::kWritable} : 0u));
  }
  Pfn map(VirtAddr va, Rights rights, uint32_t extra = 0) {
    const Pfn frame = new_frame();
    map_frame(va, frame, rights, extra);
    return frame;
  }
  void unmap(VirtAddr va) {
    pte(va, mmu.cr3()) = mmu::Pte();
    cpu.flush();
  }

  uint8_t* bytes(VirtAddr va) {
    const mmu::Pte entry = pte(va, mmu.cr3());
    return reinterpret_cast<uint8_t*>(ram.frame(entry.pfn())) + va.page_offset();
  }
  // Maps the pages (read-only) as needed and writes the bytes.
  void code(VirtAddr va, const std::vector<uint8_t>& program) {
    for (size_t at = 0; at < program.size(); ++at) {
      const VirtAddr here = va + static_cast<uint32_t>(at);
      if (!pte(here, mmu.cr3()).hw_present()) {
        map(here.page(), Rights::kReadOnly);
      }
      *bytes(here) = program[at];
    }
  }
  uint32_t word(VirtAddr va) {
    uint32_t value;
    std::memcpy(&value, bytes(va), 4);
    return value;
  }
  void set_word(VirtAddr va, uint32_t value) { std::memcpy(bytes(va), &value, 4); }

  guest::Trap run(uint64_t limit = emu::kNoBlockLimit) { return cpu.run(regs, tls, limit); }
  // Runs; on a page fault maps the page with all rights and goes on; returns the first other trap.
  guest::Trap run_filling() {
    for (;;) {
      const guest::Trap trap = run();
      if (trap.kind != guest::Trap::Kind::kPageFault) {
        return trap;
      }
      faults.push_back(trap);
      mmu::Pte& entry = pte(trap.addr, mmu.cr3());
      if (entry.hw_present()) {
        entry = entry.with(mmu::Pte::kWritable);
      } else {
        map(trap.addr.page(), trap.access == mmu::Access::kWrite ? Rights::kReadWrite : Rights::kReadOnly);
      }
    }
  }

  mmu::Ram ram;
  mmu::Mmu mmu;

 private:
  uint32_t next_;

 public:
  emu::UnicornCpu cpu;
  guest::Registers regs;
  guest::TlsArray tls{};
  std::vector<guest::Trap> faults;
};

// Little-endian bytes of an address, for machine code.
inline std::vector<uint8_t> operator+(std::vector<uint8_t> left, const std::vector<uint8_t>& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}
inline std::vector<uint8_t> le32(uint32_t value) {
  return {static_cast<uint8_t>(value), static_cast<uint8_t>(value >> 8), static_cast<uint8_t>(value >> 16),
          static_cast<uint8_t>(value >> 24)};
}
inline std::vector<uint8_t> le32(VirtAddr va) { return le32(va.value()); }
inline const std::vector<uint8_t> kInt80 = {0xcd, 0x80};

}  // namespace fl::test
