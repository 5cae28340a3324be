// The settings below /proc/sys. Linux counterparts: kernel/sysctl.c (kern_table, vm_table), kernel/utsname_sysctl.c.
// What can be written has an effect; a setting whose effect is not modelled is read-only here.
#include <fmt/format.h>

#include <array>

#include "guest/fs/proc/proc_text.hpp"
#include "guest/fs/proc/sysctl.hpp"
#include "guest/kernel.hpp"
#include "vm/memory_system.hpp"
#include "vm/mm/limits.hpp"

namespace fl::guest {
namespace {

std::string host_name(Kernel& kernel) { return kernel.options().host_name + "\n"; }
std::string os_release(Kernel& kernel) { return fmt::format("{}\n", kernel.profile().release); }
std::string os_version(Kernel& kernel) { return fmt::format("{}\n", kernel.profile().version); }
std::string max_map_count(Kernel&) { return fmt::format("{}\n", vm::kMaxMapCount); }
std::string mmap_min_addr(Kernel&) { return fmt::format("{}\n", vm::kMmapMinAddr); }

// drop_caches: 1 drops the page cache, 2 unused objects, 4 asks for silence.
Status drop_caches(Kernel& kernel, std::string_view text) {
  constexpr uint32_t kPageCache = 1;
  uint32_t what = 0;
  FL_TRY(parse_sysctl(text, std::span(&what, 1), 1, 4));
  if ((what & kPageCache) != 0) {
    while (kernel.memory().cache().reclaim()) {
    }
  }
  return {};
}

constexpr std::array<SystemFile, 11> kSysctlFiles = {{
    {"sys/kernel/hostname", 0x40, 0444, host_name},
    {"sys/kernel/ngroups_max", 0x41, 0444, [](Kernel&) { return std::string("65536\n"); }},
    {"sys/kernel/osrelease", 0x42, 0444, os_release},
    {"sys/kernel/ostype", 0x43, 0444, [](Kernel&) { return std::string("Linux\n"); }},
    {"sys/kernel/pid_max", 0x44, 0444, [](Kernel&) { return std::string("32768\n"); }},
    {"sys/kernel/version", 0x45, 0444, os_version},
    {"sys/vm/drop_caches", 0x51, 0200, nullptr, drop_caches},
    {"sys/vm/max_map_count", 0x53, 0444, max_map_count},
    {"sys/vm/mmap_min_addr", 0x55, 0444, mmap_min_addr},
    {"sys/vm/overcommit_memory", 0x56, 0444, [](Kernel&) { return std::string("0\n"); }},
    {"sys/vm/overcommit_ratio", 0x57, 0444, [](Kernel&) { return std::string("50\n"); }},
}};

}  // namespace

std::span<const SystemFile> sysctl_files() { return kSysctlFiles; }

}  // namespace fl::guest
