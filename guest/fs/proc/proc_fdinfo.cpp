// /proc/PID/fdinfo/FD. Linux counterparts: seq_show (fs/proc/fd.c), show_fd_locks (fs/locks.c).
//
// Simplified: the record locks of a process are shown with each of its descriptors of the file, not only with the one
// that they were made with.
#include <fmt/format.h>

#include <array>
#include <iterator>
#include <string>

#include "guest/fs/fd_table.hpp"
#include "guest/fs/proc/proc_text.hpp"
#include "guest/fs/vfs.hpp"
#include "guest/kernel.hpp"
#include "guest/task.hpp"

namespace fl::guest {
namespace {

// The kernel's own mounts come first, then those of the tree from the root on. Linux:
// real_mount(file->f_path.mnt)->mnt_id.
size_t mount_id(Vfs& vfs, std::string_view path) {
  constexpr std::array<std::string_view, 4> kInternal = {"/memfd:", "pipe:", "socket:", "anon_inode:"};
  for (size_t i = 0; i < kInternal.size(); ++i) {
    if (path.starts_with(kInternal[i])) {
      return i + 1;
    }
  }
  const auto& mounts = vfs.mounts();
  for (size_t i = 0; i < mounts.size(); ++i) {
    const std::string& at = mounts[i].path;
    if (path.starts_with(at) && (path.size() == at.size() || path[at.size()] == '/')) {
      return kInternal.size() + mounts.size() - i;
    }
  }
  return kInternal.size() + 1;
}

void append_lock(std::string& text, uint32_t number, const FileLock& lock, bool whole) {
  constexpr uint32_t kShift = 32;
  const char* const kind = whole ? "FLOCK " : lock.pid == -1 ? "OFDLCK" : "POSIX ";
  fmt::format_to(std::back_inserter(text), "lock:\t{}: {} ADVISORY  {} {} {:02x}:{:02x}:{} {} ", number, kind,
                 lock.type == LockType::kWrite ? "WRITE" : "READ", lock.pid, lock.key.device >> kShift,
                 lock.key.device & 0xffffffffu, lock.key.inode, lock.range.first);
  text += lock.range.last == LockRange::kEnd ? "EOF\n" : fmt::format("{}\n", lock.range.last);
}

}  // namespace

Result<std::string> format_fdinfo(const TaskView& view, uint32_t fd) {
  FdTable* const files = view.task.files.get();
  FdTable::Entry* const entry = files != nullptr ? files->entry(fd) : nullptr;
  if (entry == nullptr) {
    return fail(Errno::kENOENT);
  }
  OpenFile& file = *entry->file;
  const uint32_t flags = (file.flags() & ~uint32_t{OpenFlag::kCloseOnExec}) |
                         (entry->close_on_exec == CloseOnExec::kYes ? uint32_t{OpenFlag::kCloseOnExec} : 0);
  const auto stat = file.stat();
  Vfs& vfs = view.kernel.vfs();
  std::string text = fmt::format("pos:\t{}\nflags:\t0{:o}\nmnt_id:\t{}\nino:\t{}\n", static_cast<int64_t>(file.pos),
                                 flags, mount_id(vfs, file.path()->text()), stat ? stat->ino : 0);
  if (stat) {
    uint32_t number = 0;
    vfs.locks().for_each_of(LockKey::of(*stat), files, &file,
                            [&](const FileLock& lock, bool whole) { append_lock(text, ++number, lock, whole); });
  }
  return text + file.fdinfo(view.kernel.profile());
}

}  // namespace fl::guest
