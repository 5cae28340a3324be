// Answering CPUID from a model, and taking from a real processor what the engine cannot do. See cpu_model.hpp.
#include "emu/cpu/cpu_model.hpp"

#include <algorithm>
#include <array>

#include "emu/record/record_file.hpp"

namespace fl::emu {
namespace {

constexpr uint32_t kExtended = 0x80000000;
constexpr uint32_t kHypervisor = 0x40000000;
constexpr uint32_t kGenuineIntel = 0x756e6547;  // "Genu" in ebx of leaf 0
constexpr uint32_t kTcg = 0x54474354;           // "TCGT" in ebx of leaf 0x40000000
constexpr uint32_t kOsXsave = 1u << 27;         // leaf 1, ecx

template <typename... Bits>
constexpr uint32_t bits(Bits... positions) {
  return (uint32_t{0} | ... | (1u << positions));
}

// What a program might execute because of the bit, and the engine does not do or does otherwise.
struct Mask {
  uint32_t leaf, subleaf;
  uint32_t eax, ebx, ecx, edx;
};
constexpr std::array kMasks = {
    // ecx: MOVBE, OSXSAVE, RDRAND; edx: SEP
    Mask{1, 0, 0, 0, bits(22, 27, 30), bits(11)},
    // ebx: BMI1, HLE, BMI2, RTM, MPX, RDSEED, ADX, CLFLUSHOPT, CLWB, SHA
    // ecx: PREFETCHWT1, OSPKE, WAITPKG, SHSTK, GFNI, RDPID, key locker, MOVDIRI, MOVDIR64B, ENQCMD
    // edx: SERIALIZE, TSXLDTRK, IBT
    Mask{7, 0, 0, bits(3, 4, 8, 11, 14, 18, 19, 23, 24, 29), bits(0, 4, 5, 7, 8, 22, 23, 27, 28, 29), bits(14, 16, 20)},
    Mask{7, 1, bits(3), 0, 0, 0},  // RAO-INT
    // ecx: ABM (LZCNT), SSE4A, LWP, TBM, MWAITX; edx: SYSCALL, 3DNow! and its extensions
    Mask{0x80000001, 0, 0, 0, bits(5, 6, 15, 21, 29), bits(11, 30, 31)},
    // ebx: CLZERO, RDPRU, MCOMMIT
    Mask{0x80000008, 0, 0, bits(0, 4, 8), 0, 0},
};

bool has_subleaves(uint32_t leaf) {
  constexpr std::array<uint32_t, 16> kLeaves = {0x4,  0x7,  0xb,  0xd,  0xf,        0x10,       0x12, 0x14,
                                                0x17, 0x18, 0x1b, 0x1d, 0x8000001d, 0x80000020, 0x1f, 0x80000026};
  return std::find(kLeaves.begin(), kLeaves.end(), leaf) != kLeaves.end();
}

const CpuidEntry* find_entry(const std::vector<CpuidEntry>& entries, uint32_t leaf, uint32_t subleaf) {
  const auto found = std::find_if(entries.begin(), entries.end(), [&](const CpuidEntry& entry) {
    return entry.leaf == leaf && entry.subleaf == subleaf;
  });
  return found != entries.end() ? &*found : nullptr;
}

// The components that are always in a frame. Linux: fpu_user_cfg.default_features, which leave out what a program must
// ask for (tile data), and default_size.
void set_xsave_frames(const std::vector<CpuidEntry>& entries, guest::SignalState& state) {
  constexpr uint32_t kHeaderEnd = 512 + 64, kTileData = 1u << 18;
  const CpuidEntry* enabled = find_entry(entries, 0xd, 0);
  if (enabled == nullptr) {
    return;
  }
  state.features = enabled->eax & ~kTileData;
  state.bytes = kHeaderEnd;
  for (uint32_t component = 2; component < 32; ++component) {
    const CpuidEntry* entry = find_entry(entries, 0xd, component);
    if ((state.features >> component & 1) != 0 && entry != nullptr) {
      state.bytes = std::max(state.bytes, entry->ebx + entry->eax);
    }
  }
  state.min_stack = guest::min_signal_stack(state.bytes);
}

}  // namespace

CpuidResult CpuModel::answer(uint32_t leaf, uint32_t subleaf) const {
  const CpuidEntry* identity = find_entry(cpuid, 0, 0);
  const CpuidEntry* extended = find_entry(cpuid, kExtended, 0);
  const uint32_t last_basic = identity != nullptr ? identity->eax : 0;
  const uint32_t last_extended = extended != nullptr ? extended->eax : 0;
  const bool of_hypervisor = leaf >= kHypervisor && find_entry(cpuid, leaf, 0) != nullptr;
  if (!of_hypervisor && identity != nullptr && identity->ebx == kGenuineIntel &&
      ((leaf > last_basic && leaf < kExtended) || (leaf >= kExtended && leaf > last_extended))) {
    leaf = last_basic;
  }
  const CpuidEntry* entry = find_entry(cpuid, leaf, has_subleaves(leaf) ? subleaf : 0);
  if (entry == nullptr) {
    return {};
  }
  return {entry->eax, entry->ebx, entry->ecx, entry->edx};
}

CpuModel cpu_model_of(const NativeCpu& cpu) {
  CpuModel model{.name = cpu.brand,
                 .cpuid = cpu.cpuid,
                 .hwcap = cpu.hwcap & ~kMasks[0].edx,
                 .hwcap2 = cpu.hwcap2,
                 .signal_state = {},
                 .modify = ModifyAccess::kWrite};
  const CpuidEntry* hypervisor = find_entry(cpu.cpuid, kHypervisor, 0);
  if (hypervisor != nullptr && hypervisor->ebx == kTcg) {
    model.modify = ModifyAccess::kReadThenWrite;
  }
  const CpuidEntry* features = find_entry(cpu.cpuid, 1, 0);
  if (features != nullptr && (features->ecx & kOsXsave) != 0) {
    set_xsave_frames(cpu.cpuid, model.signal_state);
  }
  if (cpu.signal_fpstate_bytes != 0) {
    model.signal_state.min_stack = cpu.signal_fpstate_bytes;
  }
  for (CpuidEntry& entry : model.cpuid) {
    for (const Mask& mask : kMasks) {
      if (entry.leaf == mask.leaf && entry.subleaf == mask.subleaf) {
        entry.eax &= ~mask.eax;
        entry.ebx &= ~mask.ebx;
        entry.ecx &= ~mask.ecx;
        entry.edx &= ~mask.edx;
      }
    }
  }
  return model;
}

HostResult<CpuModel> find_cpu(const std::string& name_or_file) {
  if (name_or_file == "default") {
    return default_cpu();
  }
  if (name_or_file == "host") {
    CpuModel model = cpu_model_of(read_host_cpu());
    model.name = "host";
    return model;
  }
  auto record = read_record(name_or_file);
  if (!record) {
    return host_error(
        "cannot imitate the processor: {}: give default, host or a file that `faultline record` wrote: {}",
        name_or_file, record.error().message);
  }
  return cpu_model_of(record->cpu);
}

}  // namespace fl::emu
