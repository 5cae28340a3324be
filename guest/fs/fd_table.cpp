// Allocating and freeing descriptors. Linux counterparts: alloc_fd, replace_fd, close_fd.
#include "guest/fs/fd_table.hpp"

#include <algorithm>
#include <bit>
#include <utility>

#include "guest/fs/lock_table.hpp"

namespace fl::guest {
namespace {

// Linux: sysctl_nr_open; no limit lets a table grow beyond it.
constexpr uint64_t kMaxDescriptors = 1u << 20;

}  // namespace

FdTable::~FdTable() { close_all(); }

void FdTable::close_all() {
  if (caches_.locks != nullptr) {
    caches_.locks->remove_owner(this);
  }
  entries_.clear();
}

void FdTable::note_closed(OpenFile* file) const {
  if (file != nullptr && caches_.locks != nullptr) {
    caches_.locks->close_descriptor(*file, this);
  }
}

// Linux: expand_files.
Status FdTable::grow_to(uint32_t fd) {
  return fd < entries_.size() ? Status{} : vm::with_memory([&] { entries_.resize(size_t{fd} + 1); });
}

uint32_t FdTable::max_fds(uint32_t pointer_bytes) const {
  const auto used = static_cast<uint32_t>(entries_.size());
  if (used <= pointer_bytes * 8) {
    return pointer_bytes * 8;
  }
  return std::bit_ceil(std::max(used, 1024 / pointer_bytes));
}

Result<uint32_t> FdTable::lowest_free(uint64_t limit, uint32_t lowest) {
  uint64_t fd = lowest;
  while (fd < entries_.size() && entries_[fd].file != nullptr) {
    ++fd;
  }
  if (fd >= limit || fd >= kMaxDescriptors) {
    return fail(Errno::kEMFILE);
  }
  FL_TRY(grow_to(static_cast<uint32_t>(fd)));
  return static_cast<uint32_t>(fd);
}

Result<uint32_t> FdTable::install(std::shared_ptr<OpenFile> file, CloseOnExec close_on_exec, uint64_t limit,
                                  uint32_t lowest) {
  FL_TRY_ASSIGN(const uint32_t fd, lowest_free(limit, lowest));
  entries_[fd] = {std::move(file), close_on_exec};
  return fd;
}

Status FdTable::install_at(uint32_t fd, std::shared_ptr<OpenFile> file, CloseOnExec close_on_exec, uint64_t limit) {
  if (fd >= limit || fd >= kMaxDescriptors) {
    return fail(Errno::kEBADF);
  }
  FL_TRY(grow_to(fd));
  // The old file's destructor must not see a half-written entry.
  const Entry old = std::exchange(entries_[fd], Entry{std::move(file), close_on_exec});
  note_closed(old.file.get());
  return {};
}

Result<std::shared_ptr<OpenFile>> FdTable::close(uint32_t fd) {
  if (get(fd) == nullptr) {
    return fail(Errno::kEBADF);
  }
  Entry old = std::exchange(entries_[fd], Entry{});
  note_closed(old.file.get());
  return std::move(old.file);
}

void FdTable::close_on_exec() {
  for (Entry& entry : entries_) {
    if (entry.close_on_exec == CloseOnExec::kYes) {
      const Entry old = std::exchange(entry, Entry{});
      note_closed(old.file.get());
    }
  }
}

}  // namespace fl::guest
