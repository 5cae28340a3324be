// Reading, writing, sizing and sealing a memfd.
#include "guest/fs/shmem_file.hpp"

#include <algorithm>
#include <limits>

#include "guest/fs/synthetic.hpp"
#include "vm/phys/page.hpp"

namespace fl::guest {
namespace {

constexpr DeviceNumber kShmemDevice{0, 1};
constexpr uint64_t kMaxBytes = uint64_t{1} << 31;  // more than the machine can have RAM for

}  // namespace

ShmemFile::ShmemFile(uint32_t flags, std::shared_ptr<LivePath> path, uint64_t inode,
                     std::shared_ptr<vm::Mapping> mapping, uint32_t seals)
    : OpenFile(flags, std::move(path)), mapping_(std::move(mapping)), inode_(inode), seals_(seals) {}

Result<FileStat> ShmemFile::stat() {
  FileStat stat = synthetic_stat(kShmemDevice, inode_, mode_, {});
  stat.nlink = 0;
  stat.size = mapping_->size();
  stat.blksize = kPageSize;
  stat.blocks = uint64_t{mapping_->cached_pages()} * (kPageSize / 512);
  return stat;
}

Result<uint32_t> ShmemFile::read(IoBuffer& to, uint64_t& at) {
  uint32_t done = 0;
  while (to.left() > 0 && at < mapping_->size()) {
    const auto wanted = static_cast<uint32_t>(std::min<uint64_t>(to.left(), mapping_->size() - at));
    // A page that was never touched reads as zeros and stays untouched. Linux: shmem_file_read_iter.
    const uint64_t index = at >> kPageShift;
    const auto in_page = static_cast<uint32_t>(at & kPageOffsetMask);
    uint32_t moved = 0;
    if (mapping_->find(index) == vm::kNoPage) {
      moved = to.put_zeros(std::min(wanted, kPageSize - in_page));
    } else if (const auto piece = to.chunk(std::min(wanted, kPageSize - in_page), mmu::Access::kWrite)) {
      const auto got = mapping_->read(at, piece->bytes());
      moved = got ? *got : 0;
      to.advance(moved);
    }
    if (moved == 0) {
      return done > 0 ? Result<uint32_t>(done) : fail(Errno::kEFAULT);
    }
    at += moved;
    done += moved;
  }
  return done;
}

Result<uint32_t> ShmemFile::write(IoBuffer& from, uint64_t& at) {
  if ((seals_ & uint32_t{Seal::kWrite | Seal::kFutureWrite}) != 0) {
    return fail(Errno::kEPERM);
  }
  if ((flags() & OpenFlag::kAppend) != 0) {
    at = mapping_->size();
  }
  if (at + from.left() > kMaxBytes) {
    return fail(Errno::kEFBIG);
  }
  if ((seals_ & Seal::kGrow) != 0 && at + from.left() > mapping_->size()) {
    return fail(Errno::kEPERM);
  }
  uint32_t done = 0;
  while (from.left() > 0) {
    const auto piece = from.chunk(from.left(), mmu::Access::kRead);
    if (!piece) {
      return done > 0 ? Result<uint32_t>(done) : fail(piece.error());
    }
    const auto put = mapping_->write_shmem(at, piece->bytes());
    if (!put) {
      return done > 0 ? Result<uint32_t>(done) : fail(put.error());
    }
    from.advance(*put);
    at += *put;
    done += *put;
    if (*put == 0) {
      break;
    }
  }
  return done;
}

Result<uint64_t> ShmemFile::seek(int64_t offset, uint32_t whence) {
  FL_TRY_ASSIGN(pos, seek_in(pos, mapping_->size(), offset, whence));
  return pos;
}

Status ShmemFile::truncate(uint64_t size) {
  if (size > kMaxBytes) {
    return fail(Errno::kEFBIG);
  }
  const uint32_t forbidden = size < mapping_->size() ? Seal::kShrink : size > mapping_->size() ? Seal::kGrow : 0u;
  if ((seals_ & forbidden) != 0) {
    return fail(Errno::kEPERM);
  }
  mapping_->truncate(size);
  return {};
}

Status ShmemFile::allocate(uint32_t mode, uint64_t offset, uint64_t length) {
  if (mode != 0) {
    return fail(Errno::kEOPNOTSUPP);
  }
  const uint64_t end = offset + length;
  if (end > mapping_->size()) {
    FL_TRY(truncate(end));
  }
  for (uint64_t index = offset >> kPageShift; index < pages_for(end); ++index) {
    FL_TRY(mapping_->get(index));
  }
  return {};
}

Status ShmemFile::chmod(uint32_t mode) {
  mode_ = FileMode::kRegular | (mode & FileMode::kPermissions);
  return {};
}

Result<FsStat> ShmemFile::statfs() { return synthetic_statfs(kTmpfsMagic); }

Result<std::shared_ptr<const vm::MappedFile>> ShmemFile::mapped_file() {
  if (mapped_.mapping == nullptr) {
    mapped_.mapping = mapping_;
    mapped_.device = kShmemDevice.word();
    mapped_.inode = inode_;
    name_mapped(mapped_);
  }
  // Areas that are there already keep the rights that they were given.
  mapped_.readable = readable();
  mapped_.writable = writable() && (seals_ & uint32_t{Seal::kWrite | Seal::kFutureWrite}) == 0;
  return share_mapped(mapped_);
}

Status ShmemFile::add_seals(uint32_t seals) {
  if ((seals_ & Seal::kSeal) != 0 || !writable()) {
    return fail(Errno::kEPERM);
  }
  seals_ |= seals;
  return {};
}

}  // namespace fl::guest
