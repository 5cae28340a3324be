// ProcFs: /proc with what programs read of it: their own memory, descriptors, threads and state, and a few files about
// the machine. Linux counterpart: fs/proc (base.c, fd.c, task_mmu.c, array.c, generic.c).
//
// Nothing of the host's /proc is shown. Files are made when they are read; settings below sys/vm can be written, and of
// a process comm and oom_score_adj. What is not there is ENOENT.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "guest/fs/file_system.hpp"
#include "guest/fs/permission.hpp"
#include "guest/fs/proc/proc_text.hpp"
#include "guest/fs/synthetic.hpp"

namespace fl::guest {

class Vfs;

class ProcFs final : public FileSystem {
 public:
  explicit ProcFs(Vfs& vfs) : vfs_(vfs) {}
  void set_kernel(Kernel* kernel) { kernel_ = kernel; }

  Result<FileStat> lstat(const Caller& caller, const std::string& path) override;
  Result<FileStat> stat_magic(const Caller& caller, const std::string& path) override;
  Result<LinkTarget> readlink(const Caller& caller, const std::string& path) override;
  Result<std::shared_ptr<OpenFile>> open(const Caller& caller, const std::string& path,
                                         const OpenRequest& request) override;
  Status access(const Caller& caller, const std::string& path, uint32_t mode) override;
  Result<FsStat> statfs(const std::string& path) override;

 private:
  struct Node {
    uint32_t mode = 0;
    uint64_t ino = 0;
    uint32_t uid = 0, gid = 0;
    uint32_t nlink = 0;  // 0: as usual
    uint64_t size = 0;
    // The caller may not look into the task: opening and following are EACCES.
    bool refused = false;
    bool allowed = false;         // whatever the mode says
    TextFile::Generate generate;  // of a regular file
    // Instead, of one that is opened in its own way.
    std::optional<TaskView> view;
    const TaskFile* file = nullptr;
    TextFile::Store store;  // empty: it cannot be written
    RootOverride root = RootOverride::kYes;
    ReadSize read_size = ReadSize::kWhole;
    Splice splice = Splice::kYes;
    LinkTarget target;                       // of a symbolic link
    std::shared_ptr<OpenFile> magic;         // what a magic link leads to
    std::vector<ListDirectory::Item> items;  // of a directory
  };
  Result<Node> find(const Caller& caller, const std::string& path) const;
  Result<Node> root() const;
  Result<Node> system_node(const std::string& path) const;
  // proc_pid.cpp: below /proc/PID, and below it or /proc/PID/task/TID.
  Result<Node> pid_node(const Caller& caller, uint32_t pid, std::string_view rest) const;
  static Node threads_node(const TaskView& view);
  Result<Node> task_node(const Caller& caller, const TaskView& view, std::string_view rest) const;
  static Node task_directory(const TaskView& view);
  static Result<Node> link_node(const Caller& caller, const TaskView& view, std::string_view name);
  Node file_node(const Caller& caller, const TaskView& view, const TaskFile& file) const;
  Result<Node> fd_node(const Caller& caller, const TaskView& view, std::string_view rest) const;
  Result<Node> fdinfo_node(const Caller& caller, const TaskView& view, std::string_view rest) const;
  Result<std::shared_ptr<OpenFile>> open_magic(const Caller& caller, const std::shared_ptr<OpenFile>& file,
                                               uint32_t flags) const;
  Result<std::shared_ptr<OpenFile>> open_text(const Caller& caller, const Node& node, uint32_t status,
                                              const OpenRequest& request) const;
  static void set_owner(Node& node, const Task& task);
  FileStat stat_of(const Node& node) const;
  // Linux: proc_sys_permission, generic_permission.
  Status permission(const Caller& caller, const Node& node, uint32_t wanted) const;
  // Any thread, listed or not; null: there is none.
  Task* task(uint32_t tid) const;

  Vfs& vfs_;
  Kernel* kernel_ = nullptr;
};

}  // namespace fl::guest
