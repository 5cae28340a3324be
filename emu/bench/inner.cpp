// Google Benchmark for the pieces that every fault and every system call goes through.
#include <benchmark/benchmark.h>

#include <cstring>

#include "emu/cpu/unicorn_cpu.hpp"
#include "mmu/mmu.hpp"
#include "mmu/ram.hpp"

namespace fl::emu::bench {
namespace {

constexpr VirtAddr kCode{0x08048000}, kData{0x10000000};
constexpr uint32_t kFrames = 16384;

// A processor with page tables made by hand: frame 1 the directory, 2 and 3 tables, 4 the code.
class Bare {
 public:
  Bare() : ram(std::move(*mmu::Ram::create(kFrames))), mmu(ram, mmu::NoExecute::kUnsupported), cpu(mmu, ram, {}) {
    mmu.set_cr3(Pfn(1));
    directory(kCode) = mmu::Pte(Pfn(2), kTable);
    directory(kData) = mmu::Pte(Pfn(3), kTable);
    entry(kCode, Pfn(2)) = mmu::Pte(Pfn(4), mmu::Pte::kPresent | mmu::Pte::kUser);
    regs.cs = CpuConfig().segments.user_code;
    regs.ss = regs.ds = regs.es = CpuConfig().segments.user_data;
    regs.eip = kCode.value();
  }
  void code(std::initializer_list<uint8_t> bytes) { std::memcpy(ram.frame(Pfn(4)), std::data(bytes), bytes.size()); }
  mmu::Pte& data_entry(uint32_t page) { return entry(kData + page * kPageSize, Pfn(3)); }

  mmu::Ram ram;
  mmu::Mmu mmu;
  UnicornCpu cpu;
  guest::Registers regs;
  guest::TlsArray tls{};

 private:
  static constexpr uint32_t kTable = mmu::Pte::kPresent | mmu::Pte::kWritable | mmu::Pte::kUser;
  mmu::Pte& directory(VirtAddr va) { return reinterpret_cast<mmu::Pte*>(ram.frame(Pfn(1)))[mmu::pgd_index(va)]; }
  mmu::Pte& entry(VirtAddr va, Pfn table) { return reinterpret_cast<mmu::Pte*>(ram.frame(table))[mmu::pte_index(va)]; }
};

void system_call(benchmark::State& state) {
  Bare bare;
  bare.code({0xb8, 20, 0, 0, 0, 0xcd, 0x80, 0xeb, 0xf7});  // mov eax, 20; int 0x80; jmp
  while (state.KeepRunning()) {
    bare.regs.eax = 1;
    benchmark::DoNotOptimize(bare.cpu.run(bare.regs, bare.tls));
  }
}
BENCHMARK(system_call)->Name("cpu: system call and back");

void page_fault(benchmark::State& state) {
  Bare bare;
  bare.code({0x89, 0x03, 0x81, 0xc3, 0, 0x10, 0, 0, 0xeb, 0xf6});  // mov [ebx], eax; add ebx, 4096; jmp
  uint32_t page = mmu::kEntriesPerTable;
  while (state.KeepRunning()) {
    if (page == mmu::kEntriesPerTable) {
      state.PauseTiming();
      for (page = 0; page < mmu::kEntriesPerTable; ++page) {
        bare.data_entry(page) = mmu::Pte();
      }
      bare.cpu.flush();
      bare.regs.ebx = kData.value();
      page = 0;
      state.ResumeTiming();
    }
    const guest::Trap trap = bare.cpu.run(bare.regs, bare.tls);
    benchmark::DoNotOptimize(trap);
    bare.data_entry(page) = mmu::Pte(Pfn(16 + page), mmu::Pte::kPresent | mmu::Pte::kWritable | mmu::Pte::kUser);
    ++page;
  }
}
BENCHMARK(page_fault)->Name("cpu: page fault and back");

void translate(benchmark::State& state) {
  Bare bare;
  bare.data_entry(5) = mmu::Pte(Pfn(16), mmu::Pte::kPresent | mmu::Pte::kUser);
  while (state.KeepRunning()) {
    benchmark::DoNotOptimize(bare.mmu.translate(kData + 5 * kPageSize, mmu::Access::kRead, mmu::Privilege::kUser));
  }
}
BENCHMARK(translate)->Name("mmu: page-table walk");

void decode(benchmark::State& state) {
  Bare bare;
  bare.code({0x01, 0x8c, 0xb3, 0x10, 0, 0, 0});  // add [ebx+esi*4+16], ecx
  Decoder decoder;
  const SegmentBase flat = [](uint16_t) { return 0u; };
  const PageProbe may_access = [](VirtAddr, mmu::Access) { return true; };
  while (state.KeepRunning()) {
    const InstructionBytes bytes = InstructionBytes::read(bare.mmu, kCode);
    const Instruction& instruction = decoder.decode(bytes.bytes(), kCode);
    benchmark::DoNotOptimize(exact_fault(instruction, bare.regs, flat, VirtAddr(0), mmu::Access::kRead, may_access));
  }
}
BENCHMARK(decode)->Name("cpu: exact address of a fault, cached");

void flush(benchmark::State& state) {
  Bare bare;
  bare.code({0x8b, 0x03, 0xcd, 0x80, 0xeb, 0xfa});  // mov eax, [ebx]; int 0x80; jmp
  bare.regs.ebx = kData.value();
  bare.data_entry(0) = mmu::Pte(Pfn(16), mmu::Pte::kPresent | mmu::Pte::kUser);
  while (state.KeepRunning()) {
    bare.cpu.flush();
    benchmark::DoNotOptimize(bare.cpu.run(bare.regs, bare.tls));
  }
}
BENCHMARK(flush)->Name("cpu: system call after a flush of a small TLB");

}  // namespace
}  // namespace fl::emu::bench
