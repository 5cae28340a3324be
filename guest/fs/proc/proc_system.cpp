// The files of /proc that tell about the machine. Linux counterparts: fs/proc/{uptime,version,stat,loadavg}.c,
// arch/x86/kernel/cpu/proc.c. Simplified: one processor without features that programs look for here.
#include <fmt/format.h>

#include <algorithm>

#include <array>
#include <set>

#include "guest/fs/proc/proc_text.hpp"
#include "guest/fs/vfs.hpp"
#include "guest/kernel.hpp"
#include "guest/task.hpp"

namespace fl::guest {
namespace {

constexpr uint64_t kTicksPerSecond = 100;

std::string cpuinfo(Kernel&) {
  return "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 15\nmodel name\t: faultline i386\n"
         "stepping\t: 0\nfpu\t\t: yes\nfpu_exception\t: yes\ncpuid level\t: 10\nwp\t\t: yes\n"
         "flags\t\t: fpu tsc cx8 cmov mmx fxsr sse sse2\nclflush size\t: 64\ncache_alignment\t: 64\n"
         "address sizes\t: 32 bits physical, 32 bits virtual\n\n";
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
                     kernel.tasks().empty() ? 0 : kernel.tasks().rbegin()->tid);
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

constexpr std::array<SystemFile, 6> kMachineFiles = {{
    {"cpuinfo", 1, 0444, cpuinfo},
    {"filesystems", 2, 0444, filesystems},
    {"loadavg", 3, 0444, loadavg},
    {"stat", 5, 0444, stat},
    {"uptime", 6, 0444, uptime},
    {"version", 7, 0444, version},
}};

}  // namespace

std::span<const SystemFile> machine_files() { return kMachineFiles; }

const SystemFile* find_system_file(std::string_view path) {
  for (const auto table : {machine_files(), memory_files(), sysctl_files(), sysv_files()}) {
    for (const SystemFile& file : table) {
      if (file.path == path) {
        return &file;
      }
    }
  }
  return nullptr;
}

std::vector<std::string> system_entries(std::string_view directory) {
  std::set<std::string> names;
  for (const auto table : {machine_files(), memory_files(), sysctl_files(), sysv_files()}) {
    for (const SystemFile& file : table) {
      std::string_view rest = file.path;
      if (!directory.empty()) {
        if (!rest.starts_with(directory) || rest.size() <= directory.size() || rest[directory.size()] != '/') {
          continue;
        }
        rest.remove_prefix(directory.size() + 1);
      }
      names.insert(std::string(rest.substr(0, rest.find('/'))));
    }
  }
  return {names.begin(), names.end()};
}

std::string format_mounts(Kernel& kernel) {
  std::string text;
  const auto& mounts = kernel.vfs().mounts();
  for (auto mount = mounts.rbegin(); mount != mounts.rend(); ++mount) {
    const bool host = mount->type == "ext4";
    text += fmt::format("{} {} {} {},{}relatime 0 0\n", host ? "/dev/root" : mount->type,
                        mount->path.empty() ? "/" : mount->path, mount->type, mount->writable ? "rw" : "ro",
                        host                     ? ""
                        : mount->type == "tmpfs" ? "nosuid,nodev,"
                                                 : "nosuid,nodev,noexec,");
  }
  for (const std::string& path : kernel.vfs().host().root().writable_directories()) {
    const bool listed =
        std::any_of(mounts.begin(), mounts.end(), [&](const auto& mount) { return mount.path == "/" + path; });
    text += listed ? "" : fmt::format("/dev/root /{} ext4 rw,relatime 0 0\n", path);
  }
  return text;
}

}  // namespace fl::guest
