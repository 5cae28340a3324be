// SysFs: /sys with the nodes of the machine's memory, devices/system/node. Linux counterparts: fs/sysfs, fs/kernfs,
// drivers/base/node.c.
//
// Simplified: read-only, no links, and nothing else of the real tree. An i386 kernel is usually built without NUMA and
// has no such folder; it is here on every machine, since it is the place to look for a node's numbers.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "guest/fs/file_system.hpp"
#include "guest/fs/synthetic.hpp"

namespace fl::vm {
class MemorySystem;
}

namespace fl::guest {

class SysFs final : public FileSystem {
 public:
  explicit SysFs(vm::MemorySystem& memory);

  Result<FileStat> lstat(const Caller& caller, const std::string& path) override;
  Result<LinkTarget> readlink(const Caller& caller, const std::string& path) override;
  Result<std::shared_ptr<OpenFile>> open(const Caller& caller, const std::string& path,
                                         const OpenRequest& request) override;
  Status access(const Caller& caller, const std::string& path, uint32_t mode) override;
  Result<FsStat> statfs(const std::string& path) override;

 private:
  struct Node {
    uint64_t ino = 0;
    TextFile::Generate generate;     // empty: a directory
    std::vector<std::string> names;  // what is in it, sorted
  };
  void add(const std::string& path, TextFile::Generate generate);
  // ENOENT, ENOTDIR.
  Result<const Node*> find(const std::string& path) const;
  FileStat stat_of(const Node& node) const;
  std::vector<ListDirectory::Item> items_of(const std::string& path, const Node& node) const;

  vm::MemorySystem& memory_;
  std::map<std::string, Node> nodes_;  // by path; "" is the root
};

}  // namespace fl::guest
