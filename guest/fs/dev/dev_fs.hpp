// DevFs: /dev with the character devices that a program may rely on, none of them the host's. Linux counterparts:
// devtmpfs, drivers/char/mem.c, random.c.
//
// Also the empty directories that stand for a mount of the host that is not shown (/sys). Simplified: there is no
// controlling terminal (/dev/tty answers ENXIO).
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "guest/fs/file_system.hpp"

namespace fl::guest {

// Where /dev/random gets its bytes: seeded, so that runs are alike.
using RandomBytes = std::function<void(std::span<std::byte>)>;

class DevFs final : public FileSystem {
 public:
  DevFs(vm::MemorySystem& memory, RandomBytes random) : memory_(memory), random_(std::move(random)) {}
  Result<FileStat> lstat(const Caller& caller, const std::string& path) override;
  Result<LinkTarget> readlink(const Caller& caller, const std::string& path) override;
  Result<std::shared_ptr<OpenFile>> open(const Caller& caller, const std::string& path,
                                         const OpenRequest& request) override;
  Status access(const Caller& caller, const std::string& path, uint32_t mode) override;
  Result<FsStat> statfs(const std::string& path) override;

 private:
  vm::MemorySystem& memory_;
  RandomBytes random_;
};

}  // namespace fl::guest
