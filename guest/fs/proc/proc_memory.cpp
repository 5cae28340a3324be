// The files of /proc that tell about memory: vm makes their texts.
#include <vector>

#include "guest/fs/proc/proc_text.hpp"

namespace fl::guest {

std::span<const SystemFile> memory_files() {
  static const std::vector<SystemFile> kFiles = [] {
    constexpr uint64_t kFirstInode = 0x20;
    std::vector<SystemFile> files;
    for (const vm::MemoryReport& report : vm::memory_reports()) {
      files.push_back({.path = report.name,
                       .index = kFirstInode + files.size(),
                       .mode = report.mode,
                       .generate = nullptr,
                       .store = nullptr,
                       .report = &report});
    }
    return files;
  }();
  return kFiles;
}

}  // namespace fl::guest
