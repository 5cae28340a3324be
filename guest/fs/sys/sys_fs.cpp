// The tree is made once, when the machine has booted: nodes do not come and go.
#include "guest/fs/sys/sys_fs.hpp"

#include <algorithm>

#include "guest/fs/fs_caches.hpp"
#include "guest/fs/path.hpp"
#include "guest/fs/permission.hpp"
#include "vm/info/node_report.hpp"

namespace fl::guest {
namespace {

constexpr DeviceNumber kSysDevice{0, 22};
constexpr uint32_t kFileMode = FileMode::kRegular | 0444;
constexpr uint32_t kDirectoryMode = FileMode::kDirectory | 0755;

}  // namespace

SysFs::SysFs(vm::MemorySystem& memory) : memory_(memory) {
  nodes_[""].ino = 1;
  const std::string folder = "devices/system/node/";
  for (const vm::NodeListReport& report : vm::node_list_reports()) {
    add(folder + std::string(report.name), [&memory, &report] { return report.text(memory); });
  }
  for (uint32_t id = 0; id < vm::node_count(memory); ++id) {
    for (const vm::NodeReport& report : vm::node_reports()) {
      add(folder + "node" + std::to_string(id) + "/" + std::string(report.name),
          [&memory, &report, id] { return report.text(memory, id); });
    }
  }
}

void SysFs::add(const std::string& path, TextFile::Generate generate) {
  nodes_.insert({path, Node{nodes_.size() + 1, std::move(generate), {}}});
  // Its directories, as far as they are new, from the inside out.
  for (std::string below = path; !below.empty();) {
    const std::string above = parent_of(below);
    const std::string name = below.substr(above.empty() ? 0 : above.size() + 1);
    const auto [directory, fresh] = nodes_.insert({above, Node{nodes_.size() + 1, {}, {}}});
    std::vector<std::string>& names = directory->second.names;
    const auto at = std::lower_bound(names.begin(), names.end(), name);
    if (at == names.end() || *at != name) {
      names.insert(at, name);
    } else {
      return;
    }
    below = above;
  }
}

Result<const SysFs::Node*> SysFs::find(const std::string& path) const {
  const auto found = nodes_.find(path);
  if (found != nodes_.end()) {
    return &found->second;
  }
  for (std::string above = parent_of(path); !above.empty(); above = parent_of(above)) {
    const auto node = nodes_.find(above);
    if (node != nodes_.end()) {
      return fail(node->second.generate ? Errno::kENOTDIR : Errno::kENOENT);
    }
  }
  return fail(Errno::kENOENT);
}

FileStat SysFs::stat_of(const Node& node) const {
  FileStat stat = synthetic_stat(kSysDevice, node.ino, node.generate ? kFileMode : kDirectoryMode, {});
  stat.size = node.generate ? kPageSize : 0;
  return stat;
}

std::vector<ListDirectory::Item> SysFs::items_of(const std::string& path, const Node& node) const {
  std::vector<ListDirectory::Item> items;
  for (const std::string& name : node.names) {
    const Node& child = nodes_.at(path.empty() ? name : path + "/" + name);
    items.push_back({name, child.ino, child.generate ? kFileMode : kDirectoryMode});
  }
  return items;
}

Result<FileStat> SysFs::lstat(const Caller&, const std::string& path) {
  FL_TRY_ASSIGN(const Node* const node, find(path));
  return stat_of(*node);
}

Result<LinkTarget> SysFs::readlink(const Caller&, const std::string& path) {
  FL_TRY(find(path));
  return fail(Errno::kEINVAL);
}

Result<std::shared_ptr<OpenFile>> SysFs::open(const Caller&, const std::string& path, const OpenRequest& request) {
  const auto node = find(path);
  const bool creates = (request.flags & OpenFlag::kCreate) != 0;
  if (!node) {
    return fail(node.error() == Errno::kENOENT && creates ? Errno::kEACCES : node.error());
  }
  if (creates && (request.flags & OpenFlag::kExclusive) != 0) {
    return fail(Errno::kEEXIST);
  }
  const bool reads = (request.flags & OpenFlag::kAccessMode) == OpenFlag::kReadOnly;
  const uint32_t status =
      request.flags & ~uint32_t{OpenFlag::kCreate | OpenFlag::kNoCtty | OpenFlag::kTruncate | OpenFlag::kCloseOnExec};
  if (!(*node)->generate) {
    if (creates || !reads) {
      return fail(Errno::kEISDIR);
    }
    return ListDirectory::make(memory_, status, request.path, stat_of(**node), items_of(path, **node), kSysfsMagic);
  }
  if ((request.flags & OpenFlag::kDirectory) != 0) {
    return fail(Errno::kENOTDIR);
  }
  // Linux refuses to open an attribute for writing that has no store, even for root (kernfs_fop_open).
  if (!reads) {
    return fail(Errno::kEACCES);
  }
  return make_file<TextFile>(memory_, status, request.path, memory_, stat_of(**node), (*node)->generate,
                             ReadSize::kWhole, Splice::kYes, kSysfsMagic);
}

Status SysFs::access(const Caller&, const std::string& path, uint32_t mode) {
  FL_TRY_ASSIGN(const Node* const node, find(path));
  return node->generate && (mode & (May::kWrite | May::kExecute)) != 0 ? fail(Errno::kEACCES) : Status{};
}

Result<FsStat> SysFs::statfs(const std::string& path) {
  FL_TRY(find(path));
  return synthetic_statfs(kSysfsMagic);
}

}  // namespace fl::guest
