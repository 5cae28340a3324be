// The settings below /proc/sys. Linux counterparts: kernel/sysctl.c (kern_table, vm_table), kernel/utsname_sysctl.c.
// What can be written has an effect; a setting whose effect is not modelled is read-only here.
#include <fmt/format.h>

#include <array>

#include "guest/fs/proc/proc_text.hpp"
#include "guest/fs/proc/sysctl.hpp"
#include "guest/kernel.hpp"
#include "vm/memory_system.hpp"
#include "vm/mm/limits.hpp"
#include "vm/reclaim/page_reclaim.hpp"

namespace fl::guest {
namespace {

std::string host_name(Kernel& kernel) { return kernel.options().host_name + "\n"; }
std::string os_release(Kernel& kernel) { return fmt::format("{}\n", kernel.profile().release); }
std::string os_version(Kernel& kernel) { return fmt::format("{}\n", kernel.profile().version); }
std::string mmap_min_addr(Kernel&) { return fmt::format("{}\n", vm::kMmapMinAddr); }

// drop_caches: 1 drops the page cache, 2 unused objects, 4 asks for silence.
Status drop_caches(Kernel& kernel, std::string_view text) {
  constexpr uint32_t kPageCache = 1, kObjects = 2;
  uint32_t what = 0;
  FL_TRY(parse_sysctl(text, std::span(&what, 1), 1, 4));
  if ((what & kPageCache) != 0) {
    kernel.memory().cache().drop_pagecache();
    kernel.memory().pages().events().add(vm::VmEvent::kDropPagecache, 1);
  }
  if ((what & kObjects) != 0) {
    kernel.memory().slab().shrink_all();
    kernel.memory().pages().events().add(vm::VmEvent::kDropSlab, 1);
  }
  return {};
}

// --- watermarks ---

std::string min_free_kbytes(Kernel& kernel) {
  return fmt::format("{}\n", kernel.memory().pages().watermark_settings().min_free_kbytes);
}
Status set_min_free_kbytes(Kernel& kernel, std::string_view text) {
  vm::WatermarkSettings settings = kernel.memory().pages().watermark_settings();
  FL_TRY(parse_sysctl(text, std::span(&settings.min_free_kbytes, 1), 0, INT32_MAX));
  kernel.memory().pages().set_watermark_settings(settings);
  return {};
}

// --- reclaim ---

std::string swappiness(Kernel& kernel) { return fmt::format("{}\n", kernel.memory().reclaim().swappiness()); }
Status set_swappiness(Kernel& kernel, std::string_view text) {
  constexpr uint32_t kMost = 200;
  uint32_t value = 0;
  FL_TRY(parse_sysctl(text, std::span(&value, 1), 0, kMost));
  kernel.memory().reclaim().set_swappiness(value);
  return {};
}

std::string watermark_scale_factor(Kernel& kernel) {
  return fmt::format("{}\n", kernel.memory().pages().watermark_settings().watermark_scale_factor);
}
Status set_watermark_scale_factor(Kernel& kernel, std::string_view text) {
  constexpr uint32_t kMost = 3000;
  vm::WatermarkSettings settings = kernel.memory().pages().watermark_settings();
  FL_TRY(parse_sysctl(text, std::span(&settings.watermark_scale_factor, 1), 1, kMost));
  kernel.memory().pages().set_watermark_settings(settings);
  return {};
}

std::string lowmem_reserve_ratio(Kernel& kernel) {
  return format_sysctl(kernel.memory().pages().watermark_settings().lowmem_reserve_ratio);
}
Status set_lowmem_reserve_ratio(Kernel& kernel, std::string_view text) {
  vm::WatermarkSettings settings = kernel.memory().pages().watermark_settings();
  FL_TRY(parse_sysctl(text, settings.lowmem_reserve_ratio, 0, INT32_MAX));
  kernel.memory().pages().set_watermark_settings(settings);
  return {};
}

// --- how much may be mapped ---

std::string max_map_count(Kernel& kernel) { return fmt::format("{}\n", kernel.memory().max_map_count()); }
Status set_max_map_count(Kernel& kernel, std::string_view text) {
  uint32_t count = 0;
  FL_TRY(parse_sysctl(text, std::span(&count, 1), 0, INT32_MAX));
  kernel.memory().set_max_map_count(count);
  return {};
}

template <uint32_t vm::OvercommitSettings::*kField>
std::string overcommit_number(Kernel& kernel) {
  return fmt::format("{}\n", kernel.memory().overcommit().settings().*kField);
}
template <uint32_t vm::OvercommitSettings::*kField, uint32_t kMost>
Status set_overcommit_number(Kernel& kernel, std::string_view text) {
  using Settings = vm::OvercommitSettings;
  Settings settings = kernel.memory().overcommit().settings();
  FL_TRY(parse_sysctl(text, std::span(&(settings.*kField), 1), 0, kMost));
  // Each of the two takes the other's place. Linux: overcommit_ratio_handler, overcommit_kbytes_handler.
  if (kField == &Settings::ratio) {
    settings.kbytes = 0;
  } else if (kField == &Settings::kbytes) {
    settings.ratio = 0;
  }
  kernel.memory().overcommit().set_settings(settings);
  return {};
}

std::string overcommit_memory(Kernel& kernel) {
  return fmt::format("{}\n", static_cast<uint32_t>(kernel.memory().overcommit().settings().mode));
}
Status set_overcommit_memory(Kernel& kernel, std::string_view text) {
  uint32_t mode = 0;
  FL_TRY(parse_sysctl(text, std::span(&mode, 1), 0, static_cast<uint32_t>(vm::OvercommitMode::kNever)));
  vm::OvercommitSettings settings = kernel.memory().overcommit().settings();
  settings.mode = static_cast<vm::OvercommitMode>(mode);
  kernel.memory().overcommit().set_settings(settings);
  return {};
}

// Linux 6.1 compacts whatever is written.
Status compact_memory(Kernel& kernel, std::string_view) {
  kernel.memory().compaction().compact_all();
  return {};
}

template <uint32_t vm::DirtyLimits::*kField>
std::string dirty_number(Kernel& kernel) {
  return fmt::format("{}\n", kernel.memory().cache().dirty_limits.*kField);
}
template <uint32_t vm::DirtyLimits::*kField>
Status set_dirty_number(Kernel& kernel, std::string_view text) {
  return parse_sysctl(text, std::span(&(kernel.memory().cache().dirty_limits.*kField), 1), 0, 100);
}

using Overcommit = vm::OvercommitSettings;
using Dirty = vm::DirtyLimits;

constexpr std::array<SystemFile, 21> kSysctlFiles = {{
    {"sys/kernel/hostname", 0x40, 0444, host_name},
    {"sys/kernel/ngroups_max", 0x41, 0444, [](Kernel&) { return std::string("65536\n"); }},
    {"sys/kernel/osrelease", 0x42, 0444, os_release},
    {"sys/kernel/ostype", 0x43, 0444, [](Kernel&) { return std::string("Linux\n"); }},
    {"sys/kernel/pid_max", 0x44, 0444, [](Kernel&) { return std::string("32768\n"); }},
    {"sys/kernel/version", 0x45, 0444, os_version},
    {"sys/vm/admin_reserve_kbytes", 0x59, 0644, overcommit_number<&Overcommit::admin_reserve_kbytes>,
     set_overcommit_number<&Overcommit::admin_reserve_kbytes, UINT32_MAX>},
    {"sys/vm/compact_memory", 0x50, 0200, nullptr, compact_memory},
    {"sys/vm/dirty_background_ratio", 0x5e, 0644, dirty_number<&Dirty::background_ratio>,
     set_dirty_number<&Dirty::background_ratio>},
    {"sys/vm/dirty_ratio", 0x5f, 0644, dirty_number<&Dirty::ratio>, set_dirty_number<&Dirty::ratio>},
    {"sys/vm/drop_caches", 0x51, 0200, nullptr, drop_caches},
    {"sys/vm/lowmem_reserve_ratio", 0x52, 0644, lowmem_reserve_ratio, set_lowmem_reserve_ratio},
    {"sys/vm/max_map_count", 0x53, 0644, max_map_count, set_max_map_count},
    {"sys/vm/min_free_kbytes", 0x54, 0644, min_free_kbytes, set_min_free_kbytes},
    {"sys/vm/mmap_min_addr", 0x55, 0444, mmap_min_addr},
    {"sys/vm/overcommit_kbytes", 0x5a, 0644, overcommit_number<&Overcommit::kbytes>,
     set_overcommit_number<&Overcommit::kbytes, UINT32_MAX>},
    {"sys/vm/overcommit_memory", 0x56, 0644, overcommit_memory, set_overcommit_memory},
    {"sys/vm/overcommit_ratio", 0x57, 0644, overcommit_number<&Overcommit::ratio>,
     set_overcommit_number<&Overcommit::ratio, INT32_MAX>},
    {"sys/vm/swappiness", 0x5d, 0644, swappiness, set_swappiness},
    {"sys/vm/user_reserve_kbytes", 0x5b, 0644, overcommit_number<&Overcommit::user_reserve_kbytes>,
     set_overcommit_number<&Overcommit::user_reserve_kbytes, UINT32_MAX>},
    {"sys/vm/watermark_scale_factor", 0x58, 0644, watermark_scale_factor, set_watermark_scale_factor},
}};

}  // namespace

std::span<const SystemFile> sysctl_files() { return kSysctlFiles; }

}  // namespace fl::guest
