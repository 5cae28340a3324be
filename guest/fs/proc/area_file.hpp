// AreaFile: /proc/PID/maps and smaps, a record for each area; PagemapFile: /proc/PID/pagemap, a word for each page.
// Linux counterparts: proc_pid_maps_operations, proc_pid_smaps_operations, proc_pagemap_operations
// (fs/proc/task_mmu.c).
//
// Both show the address space that the task had when they were opened, and nothing once that is gone.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "guest/fs/seq_file.hpp"
#include "vm/mm/address_space.hpp"
#include "vm/profile.hpp"

namespace fl::guest {

class Kernel;

class AreaFile final : public SeqFile {
 public:
  // Appends what the file says of one area.
  using Append = void (*)(std::string& text, vm::AddressSpace& mm, const vm::VmArea& area,
                          const vm::KernelProfile& profile);
  AreaFile(uint32_t flags, std::shared_ptr<LivePath> path, Kernel& kernel, const FileStat& stat, uint32_t tid,
           std::weak_ptr<vm::AddressSpace> mm, Append append);

 protected:
  // ESRCH: the task is gone.
  Result<bool> show(std::string& text, uint64_t& cursor) override;

 private:
  Kernel& kernel_;
  uint32_t tid_;
  std::weak_ptr<vm::AddressSpace> mm_;
  Append append_;
};

// Whether the opener may know physical addresses. Linux: CAP_SYS_ADMIN.
enum class ShowPfn : bool { kNo, kYes };

class PagemapFile final : public OpenFile {
 public:
  PagemapFile(uint32_t flags, std::shared_ptr<LivePath> path, const FileStat& stat, std::weak_ptr<vm::AddressSpace> mm,
              ShowPfn show_pfn)
      : OpenFile(flags, std::move(path)), stat_(stat), mm_(std::move(mm)), show_pfn_(show_pfn) {}

  Result<FileStat> stat() override { return stat_; }
  bool seekable() const override { return true; }
  // EINVAL: position or length is not a multiple of a word. EFAULT, even if words were stored before; `at` stays then.
  // Linux: pagemap_read.
  Result<uint32_t> read(IoBuffer& to, uint64_t& at) override;
  // Linux: mem_lseek.
  Result<uint64_t> seek(int64_t offset, uint32_t whence) override;
  Result<FsStat> statfs() override;
  bool can_splice_read() const override { return false; }

 private:
  FileStat stat_;
  std::weak_ptr<vm::AddressSpace> mm_;
  ShowPfn show_pfn_;
};

}  // namespace fl::guest
