// Reading generated text and listing made-up directories.
#include "guest/fs/synthetic.hpp"

#include <algorithm>

namespace fl::guest {

FileStat synthetic_stat(DeviceNumber device, uint64_t ino, uint32_t mode, const FileTime& time) {
  FileStat stat;
  stat.dev = device;
  stat.ino = ino;
  stat.mode = mode;
  stat.nlink = (mode & FileMode::kTypeMask) == FileMode::kDirectory ? 2 : 1;
  stat.blksize = (mode & FileMode::kTypeMask) == FileMode::kCharacter ? kPageSize : 1024;
  stat.atime = stat.mtime = stat.ctime = time;
  return stat;
}

FsStat synthetic_statfs(uint64_t magic) {
  FsStat stat;
  stat.type = magic;
  stat.flags = 0x1020;  // ST_VALID | ST_RELATIME
  return stat;
}

Result<uint32_t> TextFile::read(IoBuffer& to, uint64_t& at) {
  if (at == 0 || !generated_) {
    FL_TRY_ASSIGN(text_, generate_());
    generated_ = true;
  }
  if (at >= text_.size() || to.left() == 0) {
    return 0;
  }
  size_t length = std::min<uint64_t>(text_.size() - at, to.left());
  if (size_ == ReadSize::kPageOfLines && text_.size() - at > kPageSize) {
    const size_t line_end = text_.rfind('\n', at + kPageSize - 1);
    length = std::min<size_t>(length, line_end == std::string::npos || line_end < at ? kPageSize : line_end + 1 - at);
  }
  const uint32_t moved = to.put(std::as_bytes(std::span(text_)).subspan(at, length));
  if (moved == 0) {
    return fail(Errno::kEFAULT);
  }
  at += moved;
  return moved;
}

Result<uint32_t> TextFile::write(IoBuffer& from, uint64_t& at) {
  if (!store_) {
    return fail(Errno::kEIO);
  }
  // Settings are numbers; Linux too looks at one page only, and takes the rest as read.
  std::string text(std::min<uint32_t>(from.left(), kPageSize - 1), '\0');
  const uint32_t length = from.left();
  text.resize(from.take(std::as_writable_bytes(std::span(text))));
  if (text.empty() && length != 0) {
    return fail(Errno::kEFAULT);
  }
  FL_TRY(store_(text, at));
  at += length;
  return length;
}

Result<uint64_t> TextFile::seek(int64_t offset, uint32_t whence) {
  // Linux: seq_lseek knows no end.
  if (whence != Whence::kSet && whence != Whence::kCurrent) {
    return fail(Errno::kEINVAL);
  }
  FL_TRY_ASSIGN(pos, seek_in(pos, 0, offset, whence));
  return pos;
}

Result<FsStat> TextFile::statfs() { return synthetic_statfs(magic_); }

ListDirectory::ListDirectory(uint32_t flags, std::shared_ptr<LivePath> path, const FileStat& stat,
                             std::vector<Item> items, uint64_t magic)
    : OpenFile(flags, std::move(path)), stat_(stat), items_(std::move(items)), magic_(magic) {
  items_.insert(items_.begin(), {Item{".", stat.ino, FileMode::kDirectory}, Item{"..", 1, FileMode::kDirectory}});
}

Result<uint64_t> ListDirectory::seek(int64_t offset, uint32_t whence) {
  if (whence != Whence::kSet && whence != Whence::kCurrent) {
    return fail(Errno::kEINVAL);
  }
  FL_TRY_ASSIGN(pos, seek_in(pos, 0, offset, whence));
  return pos;
}

Status ListDirectory::list(DirectorySink& sink) {
  constexpr uint32_t kTypeShift = 12;  // DT_x is S_IFx >> 12
  while (pos < items_.size()) {
    const Item& item = items_[pos];
    const auto type = static_cast<uint8_t>((item.mode & FileMode::kTypeMask) >> kTypeShift);
    if (!sink.add({item.ino, pos + 1, type, item.name})) {
      break;
    }
    ++pos;
  }
  return {};
}

Result<FsStat> ListDirectory::statfs() { return synthetic_statfs(magic_); }

}  // namespace fl::guest
