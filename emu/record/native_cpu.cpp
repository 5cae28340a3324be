// Asking the processor and the kernel's auxiliary vector. See native_cpu.hpp.
#include "emu/record/native_cpu.hpp"

#include <cpuid.h>
#include <elf.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdio>
#include <cstring>

namespace fl::emu {
namespace {

// More leaves or subleaves than any processor has: a bound for one that does not end its lists.
constexpr uint32_t kMostLeaves = 0x40, kMostSubleaves = 64;
constexpr uint32_t kHypervisor = 0x40000000, kExtended = 0x80000000;
constexpr uint32_t kUnderHypervisor = 1u << 31;  // leaf 1, ecx

CpuidEntry ask(uint32_t leaf, uint32_t subleaf) {
  CpuidEntry entry{.leaf = leaf, .subleaf = subleaf};
  __cpuid_count(leaf, subleaf, entry.eax, entry.ebx, entry.ecx, entry.edx);
  return entry;
}

bool is_zero(const CpuidEntry& entry) { return (entry.eax | entry.ebx | entry.ecx | entry.edx) == 0; }

uint32_t subleaf_count(uint32_t leaf) {
  switch (leaf) {
    case 0x4:         // caches, until one of type 0
    case 0x8000001d:  // the same, AMD
    case 0xb:         // topology
    case 0x1f:
    case 0xd:  // XSAVE components
      return kMostSubleaves;
    default:
      return 1;
  }
}

void hide_core(CpuidEntry& entry) {
  if (entry.leaf == 0x1) {
    entry.ebx &= 0x00ffffff;
  } else if (entry.leaf == 0xb || entry.leaf == 0x1f) {
    entry.edx = 0;
  } else if (entry.leaf == 0x8000001e) {
    entry.eax = 0;
    entry.ebx &= ~0xffu;
  }
}

void ask_range(uint32_t base, std::vector<CpuidEntry>& entries) {
  const uint32_t last = ask(base, 0).eax;
  for (uint32_t leaf = base; leaf <= last && leaf - base < kMostLeaves; ++leaf) {
    // Leaves 7 and 0x14 say in eax which subleaf is their last.
    const bool counted = leaf == 0x7 || leaf == 0x14;
    const uint32_t count = counted ? std::min(ask(leaf, 0).eax, kMostSubleaves - 1) + 1 : subleaf_count(leaf);
    for (uint32_t subleaf = 0; subleaf < count; ++subleaf) {
      CpuidEntry entry = ask(leaf, subleaf);
      const bool caches_end = (leaf == 0x4 || leaf == 0x8000001d) && (entry.eax & 0x1f) == 0;
      const bool levels_end = (leaf == 0xb || leaf == 0x1f) && (entry.ecx & 0xff00) == 0;
      if (subleaf > 0 && (caches_end || levels_end)) {
        break;
      }
      hide_core(entry);
      if (!is_zero(entry)) {
        entries.push_back(entry);
      }
    }
  }
}

std::string brand_of(const std::vector<CpuidEntry>& entries) {
  std::string brand;
  for (const CpuidEntry& entry : entries) {
    if (entry.leaf >= 0x80000002 && entry.leaf <= 0x80000004) {
      const std::array<uint32_t, 4> words = {entry.eax, entry.ebx, entry.ecx, entry.edx};
      std::array<char, 16> text{};
      std::memcpy(text.data(), words.data(), text.size());
      brand.append(text.data(), text.size());
    }
  }
  brand = brand.substr(0, brand.find('\0'));
  const size_t first = brand.find_first_not_of(' '), last = brand.find_last_not_of(' ');
  return first == std::string::npos ? std::string() : brand.substr(first, last - first + 1);
}

// getauxval would give glibc's own idea of AT_HWCAP on i386.
void read_auxv(NativeCpu& cpu) {
  std::FILE* file = std::fopen("/proc/self/auxv", "re");
  if (file == nullptr) {
    return;
  }
  struct Pair {
    size_t type, value;
  } pair{};
  constexpr size_t kMinSignalStack = 51;  // AT_MINSIGSTKSZ, younger than some <elf.h>
  while (std::fread(&pair, sizeof pair, 1, file) == 1 && pair.type != AT_NULL) {
    const auto value = static_cast<uint32_t>(pair.value);
    if (pair.type == AT_HWCAP) {
      cpu.hwcap = value;
    } else if (pair.type == AT_HWCAP2) {
      cpu.hwcap2 = value;
    } else if (pair.type == kMinSignalStack) {
      cpu.signal_fpstate_bytes = value;
    }
  }
  std::fclose(file);
}

}  // namespace

NativeCpu read_host_cpu() {
  NativeCpu cpu;
  ask_range(0, cpu.cpuid);
  // A processor without a hypervisor would answer these leaves like its last one. Who the hypervisor is matters: TCG.
  if ((ask(1, 0).ecx & kUnderHypervisor) != 0) {
    ask_range(kHypervisor, cpu.cpuid);
  }
  ask_range(kExtended, cpu.cpuid);
  cpu.brand = brand_of(cpu.cpuid);
  read_auxv(cpu);
  return cpu;
}

}  // namespace fl::emu
