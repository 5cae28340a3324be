// ProcFs: /proc with what programs read of it: their own maps, descriptors and state, and a few files about the
// machine. Linux counterpart: fs/proc (base.c, task_mmu.c, array.c, generic.c).
//
// Nothing of the host's /proc is shown. Files are made when they are read; settings below sys/vm can be written. What
// is not there is ENOENT. Simplified: no task directories of threads, no smaps.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "guest/fs/file_system.hpp"
#include "guest/fs/permission.hpp"
#include "guest/fs/synthetic.hpp"

namespace fl::guest {

class Kernel;
class Vfs;
struct Task;

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
    TextFile::Generate generate;  // of a regular file
    TextFile::Store store;        // empty: it cannot be written
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
  Result<Node> task_node(const Caller& caller, uint32_t pid, std::string_view rest) const;
  Result<Node> fd_node(uint32_t pid, std::string_view rest) const;
  Result<std::shared_ptr<OpenFile>> open_magic(const Caller& caller, const std::shared_ptr<OpenFile>& file,
                                               uint32_t flags) const;
  Result<std::shared_ptr<OpenFile>> open_text(const Caller& caller, const Node& node, uint32_t status,
                                              const OpenRequest& request) const;
  FileStat stat_of(const Node& node) const;
  // Linux: proc_sys_permission, generic_permission.
  Status permission(const Caller& caller, const Node& node, uint32_t wanted) const;
  // The leader of a thread group, if it lives.
  Task* task(uint32_t pid) const;

  Vfs& vfs_;
  Kernel* kernel_ = nullptr;
};

}  // namespace fl::guest
