// The files of /proc that tell about the machine. Linux counterparts: fs/proc/{meminfo,uptime,version,stat,loadavg}.c,
// arch/x86/kernel/cpu/proc.c, kernel/sysctl.c. Simplified: one processor without features that programs look for here.
#include <fmt/format.h>

#include <array>

#include "guest/fs/proc/proc_text.hpp"
#include "guest/fs/vfs.hpp"
#include "guest/kernel.hpp"
#include "guest/task.hpp"
#include "vm/memory_system.hpp"

namespace fl::guest {
namespace {

constexpr uint64_t kTicksPerSecond = 100;

std::string cpuinfo(Kernel&) {
  return "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 15\nmodel name\t: faultline i386\n"
         "stepping\t: 0\nfpu\t\t: yes\nfpu_exception\t: yes\ncpuid level\t: 10\nwp\t\t: yes\n"
         "flags\t\t: fpu tsc cx8 cmov mmx fxsr sse sse2\nclflush size\t: 64\ncache_alignment\t: 64\n"
         "address sizes\t: 32 bits physical, 32 bits virtual\n\n";
}

std::string meminfo(Kernel& kernel) {
  vm::MemorySystem& memory = kernel.memory();
  const auto kb = [](uint64_t pages) { return pages * (kPageSize / 1024); };
  vm::PageAllocator& pages = memory.pages();
  const uint64_t cached = memory.cache().cached_pages();
  return fmt::format(
      "MemTotal:       {:8} kB\nMemFree:        {:8} kB\nMemAvailable:   {:8} kB\nBuffers:        {:8} kB\n"
      "Cached:         {:8} kB\nSwapCached:     {:8} kB\nSwapTotal:      {:8} kB\nSwapFree:       {:8} kB\n"
      "PageTables:     {:8} kB\n",
      kb(pages.managed_frames()), kb(pages.free_frames()),
      kb(uint64_t{pages.free_frames()} + memory.cache().inactive_pages()), 0, kb(cached), 0, 0, 0,
      kb(pages.table_frames()));
}

std::string hundredths(uint64_t ns) {
  return fmt::format("{}.{:02}", ns / kNsPerSecond, ns % kNsPerSecond / (kNsPerSecond / 100));
}
std::string uptime(Kernel& kernel) {
  const uint64_t now = kernel.time().now_ns();
  return fmt::format("{} {}\n", hundredths(now), hundredths(now - kernel.time().cpu_ns()));
}

std::string version(Kernel& kernel) {
  return fmt::format("Linux version {} (faultline) {}\n", kernel.profile().release, kernel.profile().version);
}

std::string loadavg(Kernel& kernel) {
  return fmt::format("0.00 0.00 0.00 1/{} {}\n", kernel.tasks().size(),
                     kernel.tasks().empty() ? 0 : kernel.tasks().back()->tid);
}

std::string stat(Kernel& kernel) {
  const uint64_t user = kernel.time().cpu_ns() * kTicksPerSecond / kNsPerSecond;
  const uint64_t idle = kernel.time().now_ns() * kTicksPerSecond / kNsPerSecond - user;
  return fmt::format(
      "cpu  {0} 0 0 {1} 0 0 0 0 0 0\ncpu0 {0} 0 0 {1} 0 0 0 0 0 0\nintr 0\nctxt 0\nbtime {2}\nprocesses {3}\n"
      "procs_running 1\nprocs_blocked 0\n",
      user, idle, kernel.time().wall_start_ns() / kNsPerSecond, kernel.tasks().size());
}

std::string filesystems(Kernel&) { return "nodev\tsysfs\nnodev\ttmpfs\nnodev\tproc\nnodev\tdevtmpfs\n\text4\n"; }

std::string os_release(Kernel& kernel) { return fmt::format("{}\n", kernel.profile().release); }
std::string os_version(Kernel& kernel) { return fmt::format("{}\n", kernel.profile().version); }
std::string host_name(Kernel& kernel) { return kernel.options().host_name + "\n"; }
std::string max_map_count(Kernel&) { return fmt::format("{}\n", vm::kMaxMapCount); }
std::string mmap_min_addr(Kernel&) { return fmt::format("{}\n", vm::kMmapMinAddr); }

constexpr std::array<SystemFile, 17> kSystemFiles = {{
    {"cpuinfo", 1, cpuinfo},
    {"filesystems", 2, filesystems},
    {"loadavg", 3, loadavg},
    {"meminfo", 4, meminfo},
    {"stat", 5, stat},
    {"uptime", 6, uptime},
    {"version", 7, version},
    {"sys/kernel/hostname", 8, host_name},
    {"sys/kernel/ngroups_max", 9, [](Kernel&) { return std::string("65536\n"); }},
    {"sys/kernel/osrelease", 10, os_release},
    {"sys/kernel/ostype", 11, [](Kernel&) { return std::string("Linux\n"); }},
    {"sys/kernel/pid_max", 12, [](Kernel&) { return std::string("32768\n"); }},
    {"sys/kernel/version", 13, os_version},
    {"sys/vm/max_map_count", 14, max_map_count},
    {"sys/vm/mmap_min_addr", 15, mmap_min_addr},
    {"sys/vm/overcommit_memory", 16, [](Kernel&) { return std::string("0\n"); }},
    {"sys/vm/overcommit_ratio", 17, [](Kernel&) { return std::string("50\n"); }},
}};

}  // namespace

const SystemFile* find_system_file(std::string_view path) {
  for (const SystemFile& file : kSystemFiles) {
    if (file.path == path) {
      return &file;
    }
  }
  return nullptr;
}

std::vector<std::string> system_entries(std::string_view directory) {
  std::vector<std::string> names;
  for (const SystemFile& file : kSystemFiles) {
    std::string_view rest = file.path;
    if (!directory.empty()) {
      if (!rest.starts_with(directory) || rest.size() <= directory.size() || rest[directory.size()] != '/') {
        continue;
      }
      rest.remove_prefix(directory.size() + 1);
    }
    const std::string name(rest.substr(0, rest.find('/')));
    if (names.empty() || names.back() != name) {
      names.push_back(name);
    }
  }
  return names;
}

std::string format_mounts(Kernel& kernel) {
  std::string text;
  const auto& mounts = kernel.vfs().mounts();
  for (auto mount = mounts.rbegin(); mount != mounts.rend(); ++mount) {
    text += mount->path.empty()
                ? std::string("/dev/root / ext4 ro,relatime 0 0\n")
                : fmt::format("{0} {1} {0} rw,nosuid,nodev,noexec,relatime 0 0\n", mount->type, mount->path);
  }
  return text;
}

}  // namespace fl::guest
