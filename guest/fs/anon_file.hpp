// AnonFile: a file without a name in the tree that a system call made: eventfd, timerfd, signalfd, epoll, pidfd; and
// how such files are made and opened. Linux counterpart: fs/anon_inodes.c, anon_inode_getfd.
#pragma once

#include <fmt/format.h>

#include <memory>
#include <string_view>
#include <utility>

#include "guest/fs/fs_caches.hpp"
#include "guest/fs/synthetic.hpp"
#include "guest/syscall/file_support.hpp"

namespace fl::guest {

class AnonFile : public OpenFile {
 public:
  using OpenFile::OpenFile;
  // All of them are one inode, without a type.
  Result<FileStat> stat() override { return synthetic_stat(DeviceNumber{0, 14}, kInode, 0600, {}); }
  // Linux: noop_llseek.
  Result<uint64_t> seek(int64_t, uint32_t) override { return 0; }
  Result<FsStat> statfs() override { return synthetic_statfs(kMagic); }
  bool wakes_waiters() const override { return true; }

 private:
  static constexpr uint64_t kInode = 1037, kMagic = 0x09041934;
};

// A file of class T named "anon_inode:NAME", made of flags, name and `args`. ENOMEM.
template <class T, class... A>
Result<std::shared_ptr<T>> make_anon_file(Kernel& kernel, std::string_view name, uint32_t flags, A&&... args) {
  FL_TRY_ASSIGN(auto path, kernel.vfs().make_path(fmt::format("anon_inode:{}", name)));
  return make_file<T>(kernel.memory(), flags, std::move(path), std::forward<A>(args)...);
}

// Its descriptor; EMFILE.
inline Result<uint32_t> install_file(Task& task, std::shared_ptr<OpenFile> file, uint32_t flags) {
  return task.files->install(std::move(file), close_on_exec(flags), descriptor_limit(task));
}

}  // namespace fl::guest
