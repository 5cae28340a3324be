// Records of areas.
#include "guest/fs/proc/area_file.hpp"

#include "guest/kernel.hpp"
#include "mmu/layout.hpp"

namespace fl::guest {

AreaFile::AreaFile(uint32_t flags, std::shared_ptr<LivePath> path, Kernel& kernel, const FileStat& stat, uint32_t tid,
                   std::weak_ptr<vm::AddressSpace> mm, Append append)
    : SeqFile(flags, std::move(path), kernel.memory(), stat),
      kernel_(kernel),
      tid_(tid),
      mm_(std::move(mm)),
      append_(append) {}

Result<bool> AreaFile::show(std::string& text, uint64_t& cursor) {
  if (kernel_.find_task(tid_) == nullptr) {
    return fail(Errno::kESRCH);
  }
  const std::shared_ptr<vm::AddressSpace> mm = mm_.lock();
  if (mm == nullptr || cursor >= mmu::kTaskSize) {
    return false;
  }
  const vm::VmArea* const area = mm->areas().find(VirtAddr(static_cast<uint32_t>(cursor)));
  if (area == nullptr) {
    return false;
  }
  append_(text, *mm, *area, kernel_.profile());
  cursor = area->end.value();
  return true;
}

}  // namespace fl::guest
