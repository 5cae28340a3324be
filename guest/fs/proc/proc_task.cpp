// The files of /proc/PID and /proc/PID/task/TID. Linux counterpart: fs/proc/base.c.
#include <algorithm>
#include <array>
#include <cstring>

#include "guest/fs/fs_caches.hpp"
#include "guest/fs/proc/area_file.hpp"
#include "guest/fs/proc/proc_text.hpp"
#include "guest/kernel.hpp"
#include "guest/process/peek.hpp"
#include "guest/task.hpp"
#include "loaders/exec.hpp"

namespace fl::guest {
namespace {

// The bytes of user memory between two addresses, as far as they are in memory.
std::string user_bytes(const Task& task, VirtAddr from, VirtAddr to) {
  if (task.mm == nullptr || to <= from) {
    return {};
  }
  std::string text(to - from, '\0');
  text.resize(peek(*task.mm, from, std::as_writable_bytes(std::span(text))));
  return text;
}

Result<std::string> auxv(const TaskView& view) {
  if (view.task.program == nullptr || view.task.mm == nullptr) {
    return std::string();
  }
  const auto bytes = std::as_bytes(std::span(view.task.program->auxv));
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}
Result<std::string> children(const TaskView& view) { return format_children(view); }
Result<std::string> cmdline(const TaskView& view) {
  const Task& task = view.task;
  return task.mm == nullptr ? std::string() : user_bytes(task, task.mm->layout().arg_start, task.mm->layout().arg_end);
}
Result<std::string> comm(const TaskView& view) { return view.task.comm + "\n"; }
Result<std::string> environ_(const TaskView& view) {
  const Task& task = view.task;
  return task.mm == nullptr ? std::string() : user_bytes(task, task.mm->layout().env_start, task.mm->layout().env_end);
}
Result<std::string> limits(const TaskView& view) { return format_limits(view); }
Result<std::string> mounts(const TaskView& view) { return format_mounts(view.kernel); }
Result<std::string> oom_score(const TaskView& view) { return format_oom_score(view); }
Result<std::string> oom_score_adj(const TaskView& view) {
  return std::to_string(view.task.group->oom_score_adj) + "\n";
}
Result<std::string> smaps_rollup(const TaskView& view) {
  if (view.task.mm == nullptr) {
    return fail(Errno::kESRCH);
  }
  return format_smaps_rollup(*view.task.mm, view.kernel.profile());
}
Result<std::string> stat(const TaskView& view) { return format_stat(view); }
Result<std::string> statm(const TaskView& view) {
  return view.task.mm == nullptr ? std::string("0 0 0 0 0 0 0\n") : format_statm(*view.task.mm);
}
Result<std::string> status(const TaskView& view) { return format_status(view); }

// Only threads of the same process may. Linux: comm_write.
Status store_comm(const TaskView& view, std::string_view text) {
  constexpr size_t kMost = 15;
  const Task* const asks = view.kernel.current();
  if (asks == nullptr || asks->tgid != view.task.tgid) {
    return fail(Errno::kEINVAL);
  }
  text = text.substr(0, kMost);
  view.task.comm = text.substr(0, text.find('\0'));
  return {};
}

void append_maps(std::string& text, vm::AddressSpace& mm, const vm::VmArea& area, const vm::KernelProfile& profile) {
  append_map_line(text, mm, area, profile);
}

template <AreaFile::Append kAppend>
Result<std::shared_ptr<OpenFile>> open_areas(const TaskView& view, TaskOpen how) {
  return make_file<AreaFile>(view.kernel.memory(), how.flags, std::move(how.path), view.kernel, how.stat, view.task.tid,
                             view.task.mm, kAppend);
}

Result<std::shared_ptr<OpenFile>> open_pagemap(const TaskView& view, TaskOpen how) {
  const bool shows = how.caller.cred == nullptr || how.caller.cred->euid == 0;
  return make_file<PagemapFile>(view.kernel.memory(), how.flags, std::move(how.path), how.stat, view.task.mm,
                                shows ? ShowPfn::kYes : ShowPfn::kNo);
}

using Guard = TaskFile::Guard;
constexpr auto kTaskFiles = std::to_array<TaskFile>({
    {.name = "auxv", .mode = 0400, .index = 1, .guard = Guard::kTrace, .generate = auxv},
    {.name = "children", .mode = 0444, .index = 10, .place = TaskFile::Place::kThreadOnly, .generate = children},
    {.name = "cmdline", .mode = 0444, .index = 2, .generate = cmdline},
    {.name = "comm", .mode = 0644, .index = 3, .generate = comm, .store = store_comm},
    {.name = "environ", .mode = 0400, .index = 4, .guard = Guard::kTrace, .generate = environ_},
    {.name = "limits", .mode = 0444, .index = 11, .generate = limits},
    {.name = "maps", .mode = 0444, .index = 5, .guard = Guard::kTrace, .open = open_areas<append_maps>},
    {.name = "mounts", .mode = 0444, .index = 6, .read_size = ReadSize::kPageOfLines, .generate = mounts},
    {.name = "oom_score", .mode = 0444, .index = 12, .generate = oom_score},
    {.name = "oom_score_adj", .mode = 0644, .index = 13, .generate = oom_score_adj, .store = store_oom_score_adj},
    {.name = "pagemap", .mode = 0400, .index = 14, .guard = Guard::kTrace, .open = open_pagemap},
    {.name = "smaps", .mode = 0444, .index = 15, .guard = Guard::kTrace, .open = open_areas<append_smap>},
    {.name = "smaps_rollup", .mode = 0444, .index = 16, .guard = Guard::kTrace, .generate = smaps_rollup},
    {.name = "stat", .mode = 0444, .index = 7, .generate = stat},
    {.name = "statm", .mode = 0444, .index = 8, .generate = statm},
    {.name = "status", .mode = 0444, .index = 9, .generate = status},
});

}  // namespace

std::span<const TaskFile> task_files() { return kTaskFiles; }

}  // namespace fl::guest
