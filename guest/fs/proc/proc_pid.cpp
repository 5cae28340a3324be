// What stands below /proc/PID and /proc/PID/task/TID. Linux counterparts: proc_pid_lookup, proc_task_lookup,
// proc_pident_lookup (fs/proc/base.c), proc_lookupfd, proc_lookupfdinfo (fs/proc/fd.c).
#include <algorithm>

#include "guest/fs/fd_table.hpp"
#include "guest/fs/fs_context.hpp"
#include "guest/fs/proc/proc_fs.hpp"
#include "guest/fs/proc/proc_path.hpp"
#include "guest/kernel.hpp"
#include "guest/task.hpp"
#include "loaders/exec.hpp"

namespace fl::guest {
namespace {

uint64_t first_inode(const TaskView& view) {
  return (uint64_t{view.task.tid} << kTaskInodeBits) + (view.scope == TaskScope::kThread ? kThreadInodes : 0);
}

bool stands_in(const TaskFile& file, TaskScope scope) {
  return file.place == TaskFile::Place::kBoth || scope == TaskScope::kThread;
}

constexpr uint32_t kPlainLinks = 2;  // of a directory without others in it
constexpr uint32_t kFdDirectories = 2;

}  // namespace

Task* ProcFs::task(uint32_t tid) const { return kernel_ != nullptr ? kernel_->find_task(tid) : nullptr; }

// Who owns a node of a task: its effective user, but user 0 what others must not see of one that cannot be traced.
// Linux: task_dump_owner.
void ProcFs::set_owner(Node& node, const Task& task) {
  const bool dumpable = task.mm != nullptr && task.group->dumpable == 1;
  if (node.mode == kDirectoryMode || dumpable) {
    node.uid = task.cred.euid;
    node.gid = task.cred.egid;
  }
}

Result<ProcFs::Node> ProcFs::pid_node(const Caller& caller, uint32_t pid, std::string_view rest) const {
  Task* const found = task(pid);
  if (found == nullptr) {
    return fail(Errno::kENOENT);
  }
  const TaskView process{*kernel_, *found, TaskScope::kProcess};
  if (first_component(rest) != "task") {
    return task_node(caller, process, rest);
  }
  rest = behind_first(rest);
  if (rest.empty()) {
    return threads_node(process);
  }
  uint32_t tid = 0;
  Task* const thread = parse_number(first_component(rest), tid) ? task(tid) : nullptr;
  if (thread == nullptr || thread->group != found->group) {
    return fail(Errno::kENOENT);
  }
  return task_node(caller, {*kernel_, *thread, TaskScope::kThread}, behind_first(rest));
}

// /proc/PID/task.
ProcFs::Node ProcFs::threads_node(const TaskView& view) {
  Node node;
  node.mode = kDirectoryMode;
  node.ino = first_inode(view) + 't';
  set_owner(node, view.task);
  for (const ThreadLink& link : view.task.group->threads) {
    const TaskView thread{view.kernel, link.task, TaskScope::kThread};
    node.items.push_back({std::to_string(link.task.tid), first_inode(thread), kDirectoryMode});
  }
  node.nlink = kPlainLinks + static_cast<uint32_t>(node.items.size());
  return node;
}

ProcFs::Node ProcFs::task_directory(const TaskView& view) {
  Node node;
  node.mode = kDirectoryMode;
  node.ino = first_inode(view);
  set_owner(node, view.task);
  for (const TaskFile& file : task_files()) {
    if (stands_in(file, view.scope)) {
      node.items.push_back({std::string(file.name), node.ino + file.index, FileMode::kRegular | file.mode});
    }
  }
  for (const std::string_view name : {"cwd", "exe", "root"}) {
    node.items.push_back({std::string(name), node.ino + name.front(), kLinkMode});
  }
  node.items.push_back({"fd", node.ino + kFdInodes, FileMode::kDirectory | 0500});
  node.items.push_back({"fdinfo", node.ino + kFdinfoInodes, kDirectoryMode});
  node.nlink = kPlainLinks + kFdDirectories;
  if (view.scope == TaskScope::kProcess) {
    node.items.push_back({"task", node.ino + 't', kDirectoryMode});
    ++node.nlink;
  }
  return node;
}

Result<ProcFs::Node> ProcFs::task_node(const Caller& caller, const TaskView& view, std::string_view rest) const {
  if (rest.empty()) {
    return task_directory(view);
  }
  const std::string_view name = first_component(rest);
  const bool deeper = name.size() != rest.size();
  if (name == "fd") {
    return fd_node(caller, view, behind_first(rest));
  }
  if (name == "fdinfo") {
    return fdinfo_node(caller, view, behind_first(rest));
  }
  if (name == "cwd" || name == "root" || name == "exe") {
    return deeper ? Result<Node>(fail(Errno::kELOOP)) : link_node(caller, view, name);
  }
  for (const TaskFile& file : task_files()) {
    if (file.name == name && stands_in(file, view.scope)) {
      return deeper ? Result<Node>(fail(Errno::kENOTDIR)) : file_node(caller, view, file);
    }
  }
  return fail(Errno::kENOENT);
}

Result<ProcFs::Node> ProcFs::link_node(const Caller& caller, const TaskView& view, std::string_view name) {
  const Task& task = view.task;
  const bool has_exe = task.mm != nullptr && task.program != nullptr && task.program->exe != nullptr;
  if ((name == "exe" && !has_exe) || (name != "exe" && task.fs == nullptr)) {
    return fail(Errno::kENOENT);
  }
  Node node;
  node.mode = kLinkMode;
  node.ino = first_inode(view) + static_cast<uint64_t>(name.front());
  set_owner(node, task);
  node.refused = !may_look_into(caller, task);
  node.target.text = name == "root"  ? "/"
                     : name == "cwd" ? task.fs->cwd->shown()
                                     : std::string(task.program->exe->path);
  return node;
}

ProcFs::Node ProcFs::file_node(const Caller& caller, const TaskView& view, const TaskFile& file) const {
  Node node;
  node.mode = FileMode::kRegular | file.mode;
  node.ino = first_inode(view) + file.index;
  set_owner(node, view.task);
  node.read_size = file.read_size;
  node.splice = Splice::kNo;
  node.refused = file.guard == TaskFile::Guard::kTrace && !may_look_into(caller, view.task);
  if (file.open != nullptr) {
    node.view.emplace(view);
    node.file = &file;
    return node;
  }
  const uint32_t tid = view.task.tid;
  const TaskScope scope = view.scope;
  node.generate = [this, &file, tid, scope]() -> Result<std::string> {
    Task* const now = task(tid);
    return now != nullptr ? file.generate({*kernel_, *now, scope}) : fail(Errno::kESRCH);
  };
  if (file.store != nullptr) {
    node.store = [this, &file, tid, scope](std::string_view text, uint64_t) -> Status {
      Task* const now = task(tid);
      return now != nullptr ? file.store({*kernel_, *now, scope}, text) : fail(Errno::kESRCH);
    };
  }
  return node;
}

Result<ProcFs::Node> ProcFs::fd_node(const Caller& caller, const TaskView& view, std::string_view rest) const {
  const FdTable* const files = view.task.files.get();
  Node node;
  node.mode = FileMode::kDirectory | 0500;
  node.ino = first_inode(view) + kFdInodes;
  set_owner(node, view.task);
  // A process may look at its own, whatever it has become. Linux: proc_fd_permission.
  node.allowed = caller.pid == view.task.tgid;
  const uint64_t first = node.ino + 1;
  if (rest.empty()) {
    for (uint32_t fd = 0; files != nullptr && fd < files->entries().size(); ++fd) {
      if (files->get(fd) != nullptr) {
        node.items.push_back({std::to_string(fd), first + fd, FileMode::kSymlink});
      }
    }
    node.size = view.kernel.profile().proc_text == vm::ProcText::k6_18 ? node.items.size() : 0;
    return node;
  }
  FL_TRY(permission(caller, node, May::kExecute));
  uint32_t fd = 0;
  if (files == nullptr || !parse_number(first_component(rest), fd) || files->get(fd) == nullptr) {
    return fail(Errno::kENOENT);
  }
  if (first_component(rest).size() != rest.size()) {
    return fail(Errno::kELOOP);
  }
  Node link;
  link.magic = files->share(fd);
  constexpr uint32_t kMayRead = 0500, kMayWrite = 0300;
  link.mode = FileMode::kSymlink | (link.magic->readable() ? kMayRead : 0) | (link.magic->writable() ? kMayWrite : 0);
  link.ino = first + fd;
  set_owner(link, view.task);
  link.refused = !may_look_into(caller, view.task);
  link.target = {link.magic->path()->shown(), true};
  return link;
}

Result<ProcFs::Node> ProcFs::fdinfo_node(const Caller& caller, const TaskView& view, std::string_view rest) const {
  const FdTable* const files = view.task.files.get();
  Node node;
  node.ino = first_inode(view) + kFdinfoInodes;
  node.refused = !may_look_into(caller, view.task);
  if (rest.empty()) {
    node.mode = kDirectoryMode;
    set_owner(node, view.task);
    for (uint32_t fd = 0; files != nullptr && fd < files->entries().size(); ++fd) {
      if (files->get(fd) != nullptr) {
        node.items.push_back({std::to_string(fd), node.ino + 1 + fd, FileMode::kRegular});
      }
    }
    return node;
  }
  uint32_t fd = 0;
  if (files == nullptr || !parse_number(first_component(rest), fd) || files->get(fd) == nullptr) {
    return fail(Errno::kENOENT);
  }
  if (first_component(rest).size() != rest.size()) {
    return fail(Errno::kENOTDIR);
  }
  node.mode = FileMode::kRegular | 0444;
  node.ino += 1 + fd;
  set_owner(node, view.task);
  node.splice = Splice::kNo;
  const uint32_t tid = view.task.tid;
  node.generate = [this, tid, fd]() -> Result<std::string> {
    Task* const now = task(tid);
    return now != nullptr ? format_fdinfo({*kernel_, *now, TaskScope::kThread}, fd) : fail(Errno::kENOENT);
  };
  return node;
}

}  // namespace fl::guest
