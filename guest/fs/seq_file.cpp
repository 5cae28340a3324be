// Reading records: what is left, then a buffer full of them.
#include "guest/fs/seq_file.hpp"

#include <algorithm>

#include "guest/fs/synthetic.hpp"

namespace fl::guest {

Result<std::string> SeqFile::records(uint64_t wanted) {
  std::string text;
  while (text.size() < wanted) {
    const size_t whole = text.size();
    uint64_t next = cursor_;
    FL_TRY_ASSIGN(const bool shown, show(text, next));
    if (!shown) {
      break;
    }
    if (text.size() >= most_ && whole != 0) {
      text.resize(whole);
      break;
    }
    while (text.size() >= most_) {
      most_ *= 2;
    }
    cursor_ = next;
  }
  return text;
}

Status SeqFile::fill(uint64_t wanted) {
  buffer_.clear();
  taken_ = 0;
  const auto text = records(wanted);
  const Status done = text ? buffer_.assign(*text) : fail(text.error());
  if (!done) {
    read_pos_ = kNowhere;
  }
  return done;
}

Status SeqFile::go_to(uint64_t at) {
  buffer_.clear();
  taken_ = 0;
  cursor_ = 0;
  read_pos_ = 0;
  while (read_pos_ < at) {
    FL_TRY(fill(1));
    if (buffer_.size() == 0) {
      break;
    }
    taken_ = static_cast<uint32_t>(std::min<uint64_t>(buffer_.size(), at - read_pos_));
    read_pos_ += taken_;
  }
  read_pos_ = at;
  return {};
}

Result<uint32_t> SeqFile::read(IoBuffer& to, uint64_t& at) {
  if (at == 0 || at != read_pos_) {
    FL_TRY(go_to(at));
  }
  uint32_t done = 0;
  const auto give = [&] {
    while (left() > 0 && to.left() > 0) {
      const std::span<const std::byte> piece = buffer_.piece(taken_);
      const uint32_t moved = to.put(piece.first(std::min<size_t>({piece.size(), left(), to.left()})));
      if (moved == 0) {
        return false;
      }
      taken_ += moved;
      read_pos_ += moved;
      done += moved;
    }
    return true;
  };
  bool had = give();
  if (had && left() == 0 && to.left() > 0) {
    if (const Status filled = fill(to.left()); !filled && done == 0) {
      return fail(filled.error());
    }
    had = give();
  }
  if (done == 0 && !had) {
    return fail(Errno::kEFAULT);
  }
  at += done;
  return done;
}

Result<uint64_t> SeqFile::seek(int64_t offset, uint32_t whence) {
  // Linux: seq_lseek knows no end.
  if (whence != Whence::kSet && whence != Whence::kCurrent) {
    return fail(Errno::kEINVAL);
  }
  FL_TRY_ASSIGN(pos, seek_in(pos, 0, offset, whence));
  return pos;
}

Result<FsStat> SeqFile::statfs() { return synthetic_statfs(kProcMagic); }

}  // namespace fl::guest
