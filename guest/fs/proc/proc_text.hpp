// The texts of /proc: which files there are and what they say. Linux counterparts: tgid_base_stuff, proc(5).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "guest/fs/synthetic.hpp"
#include "mmu/base/result.hpp"
#include "vm/info/report.hpp"
#include "vm/mm/address_space.hpp"
#include "vm/profile.hpp"

namespace fl::guest {

class Kernel;
struct Task;

// A file in /proc/PID.
struct TaskFile {
  std::string_view name;
  uint32_t mode;   // permission bits
  uint64_t index;  // its inode number within the process
  ReadSize read_size;
  Result<std::string> (*generate)(Kernel& kernel, const Task& task);
};
std::span<const TaskFile> task_files();

// A file about the machine, below /proc; `path` may have slashes.
struct SystemFile {
  using Generate = std::string (*)(Kernel& kernel);
  // A write of `text`, at the start of the file. EINVAL if it makes no sense.
  using Store = Status (*)(Kernel& kernel, std::string_view text);
  std::string_view path;
  uint64_t index;               // its inode number among such files
  uint32_t mode;                // permission bits
  Generate generate = nullptr;  // null: it cannot be read, whoever asks
  Store store = nullptr;        // null: it cannot be written
  // Instead of generate: a text about memory.
  const vm::MemoryReport* report = nullptr;
};
const SystemFile* find_system_file(std::string_view path);
// The four tables: about the machine, its memory, settings, and System V IPC.
std::span<const SystemFile> machine_files();
std::span<const SystemFile> memory_files();
std::span<const SystemFile> sysctl_files();
std::span<const SystemFile> sysv_files();
// The names in a directory of such files, in order; empty if there is no such directory. "": /proc itself.
std::vector<std::string> system_entries(std::string_view directory);

// /proc/PID/maps, byte for byte as Linux prints it for the kernel of `profile`.
std::string format_maps(const vm::AddressSpace& mm, const vm::KernelProfile& profile);
// /proc/PID/{status,stat,statm}.
std::string format_status(Kernel& kernel, const Task& task);
std::string format_stat(Kernel& kernel, const Task& task);
std::string format_statm(const vm::AddressSpace& mm);
// /proc/mounts.
std::string format_mounts(Kernel& kernel);

}  // namespace fl::guest
