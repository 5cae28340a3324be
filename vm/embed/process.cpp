// faultline::Process: memory calls and accesses.
#include <cstring>
#include <faultline/vm.hpp>

#include "mmu/layout.hpp"
#include "vm/embed/convert.hpp"
#include "vm/embed/vm_state.hpp"

namespace faultline {

using fl::Errno;
using fl::VirtAddr;
using fl::embed::refuse;
using fl::embed::to_public;

namespace {

// MS_SYNC.
constexpr uint32_t kSync = 4;
constexpr uint32_t kMayMove = fl::vm::MremapFlag::kMayMove;

// One access a page of [address, address + bytes); `copy` is told of each part, by its place in the host and from the
// start.
template <typename Copy>
Touch access_range(fl::embed::ProcessState& process, uint32_t address, size_t bytes, fl::mmu::Access access,
                   Copy&& copy) {
  Touch touch;
  touch.allowed = true;
  for (size_t done = 0; done < bytes && touch.allowed;) {
    const VirtAddr va = VirtAddr(address) + static_cast<uint32_t>(done);
    process.access(va, access, touch);
    const size_t part = std::min<size_t>(bytes - done, kPageSize - va.page_offset());
    if (touch.allowed) {
      copy(process.vm->ram.data() + touch.physical, done, part);
    }
    done += part;
  }
  return touch;
}

}  // namespace

Process::Process(std::unique_ptr<fl::embed::ProcessState> state) : state_(std::move(state)) {}
Process::Process(Process&&) noexcept = default;
Process& Process::operator=(Process&&) noexcept = default;
Process::~Process() = default;

Result<uint32_t> Process::map(const MapRequest& request) {
  state_->vm->run(*state_->mm);
  const bool anonymous = (request.flags & MapFlag::kAnonymous) != 0;
  if (anonymous != (request.file == nullptr)) {
    return refuse("map", Errno::kEBADF);
  }
  const auto mapped = state_->mm->mmap({.addr = VirtAddr(request.address),
                                        .length = request.length,
                                        .prot = request.protection,
                                        .flags = request.flags,
                                        .file = anonymous ? nullptr : request.file->state_->file,
                                        .pgoff = request.file_page},
                                       state_->faults);
  if (!mapped) {
    return refuse("map", mapped.error());
  }
  return mapped->value();
}

Status Process::unmap(uint32_t address, uint32_t length) {
  state_->vm->run(*state_->mm);
  return to_public(state_->mm->munmap(VirtAddr(address), length), "unmap");
}

Status Process::protect(uint32_t address, uint32_t length, uint32_t protection) {
  state_->vm->run(*state_->mm);
  return to_public(state_->mm->mprotect(VirtAddr(address), length, protection, state_->faults), "protect");
}

Status Process::advise(uint32_t address, uint32_t length, int advice) {
  state_->vm->run(*state_->mm);
  state_->vm->memory->faulted_pages().clear();
  return to_public(state_->mm->madvise(VirtAddr(address), length, advice, state_->faults), "advise");
}

Status Process::lock(uint32_t address, uint32_t length) {
  state_->vm->run(*state_->mm);
  return to_public(state_->mm->mlock(VirtAddr(address), length, state_->faults), "lock");
}

Status Process::unlock(uint32_t address, uint32_t length) {
  state_->vm->run(*state_->mm);
  return to_public(state_->mm->munlock(VirtAddr(address), length), "unlock");
}

Status Process::sync(uint32_t address, uint32_t length) {
  state_->vm->run(*state_->mm);
  return to_public(state_->mm->msync(VirtAddr(address), length, kSync), "sync");
}

Result<uint32_t> Process::remap(uint32_t address, uint32_t old_length, uint32_t new_length, bool may_move) {
  state_->vm->run(*state_->mm);
  const auto moved = state_->mm->mremap(VirtAddr(address), old_length, new_length, may_move ? kMayMove : 0u,
                                        VirtAddr(0), state_->faults);
  if (!moved) {
    return refuse("remap", moved.error());
  }
  return moved->value();
}

Result<Process> Process::fork() {
  state_->vm->run(*state_->mm);
  auto child = state_->mm->fork();
  if (!child) {
    return refuse("fork", child.error());
  }
  auto made = std::make_unique<fl::embed::ProcessState>();
  made->vm = state_->vm;
  made->mm = std::move(*child);
  return Process(std::move(made));
}

Touch Process::touch(uint32_t address, Access access) {
  Touch touch;
  state_->access(VirtAddr(address), fl::embed::to_ours(access), touch);
  return touch;
}

Touch Process::read(uint32_t address, std::span<std::byte> to) {
  return access_range(
      *state_, address, to.size(), fl::mmu::Access::kRead,
      [&](const std::byte* from, size_t done, size_t part) { std::memcpy(to.data() + done, from, part); });
}

Touch Process::write(uint32_t address, std::span<const std::byte> from) {
  return access_range(*state_, address, from.size(), fl::mmu::Access::kWrite,
                      [&](std::byte* to, size_t done, size_t part) { std::memcpy(to, from.data() + done, part); });
}

std::vector<Area> Process::areas() const {
  std::vector<Area> areas;
  for (const fl::vm::VmArea* area = state_->mm->areas().first(); area != nullptr; area = area->next) {
    areas.push_back({.start = area->start.value(),
                     .end = area->end.value(),
                     .permissions = fl::vm::permissions(*area),
                     .name = area->file != nullptr ? std::string(area->file->path) : std::string(),
                     .file_page = area->file != nullptr ? area->pgoff : 0});
  }
  return areas;
}

Walk Process::walk(uint32_t address) const {
  const VirtAddr va(address);
  const fl::Pfn directory = state_->mm->tables().directory();
  Walk walk = fl::embed::read_steps(state_->vm->ram, directory, va);
  const fl::mmu::Translation found = fl::embed::peek(walk, va);
  fl::embed::add_outcome(walk, found, va);
  return walk;
}

ProcessUse Process::use() const {
  const fl::vm::MemoryUse& used = state_->mm->use();
  ProcessUse use;
  use.faults = to_public(state_->faults);
  use.mapped = used.total_vm;
  use.resident = used.rss();
  use.swapped = used.swap_entries;
  use.page_tables = state_->mm->tables().table_frames() + 1;
  return use;
}

}  // namespace faultline
