// The two ends of a pipe.
#include "guest/fs/pipe.hpp"

#include <algorithm>
#include <bit>

#include "guest/fs/fs_caches.hpp"
#include "guest/fs/ioctl.hpp"
#include "guest/fs/permission.hpp"
#include "guest/fs/synthetic.hpp"

namespace fl::guest {
namespace {

constexpr DeviceNumber kPipeDevice{0, 13};
constexpr uint64_t kPipeMagic = 0x50495045;
constexpr uint32_t kMaxPipeBytes = 1 << 20;  // Linux: pipe_max_size

}  // namespace

PipeEnd::PipeEnd(uint32_t flags, std::shared_ptr<LivePath> path, uint64_t inode, std::shared_ptr<PipeBuffer> buffer)
    : OpenFile(flags, std::move(path)), inode_(inode), buffer_(std::move(buffer)) {
  if (readable()) {
    ++buffer_->readers;
    ++buffer_->reader_openings;
  }
  if (writable()) {
    ++buffer_->writers;
    ++buffer_->writer_openings;
  }
}

PipeEnd::~PipeEnd() {
  buffer_->readers -= readable() ? 1 : 0;
  buffer_->writers -= writable() ? 1 : 0;
  buffer_->waiting.wake_all();
}

Result<FileStat> PipeEnd::stat() {
  FileStat stat = synthetic_stat(kPipeDevice, inode_, buffer_->mode, {});
  stat.blksize = kPageSize;
  return stat;
}

Status PipeEnd::chmod(const Caller&, uint32_t mode) {
  buffer_->mode = FileMode::kFifo | (mode & FileMode::kPermissions);
  return {};
}

Result<uint32_t> PipeEnd::read(IoBuffer& to, uint64_t&) {
  if (to.left() == 0) {
    return 0;
  }
  if (buffer_->used() == 0) {
    return buffer_->writers == 0 ? Result<uint32_t>(0u) : fail(Errno::kEAGAIN);
  }
  const bool was_full = buffer_->full();
  const uint32_t done = buffer_->drain(to);
  if (was_full && !buffer_->full()) {
    buffer_->waiting.wake_all(PollEvent::kOut | PollEvent::kWriteNormal);
  }
  return done > 0 ? Result<uint32_t>(done) : fail(Errno::kEFAULT);
}

// Up to PIPE_BUF bytes go in at once or not at all: they need one page.
Result<uint32_t> PipeEnd::write(IoBuffer& from, uint64_t&) {
  if (from.left() == 0) {
    return 0;
  }
  if (buffer_->readers == 0) {
    return fail(Errno::kEPIPE);
  }
  if (!buffer_->accepts(from.left())) {
    return fail(Errno::kEAGAIN);
  }
  FL_TRY_ASSIGN(const uint32_t done, buffer_->fill(from));
  buffer_->waiting.wake_all(PollEvent::kIn | PollEvent::kReadNormal);
  return done > 0 ? Result<uint32_t>(done) : fail(Errno::kEFAULT);
}

uint32_t PipeEnd::poll() {
  uint32_t events = 0;
  if (readable()) {
    events |= buffer_->used() > 0 ? uint32_t{PollEvent::kIn | PollEvent::kReadNormal} : 0u;
    const bool left = buffer_->writers == 0 && buffer_->writer_openings != writers_not_missed_;
    events |= left ? uint32_t{PollEvent::kHup} : 0u;
  }
  if (writable()) {
    events |= buffer_->full() ? 0u : uint32_t{PollEvent::kOut | PollEvent::kWriteNormal};
    events |= buffer_->readers == 0 ? uint32_t{PollEvent::kErr} : 0u;
  }
  return events;
}

Result<FsStat> PipeEnd::statfs() { return synthetic_statfs(kPipeMagic); }

Result<uint32_t> PipeEnd::ioctl(vm::UserAccess& user, uint32_t request, VirtAddr argument) {
  if (request != Ioctl::kFionread) {
    return fail(Errno::kENOTTY);
  }
  FL_TRY(user.put(argument, static_cast<int32_t>(buffer_->used())));
  return 0;
}

// Linux: pipe_set_size, round_pipe_size.
Result<uint32_t> PipeEnd::resize(uint32_t bytes, const Caller& caller) {
  if (bytes > uint32_t{1} << 31) {
    return fail(Errno::kEINVAL);
  }
  const uint32_t rounded = std::bit_ceil(std::max(bytes, kPageSize));
  const uint32_t pages = rounded >> kPageShift;
  if (pages > buffer_->capacity_pages() && rounded > kMaxPipeBytes && caller.cred != nullptr &&
      caller.cred->euid != 0) {
    return fail(Errno::kEPERM);
  }
  FL_TRY(buffer_->resize(pages));
  return rounded;
}

Result<std::shared_ptr<PipeBuffer>> make_pipe_buffer(vm::MemorySystem& memory) {
  std::shared_ptr<PipeBuffer> buffer;
  FL_TRY(vm::with_memory(
      [&] { buffer = std::allocate_shared<PipeBuffer>(vm::SlabStlAllocator<PipeBuffer>(memory.slab()), memory); }));
  return buffer;
}

Result<PipeEnds> make_pipe(vm::MemorySystem& memory, uint32_t flags, uint64_t inode, std::shared_ptr<LivePath> path) {
  const auto buffer = make_pipe_buffer(memory);
  if (!buffer) {
    return fail(Errno::kENFILE);
  }
  FL_TRY_ASSIGN(auto writer, make_file<PipeEnd>(memory, flags | OpenFlag::kWriteOnly, path, inode, *buffer));
  FL_TRY_ASSIGN(auto reader, make_file<PipeEnd>(memory, flags | OpenFlag::kReadOnly, path, inode, *buffer));
  return PipeEnds{std::move(reader), std::move(writer)};
}

}  // namespace fl::guest
