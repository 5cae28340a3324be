// The texts of /proc: which files there are and what they say. Linux counterparts: tgid_base_stuff, tid_base_stuff,
// proc(5).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "guest/fs/caller.hpp"
#include "guest/fs/synthetic.hpp"
#include "mmu/base/result.hpp"
#include "vm/info/report.hpp"
#include "vm/mm/address_space.hpp"
#include "vm/profile.hpp"

namespace fl::guest {

class Kernel;
class OpenFile;
struct Task;

// A task as one of its directories shows it: /proc/TID tells of its whole process where the two differ,
// /proc/PID/task/TID of the thread alone.
enum class TaskScope : uint8_t { kProcess, kThread };
struct TaskView {
  Kernel& kernel;
  Task& task;
  TaskScope scope;
};

// How a file of a task is opened: what TextFile does not do.
struct TaskOpen {
  const Caller& caller;
  uint32_t flags;
  std::shared_ptr<LivePath> path;
  const FileStat& stat;
};

// A file in the directory of a task.
struct TaskFile {
  // Who may look: whoever the mode allows, or only who might trace the task besides. Linux: PTRACE_MODE_READ_FSCREDS.
  enum class Guard : uint8_t { kMode, kTrace };
  enum class Place : uint8_t { kBoth, kThreadOnly };
  std::string_view name;
  uint32_t mode;   // permission bits
  uint64_t index;  // its inode number within the directory
  ReadSize read_size = ReadSize::kWhole;
  Guard guard = Guard::kMode;
  Place place = Place::kBoth;
  Result<std::string> (*generate)(const TaskView& view) = nullptr;
  // A write of `text` at any position; null: it cannot be written.
  Status (*store)(const TaskView& view, std::string_view text) = nullptr;
  // Instead of generate.
  Result<std::shared_ptr<OpenFile>> (*open)(const TaskView& view, TaskOpen how) = nullptr;
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

// A line of /proc/PID/maps, byte for byte as Linux prints it for the kernel of `profile`.
void append_map_line(std::string& text, const vm::AddressSpace& mm, const vm::VmArea& area,
                     const vm::KernelProfile& profile);
// The first line of smaps_rollup.
void append_rollup_line(std::string& text, const vm::AddressSpace& mm, const vm::KernelProfile& profile);
// An area's lines of smaps. Linux: show_smap.
void append_smap(std::string& text, vm::AddressSpace& mm, const vm::VmArea& area, const vm::KernelProfile& profile);
// Linux: show_smaps_rollup.
std::string format_smaps_rollup(vm::AddressSpace& mm, const vm::KernelProfile& profile);
// /proc/PID/{status,stat,statm}.
std::string format_status(const TaskView& view);
std::string format_stat(const TaskView& view);
std::string format_statm(const vm::AddressSpace& mm);
// /proc/PID/{limits,oom_score,oom_score_adj}, /proc/PID/task/TID/children.
std::string format_limits(const TaskView& view);
std::string format_oom_score(const TaskView& view);
Status store_oom_score_adj(const TaskView& view, std::string_view text);
std::string format_children(const TaskView& view);
// /proc/PID/fdinfo/FD. ENOENT: the descriptor is closed.
Result<std::string> format_fdinfo(const TaskView& view, uint32_t fd);
// /proc/mounts.
std::string format_mounts(Kernel& kernel);

// Whether `asks` may look into the state of a task. Linux: ptrace_may_access with PTRACE_MODE_READ_FSCREDS.
bool may_look_into(const Caller& asks, const Task& task);
// The same for the task on whose behalf the kernel works.
bool current_may_look_into(Kernel& kernel, const Task& task);

}  // namespace fl::guest
