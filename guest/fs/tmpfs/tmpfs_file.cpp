// Reading, writing, sizing, sealing and listing. Linux counterparts: shmem_file_read_iter, shmem_fallocate,
// dcache_readdir.
#include "guest/fs/tmpfs/tmpfs_file.hpp"

#include <fcntl.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "guest/fs/permission.hpp"
#include "guest/fs/synthetic.hpp"
#include "vm/memory_system.hpp"
#include "vm/phys/page.hpp"

namespace fl::guest {
namespace {

constexpr uint64_t kMaxBytes = uint64_t{std::numeric_limits<uint32_t>::max()} << kPageShift;

constexpr uint32_t kAnyExecute = 0111;

// Somebody may store into the file through a shared mapping. Linux: i_mmap_writable, which until 6.6 counted those for
// reading too.
bool mapped_for_writing(vm::Mapping& pages, const vm::KernelProfile& profile) {
  return std::any_of(pages.areas().begin(), pages.areas().end(), [&](const vm::VmArea& area) {
    return area.shared() && (!profile.maps_sealed_for_reading || area.has(vm::VmFlag::kMayWrite));
  });
}

}  // namespace

FsStat tmpfs_statfs(const TmpfsSuper& super) {
  FsStat stat = synthetic_statfs(kTmpfsMagic);
  constexpr uint64_t kNoSuidNoDev = 0x6;
  stat.flags |= kNoSuidNoDev;
  if (super.space.limit != std::numeric_limits<uint64_t>::max()) {
    stat.blocks = super.space.limit;
    stat.blocks_free = stat.blocks_available = super.space.limit - super.space.used;
  }
  if (super.max_inodes != 0) {
    stat.files = super.max_inodes;
    stat.files_free = super.max_inodes - super.inodes;
  }
  return stat;
}

Result<FsStat> TmpfsPath::statfs() { return tmpfs_statfs(*inode_->super); }

Result<uint32_t> TmpfsFile::read(IoBuffer& to, uint64_t& at) {
  vm::Mapping& pages = inode()->pages;
  uint32_t done = 0;
  while (to.left() > 0 && at < pages.size()) {
    const auto wanted = static_cast<uint32_t>(std::min<uint64_t>(to.left(), pages.size() - at));
    // A page that was never touched reads as zeros and stays as it is.
    const auto in_page = static_cast<uint32_t>(at & kPageOffsetMask);
    const uint32_t length = std::min(wanted, kPageSize - in_page);
    uint32_t moved = 0;
    if (!pages.holds(at >> kPageShift)) {
      moved = to.put_zeros(length);
    } else if (const auto piece = to.chunk(length, mmu::Access::kWrite)) {
      const auto got = pages.read(at, piece->bytes());
      moved = got ? *got : 0;
      to.advance(moved);
    }
    if (moved == 0) {
      return done > 0 ? Result<uint32_t>(done) : fail(Errno::kEFAULT);
    }
    at += moved;
    done += moved;
  }
  note_read();
  return done;
}

Result<uint32_t> TmpfsFile::write(IoBuffer& from, uint64_t& at) {
  vm::Mapping& pages = inode()->pages;
  if (from.left() == 0) {
    return 0;
  }
  if ((flags() & OpenFlag::kAppend) != 0) {
    at = pages.size();
  }
  if (at >= kMaxBytes) {
    return fail(Errno::kEFBIG);
  }
  if ((seals() & uint32_t{Seal::kWrite | Seal::kFutureWrite}) != 0 ||
      ((seals() & Seal::kGrow) != 0 && at + from.left() > pages.size())) {
    return fail(Errno::kEPERM);
  }
  inode()->touch_modified();
  uint32_t done = 0;
  while (from.left() > 0 && at < kMaxBytes) {
    // No more than the rest of a page: what it is made of may run out in between.
    const auto in_page = static_cast<uint32_t>(at & kPageOffsetMask);
    const auto piece = from.chunk(std::min(from.left(), kPageSize - in_page), mmu::Access::kRead);
    if (!piece) {
      return done > 0 ? Result<uint32_t>(done) : fail(piece.error());
    }
    const auto put = pages.write_shmem(at, piece->bytes());
    if (!put) {
      return done > 0 ? Result<uint32_t>(done) : fail(put.error());
    }
    from.advance(*put);
    at += *put;
    done += *put;
  }
  return done;
}

// Linux: shmem_file_llseek, mapping_seek_hole_data.
Result<uint64_t> TmpfsFile::seek(int64_t offset, uint32_t whence) {
  vm::Mapping& pages = inode()->pages;
  const uint64_t size = pages.size();
  if (whence != Whence::kData && whence != Whence::kHole) {
    FL_TRY_ASSIGN(pos, seek_in(pos, size, offset, whence));
    return pos;
  }
  if (offset < 0 || static_cast<uint64_t>(offset) >= size) {
    return fail(Errno::kENXIO);
  }
  const auto from = static_cast<uint64_t>(offset);
  uint64_t index = from >> kPageShift;
  if (whence == Whence::kData) {
    const auto page = pages.next_held(index);
    const uint64_t start = page ? uint64_t{*page} << kPageShift : size;
    if (start >= size) {
      return fail(Errno::kENXIO);
    }
    return pos = std::max(from, start);
  }
  while (index < pages_for(size) && pages.holds(index)) {
    ++index;
  }
  return pos = std::min(size, std::max(from, index << kPageShift));
}

Status TmpfsFile::truncate(uint64_t size) { return inode()->resize(size); }

Status TmpfsFile::allocate(uint32_t mode, uint64_t offset, uint64_t length) {
  constexpr uint32_t kKeepSize = FALLOC_FL_KEEP_SIZE, kPunchHole = FALLOC_FL_PUNCH_HOLE;
  if ((mode & ~(kKeepSize | kPunchHole)) != 0 || mode == kPunchHole) {
    return fail(Errno::kEOPNOTSUPP);
  }
  if ((mode & kPunchHole) != 0) {
    return make_hole(offset, length);
  }
  vm::Mapping& pages = inode()->pages;
  const uint64_t end = offset + length;
  if (end > kMaxBytes) {
    return fail(Errno::kEFBIG);
  }
  if ((seals() & Seal::kGrow) != 0 && end > pages.size()) {
    return fail(Errno::kEPERM);
  }
  const uint64_t first = offset >> kPageShift, last = pages_for(end);
  if (last - first > inode()->super->space.limit) {
    return fail(Errno::kENOSPC);
  }
  std::vector<uint64_t> made;
  for (uint64_t index = first; index < last; ++index) {
    const bool existed = pages.exists(index);
    if (const auto page = pages.allocate(index); !page) {
      // Linux: shmem_undo_range of what is not up to date yet.
      for (const uint64_t each : made) {
        pages.punch_hole(each, each);
      }
      return fail(page.error());
    }
    if (!existed) {
      made.push_back(index);
    }
  }
  if ((mode & kKeepSize) == 0 && end > pages.size()) {
    FL_TRY(inode()->resize(end));
  }
  inode()->touch_changed();
  return {};
}

Status TmpfsFile::make_hole(uint64_t offset, uint64_t length) {
  if ((seals() & uint32_t{Seal::kWrite | Seal::kFutureWrite}) != 0) {
    return fail(Errno::kEPERM);
  }
  vm::Mapping& pages = inode()->pages;
  const uint64_t end = std::min(offset + length, kMaxBytes);
  const uint64_t first_whole = pages_for(offset), end_whole = end >> kPageShift;
  if (first_whole < end_whole) {
    pages.punch_hole(first_whole, end_whole - 1);
  }
  // The parts of pages at both ends.
  for (uint64_t at = offset; at < end;) {
    const auto in_page = static_cast<uint32_t>(at & kPageOffsetMask);
    const auto piece = static_cast<uint32_t>(std::min<uint64_t>(kPageSize - in_page, end - at));
    if (piece < kPageSize) {
      pages.zero(at, piece);
      at += piece;
    } else {
      at = end_whole << kPageShift;
    }
  }
  inode()->touch_modified();
  return {};
}

Result<std::shared_ptr<const vm::MappedFile>> TmpfsFile::mapped_file() {
  if (mapped_.mapping == nullptr) {
    mapped_.mapping = std::shared_ptr<vm::Mapping>(inode(), &inode()->pages);
    mapped_.device = inode()->super->device.word();
    mapped_.inode = inode()->ino;
    name_mapped(mapped_);
  }
  // Areas that are there already keep the rights that they were given.
  mapped_.readable = readable();
  mapped_.writable = writable();
  mapped_.sealed = (seals() & Seal::kWrite) != 0;
  mapped_.sealed_for_new = (seals() & Seal::kFutureWrite) != 0;
  note_read();
  return share_mapped(mapped_);
}

// Linux: memfd_add_seals.
Status TmpfsFile::add_seals(uint32_t seals) {
  const vm::KernelProfile& profile = inode()->super->memory.profile();
  if (!writable()) {
    return fail(Errno::kEPERM);
  }
  if ((seals & ~(profile.memfd_seals_exec ? Seal::kAll : Seal::kAll & ~Seal::kExec)) != 0) {
    return fail(Errno::kEINVAL);
  }
  if ((inode()->seals & Seal::kSeal) != 0) {
    return fail(Errno::kEPERM);
  }
  if ((seals & ~inode()->seals & Seal::kWrite) != 0 && mapped_for_writing(inode()->pages, profile)) {
    return fail(Errno::kEBUSY);
  }
  if ((seals & Seal::kExec) != 0 && (inode()->mode & kAnyExecute) != 0) {
    seals |= uint32_t{Seal::kShrink | Seal::kGrow | Seal::kWrite | Seal::kFutureWrite};
  }
  inode()->seals |= seals;
  return {};
}

Result<uint64_t> TmpfsDirectory::seek(int64_t offset, uint32_t whence) {
  if (whence != Whence::kSet && whence != Whence::kCurrent) {
    return fail(Errno::kEINVAL);
  }
  FL_TRY_ASSIGN(pos, seek_in(pos, 0, offset, whence));
  return pos;
}

Status TmpfsDirectory::list(DirectorySink& sink) {
  constexpr uint32_t kTypeShift = 12;  // DT_x is S_IFx >> 12
  constexpr uint64_t kFirst = 2;       // behind "." and ".."
  const TmpfsInode& directory = *inode();
  if (directory.nlink == 0) {
    return fail(Errno::kENOENT);
  }
  note_read();
  while (pos < kFirst) {
    const bool self = pos == 0;
    if (!sink.add({self ? directory.ino : directory.parent->ino, pos + 1, FileMode::kDirectory >> kTypeShift,
                   self ? "." : ".."})) {
      return {};
    }
    ++pos;
  }
  // Beyond the first two a position is that of the entry before: what is older comes next.
  auto next = pos == kFirst ? directory.by_position.end() : directory.by_position.lower_bound(pos);
  while (next != directory.by_position.begin()) {
    --next;
    const auto type = static_cast<uint8_t>((next->inode->mode & FileMode::kTypeMask) >> kTypeShift);
    if (!sink.add({next->inode->ino, next->position, type, next->name()})) {
      return {};
    }
    pos = next->position;
  }
  return {};
}

Result<std::shared_ptr<OpenFile>> make_memfd(const std::shared_ptr<TmpfsSuper>& super, const Caller& caller,
                                             std::shared_ptr<LivePath> path, uint32_t seals) {
  const uint32_t mode = FileMode::kRegular | ((seals & Seal::kExec) != 0 ? 0666u : 0777u);
  const Credentials& cred = credentials_of(caller);
  FL_TRY_ASSIGN(auto inode, TmpfsInode::make(super, mode, cred.fsuid, cred.fsgid));
  inode->nlink = 0;
  inode->seals = seals;
  FL_TRY_ASSIGN(WriteClaim claim, WriteClaim::take(inode->writers, WriteClaim::Kind::kWrite));
  return make_file<TmpfsFile>(super->memory, uint32_t{OpenFlag::kReadWrite | OpenFlag::kLargeFile}, std::move(path),
                              std::move(inode), std::move(claim));
}

}  // namespace fl::guest
