// LivePath: the place of an open file or working directory in the guest's tree, kept right when the guest renames it.
// Linux counterpart: struct path with its dentry, whose name changes under it (d_path, d_unlinked).
//
// Shared by an open file and by working directories that came from it; the Vfs that made it knows all that live.
// Simplified: a rename made by somebody else on the host is not seen.
#pragma once

#include <boost/intrusive/list.hpp>
#include <memory>
#include <string>
#include <utility>

namespace fl::guest {

struct LivePath : boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
  explicit LivePath(std::string path) : text(std::move(path)) {}
  // Canonical: absolute, without symbolic links, ".", ".." and doubled slashes; "/" is the root. What is not in the
  // tree has a name like "pipe:[7]".
  std::string text;
  bool deleted = false;

  // As readlink of /proc/PID/fd/N shows it.
  std::string shown() const { return deleted ? text + " (deleted)" : text; }
};

using LivePathList = boost::intrusive::list<LivePath, boost::intrusive::constant_time_size<false>>;

}  // namespace fl::guest
