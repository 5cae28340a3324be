// Reading generated text and listing made-up directories.
#include "guest/fs/synthetic.hpp"

#include <algorithm>

#include "guest/fs/fs_caches.hpp"

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
    FL_TRY_ASSIGN(const std::string text, generate_());
    generated_ = false;
    FL_TRY(text_.assign(text));
    generated_ = true;
  }
  if (at >= text_.size() || to.left() == 0) {
    return 0;
  }
  const auto from = static_cast<uint32_t>(at);
  uint32_t length = std::min(text_.size() - from, to.left());
  if (size_ == ReadSize::kPageOfLines && text_.size() - from > kPageSize) {
    length = std::min(length, whole_lines(from));
  }
  uint32_t done = 0;
  while (done < length) {
    const std::span<const std::byte> piece = text_.piece(from + done);
    const uint32_t moved = to.put(piece.first(std::min<size_t>(piece.size(), length - done)));
    if (moved == 0) {
      break;
    }
    done += moved;
  }
  if (done == 0) {
    return fail(Errno::kEFAULT);
  }
  at += done;
  return done;
}

// The lines that fit into a page from `from` on; the page if not even one does.
uint32_t TextFile::whole_lines(uint32_t from) const {
  uint32_t end = 0;
  for (uint32_t at = 0; at < kPageSize;) {
    const std::span<const std::byte> piece = text_.piece(from + at);
    for (size_t i = 0; i < piece.size() && at < kPageSize; ++i, ++at) {
      end = piece[i] == std::byte{'\n'} ? at + 1 : end;
    }
  }
  return end != 0 ? end : kPageSize;
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

Result<std::shared_ptr<OpenFile>> ListDirectory::make(vm::MemorySystem& memory, uint32_t flags,
                                                      std::shared_ptr<LivePath> path, const FileStat& stat,
                                                      std::span<const Item> items, uint64_t magic) {
  FL_TRY_ASSIGN(const auto file, make_file<ListDirectory>(memory, flags, std::move(path), memory.slab(), stat, magic));
  FL_TRY(vm::with_memory([&] {
    file->add(".", stat.ino, FileMode::kDirectory);
    file->add("..", 1, FileMode::kDirectory);
    for (const Item& item : items) {
      file->add(item.name, item.ino, item.mode);
    }
  }));
  return file;
}

// May throw std::bad_alloc.
void ListDirectory::add(std::string_view name, uint64_t ino, uint32_t mode) {
  constexpr uint32_t kTypeShift = 12;  // DT_x is S_IFx >> 12
  entries_.push_back(
      {ino, static_cast<uint32_t>(names_.size()), static_cast<uint8_t>((mode & FileMode::kTypeMask) >> kTypeShift)});
  names_.append(name).push_back('\0');
}

Result<uint64_t> ListDirectory::seek(int64_t offset, uint32_t whence) {
  if (whence != Whence::kSet && whence != Whence::kCurrent) {
    return fail(Errno::kEINVAL);
  }
  FL_TRY_ASSIGN(pos, seek_in(pos, 0, offset, whence));
  return pos;
}

Status ListDirectory::list(DirectorySink& sink) {
  while (pos < entries_.size()) {
    const Entry& entry = entries_[pos];
    if (!sink.add({entry.ino, pos + 1, entry.type, names_.c_str() + entry.name})) {
      break;
    }
    ++pos;
  }
  return {};
}

Result<FsStat> ListDirectory::statfs() { return synthetic_statfs(magic_); }

}  // namespace fl::guest
