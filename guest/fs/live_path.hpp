// LivePath: the place of an open file or working directory in the guest's tree, kept right when the guest renames it.
// Linux counterpart: struct path with its dentry, whose name changes under it (d_path, d_unlinked).
//
// Shared by an open file and by working directories that came from it; the Vfs that made it knows all that live.
// Simplified: a rename made by somebody else on the host is not seen.
#pragma once

#include <boost/intrusive/list.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "guest/fs/shared_text.hpp"

namespace fl::guest {

struct LivePath : boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
  explicit LivePath(SharedText path) : name(std::move(path)) {}
  // Canonical: absolute, without symbolic links, ".", ".." and doubled slashes; "/" is the root. What is not in the
  // tree has a name like "pipe:[7]".
  std::string_view text() const { return name.view(); }

  SharedText name;
  bool deleted = false;

  // As readlink of /proc/PID/fd/N shows it.
  std::string shown() const { return std::string(text()) + (deleted ? " (deleted)" : ""); }
};

using LivePathList = boost::intrusive::list<LivePath, boost::intrusive::constant_time_size<false>>;

}  // namespace fl::guest
