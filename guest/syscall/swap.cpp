// swapon, swapoff. Linux counterpart: mm/swapfile.c.
//
// The file is one of a writable directory of the host, or an area that the command line named. Simplified: nothing is
// discarded, whatever the flags ask for.
#include <optional>
#include <utility>

#include "guest/fs/path.hpp"
#include "guest/fs/swap_device.hpp"
#include "guest/syscall/file_support.hpp"
#include "guest/syscall/syscall.hpp"
#include "vm/swap/swap_space.hpp"

namespace fl::guest {
namespace {

// SWAP_FLAG_* (linux/swap.h).
struct SwapFlag {
  enum Bit : uint32_t {
    kPriorityMask = 0x7fff,
    kPrefer = 0x8000,
    kDiscard = 0x10000,
    kDiscardOnce = 0x20000,
    kDiscardPages = 0x40000,
  };
  static constexpr uint32_t kValid = kPriorityMask | kPrefer | kDiscard | kDiscardOnce | kDiscardPages;
};

// CAP_SYS_ADMIN.
bool may_swap(const Task& task) { return task.cred.euid == 0; }

// "/a/b" for "b" or "./b" in /a: as areas are named.
std::string absolute(const At& at, std::string_view path) {
  std::string text(path.starts_with('/') || at.directory->text() == "/" ? "" : at.directory->text());
  while (has_component(path)) {
    const std::string_view component = next_component(path);
    if (component == "..") {
      text = parent_of(text);
    } else if (component != ".") {
      text += '/';
      text += component;
    }
  }
  return text;
}

enum class Holes : uint8_t { kAllowed, kRefused };

// A file whose blocks are not all there cannot be swapped to. Linux: iomap_swapfile_activate.
Status check_blocks(OpenFile& file) {
  FL_TRY_ASSIGN(const FileStat stat, file.stat());
  constexpr uint64_t kBlock = 512;
  return stat.blocks * kBlock < (stat.size & ~uint64_t{kPageOffsetMask}) ? fail(Errno::kEINVAL) : Status{};
}

// What a path means to swapon and swapoff, and the name that it gets.
Result<SwapDevice> find_swap(Kernel& kernel, Task& task, VirtAddr from, Holes holes) {
  FL_TRY_ASSIGN(const std::string path, user_path(task, from));
  const At at = at_cwd(task);
  const std::string name = absolute(at, path);
  for (const SwapDevice& device : kernel.options().swap_devices) {
    if (device.name == name) {
      return device;
    }
  }
  FL_TRY_ASSIGN(const std::shared_ptr<OpenFile> file,
                kernel.vfs().open(at, path, OpenFlag::kReadWrite | OpenFlag::kLargeFile, 0));
  FL_TRY_ASSIGN(std::shared_ptr<vm::SwapStore> store, file->swap_store());
  if (holes == Holes::kRefused) {
    FL_TRY(check_blocks(*file));
  }
  return SwapDevice{std::string(file->path()->text()), std::move(store)};
}

}  // namespace

Result<uint32_t> sys_swapon(Kernel& kernel, Task& task, const SyscallArgs& args) {
  const uint32_t flags = args[1];
  if ((flags & ~SwapFlag::kValid) != 0) {
    return fail(Errno::kEINVAL);
  }
  if (!may_swap(task)) {
    return fail(Errno::kEPERM);
  }
  vm::SwapSpace& swap = kernel.memory().swap();
  if (swap.area_count() == vm::kMaxSwapFiles) {
    return fail(Errno::kEPERM);
  }
  FL_TRY_ASSIGN(SwapDevice device, find_swap(kernel, task, args.ptr(0), Holes::kRefused));
  const auto prio = (flags & SwapFlag::kPrefer) != 0 ? std::optional(static_cast<int>(flags & SwapFlag::kPriorityMask))
                                                     : std::nullopt;
  FL_TRY(swap.swapon(std::move(device.store), device.name, prio));
  return 0;
}

Result<uint32_t> sys_swapoff(Kernel& kernel, Task& task, const SyscallArgs& args) {
  if (!may_swap(task)) {
    return fail(Errno::kEPERM);
  }
  FL_TRY_ASSIGN(const SwapDevice device, find_swap(kernel, task, args.ptr(0), Holes::kRefused));
  vm::SwapSpace& swap = kernel.memory().swap();
  const vm::SwapArea* const area = swap.find(device.store->id());
  if (area == nullptr) {
    return fail(Errno::kEINVAL);
  }
  // What has been promised must fit without it, where promises are counted.
  FL_TRY(kernel.memory().overcommit().enough_memory(task.mm.get(), area->pages()));
  return zero_or(swap.swapoff(area->type()));
}

}  // namespace fl::guest
